//! Between the session and the socket: bytes, as many at a time as leave the others their turn.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll};
use std::time::Instant;

use super::super::socket::Socket;
use super::Driver;
use crate::bulk;
use crate::runtime::{Interest, Readiness};
use crate::session::Transmit;

/// What is read at a time.
const READ: usize = 128 * 1024;
/// What is written in one round, about: as long as the peer reads, a large message could be written for its whole length,
/// and what is small would wait in the outbox for all of it (C-OV-2).
const WRITE: usize = 256 * 1024;
/// Places given to one read.
const PLACES: usize = 32;
/// Slices given to one write.
const SLICES: usize = 64;
/// Reads after which a peer that takes nothing any more is not listened to either: together, what the kernel keeps of one
/// connection.
const LAST_READS: usize = 64;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

impl Driver {
    pub(super) fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.session.is_closed() || !self.session.reply_room() {
            return false; // The peer does not read what it asked for: it is not asked for more.
        }
        // One buffer for each thread, not for each connection: it is empty between two reads.
        BUFFER.with_borrow_mut(|buffer| {
            let outcome = if self.session.has_room() {
                self.read_parts(cx, buffer)
            } else {
                let socket = &*self.socket;
                let op = &mut || socket.read(buffer);
                read(&mut *self.readiness, socket, cx, READ, op).map_ok(|read| (0, read))
            };
            self.awaits_bytes = outcome.is_pending();
            match outcome {
                Poll::Pending => return false,
                // A reset is an end like any other (T3).
                Poll::Ready(Ok((0, 0))) => self.session.receive_eof(now),
                Poll::Ready(Ok((room, behind))) => {
                    self.transferred(room + behind);
                    self.session.came(room, now);
                    let behind = buffer.get(..behind).unwrap_or_default();
                    self.session.receive(behind, now);
                }
                Poll::Ready(Err(error)) => {
                    self.fault = Some(error);
                    self.session.receive_eof(now);
                }
            }
            true
        })
    }

    /// Reads the parts of a large message to where they belong, and what comes behind its end into `buffer`: so many bytes
    /// here, and so many there.
    #[inline(never)]
    fn read_parts(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, usize)>> {
        let (readiness, socket) = (&mut *self.readiness, &*self.socket);
        let mut places = self.session.room();
        let (mut count, mut room, mut behind) = (0, 0, 0);
        let mut slices: [_; PLACES] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        for (slice, place) in slices.iter_mut().zip(&mut places) {
            (count, room) = (count + 1, room + place.len());
            *slice = IoSliceMut::new(place);
        }
        if let (true, Some(last)) = (count == 0 || places.ends(), slices.get_mut(count)) {
            (count, behind) = (count + 1, buffer.len());
            *last = IoSliceMut::new(buffer);
        }
        let slices = slices.get_mut(..count).unwrap_or_default();
        let op = &mut || socket.read_vectored(slices);
        read(readiness, socket, cx, room + behind, op)
            .map_ok(|read| (read.min(room), read.saturating_sub(room)))
    }

    /// So many bytes came or went at once.
    fn transferred(&mut self, bytes: usize) {
        self.transferred += bytes;
        bulk::moved(bytes);
    }

    /// Writes what there is, as far as the socket takes it and this round goes.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let (mut moved, mut wrote) = (false, 0);
        if self.awaits_room {
            return false;
        }
        while self.session.has_output() {
            if wrote >= WRITE {
                return true;
            }
            let (readiness, socket) = (&mut *self.readiness, &*self.socket);
            let staged = self.session.transmit(now);
            let outcome = match staged.clone().take(2).count() {
                // All that there was to stage had passed its deadline, and is told so. A write of
                // no bytes would look like the end of the connection.
                0 => return true,
                // What is small is in one, for which there is no need of many empty places.
                1 => write_runs::<1>(readiness, socket, cx, staged),
                _ => write_runs::<SLICES>(readiness, socket, cx, staged),
            };
            match outcome {
                Poll::Pending => {
                    self.awaits_room = true;
                    return moved;
                }
                Poll::Ready(Ok(written @ 1..)) => {
                    self.session.wrote(written, now);
                    self.transferred(written);
                    wrote += written;
                }
                // A write of 0 would be tried for ever (T13).
                Poll::Ready(Ok(_)) => return self.unwritable(None, now),
                Poll::Ready(Err(error)) => return self.unwritable(Some(error), now),
            }
            moved = true;
        }
        while self.socket.holds_output() {
            let socket = &*self.socket;
            let op = &mut || socket.flush().map(|()| 1);
            match self.readiness.poll_io(cx, Interest::Write, usize::MAX, op) {
                Poll::Pending => {
                    self.awaits_room = true;
                    return moved;
                }
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Ready(Err(error)) => return self.unwritable(Some(error), now),
            }
        }
        moved
    }

    /// Nothing can be written any more. What the peer said before it went is there to be read all the same: answers, casts,
    /// and why it goes.
    fn unwritable(&mut self, error: Option<io::Error>, now: Instant) -> bool {
        for _ in 0..LAST_READS {
            if !self.read_last(now) {
                break;
            }
            self.tell_all_events(now);
        }
        if !self.session.is_closed() {
            self.fault = error.or(self.fault.take());
            self.session.receive_eof(now);
        }
        if let Some(ended) = &mut self.ended {
            ended.until = now; // The notice cannot be written either.
        }
        true
    }

    /// Reads once, where nobody waits for more; says whether there was something.
    fn read_last(&mut self, now: Instant) -> bool {
        !self.session.is_closed()
            && BUFFER.with_borrow_mut(|buffer| match self.socket.read(buffer) {
                Ok(read @ 1..) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    self.session.receive(bytes, now);
                    true
                }
                _ => false,
            })
    }
}

/// Writes the first `RUNS` of what is staged, as much of them as the socket takes.
fn write_runs<const RUNS: usize>(
    readiness: &mut dyn Readiness,
    socket: &dyn Socket,
    cx: &mut Context<'_>,
    mut staged: Transmit<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); RUNS];
    let count = staged.fill(&mut slices);
    let slices = slices.get(..count).unwrap_or_default();
    let op = &mut || socket.write(slices);
    readiness.poll_io(cx, Interest::Write, usize::MAX, op)
}

/// Reads at most `most` bytes by `op`, once there are some.
fn read(
    readiness: &mut dyn Readiness,
    socket: &dyn Socket,
    cx: &mut Context<'_>,
    most: usize,
    op: &mut dyn FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    // What the socket holds has left the kernel, which tells of it no more.
    if socket.holds_input() {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
    }
    readiness.poll_io(cx, Interest::Read, most, op)
}

//! The requests that the peer sent, from their first byte to the end of their handler.

use std::time::Instant;

use super::chunking::Assembly;
use super::code::CloseCode;
use super::config::Limits;
use super::credit::Granted;
use super::message::{RequestHeader, Verb};
use super::window::Window;
use super::wire::{Parsed, violation};

/// One request of the peer's.
#[derive(Debug)]
pub(super) enum Served {
    /// It comes in parts.
    InParts(Box<InParts>),
    /// It was given out. Its slot is free when the handler has ended, not when a cancel comes
    /// (C-DL-4, FAULTS rule 3).
    Running {
        /// The number of a cast; 0 for a call.
        cast: u64,
        size: usize,
        cancelled: bool,
    },
    /// Its answer waits to be staged; until then the slot is taken, so that a peer that does not
    /// read cannot make answers pile up (P24).
    Answered { size: usize },
}

/// A request that comes in parts.
#[derive(Debug)]
pub(super) struct InParts {
    pub(super) verb: Verb,
    /// The number of a cast; 0 for a call.
    pub(super) cast: u64,
    pub(super) header: RequestHeader,
    pub(super) size: usize,
    pub(super) assembly: Assembly,
    pub(super) since: Instant,
}

/// What a cancel hit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// A running call: its handler is to be told.
    Running,
    /// A call that was not whole: it is to be answered with Ended.
    CallInParts,
    /// Nothing more to do.
    Done,
    /// Nothing: it has ended already.
    Nothing,
}

/// What became of a request that its handler let go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A call that nobody waits for.
    CancelledCall,
    /// A call that waits for its reply.
    Call,
    /// A cast, or an id that is stale.
    Nothing,
}

/// The table of requests that are served.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) table: Window<Served>,
    pub(super) granted: Granted,
    last_seq: u64,
    in_parts: u32,
    max_partial: u32,
}

impl Serving {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            table: Window::default(),
            granted: Granted::new(limits),
            last_seq: 0,
            in_parts: 0,
            max_partial: limits.max_partial,
        }
    }

    /// The number of the latest request that was begun.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Requests that hold credit.
    pub(super) fn len(&self) -> usize {
        self.granted.taken().requests as usize
    }

    /// Bytes of requests in parts.
    pub(super) fn buffered(&self) -> usize {
        self.table.iter().fold(0, |sum, (_, served)| match served {
            Served::InParts(request) => sum.saturating_add(request.assembly.buffered()),
            Served::Running { .. } | Served::Answered { .. } => sum,
        })
    }

    /// The number of a request that begins `step` above the last (P13, P14).
    pub(super) fn next_seq(&mut self, step: u64) -> Parsed<u64> {
        match self.last_seq.checked_add(step) {
            Some(seq) if step > 0 && seq <= u64::MAX >> 1 => {
                self.last_seq = seq;
                Ok(seq)
            }
            _ => violation(CloseCode::DuplicateId, "a request's id does not increase"),
        }
    }

    /// A whole request was given out.
    pub(super) fn run(&mut self, seq: u64, cast: u64, size: usize) {
        self.table.insert(
            seq,
            Served::Running {
                cast,
                size,
                cancelled: false,
            },
        );
    }

    /// The first part of a request came.
    pub(super) fn begin_parts(&mut self, seq: u64, request: InParts) -> Parsed<()> {
        if self.in_parts >= self.max_partial {
            return violation(CloseCode::TooManyParts, "too many requests in parts");
        }
        self.in_parts = self.in_parts.saturating_add(1);
        self.table.insert(seq, Served::InParts(Box::new(request)));
        Ok(())
    }

    /// What has come of a request in parts.
    pub(super) fn assembly(&mut self, seq: u64) -> Parsed<&mut Assembly> {
        match self.table.get_mut(seq) {
            Some(Served::InParts(request)) => Ok(&mut request.assembly),
            _ => unknown_part(),
        }
    }

    /// All parts have come; gives the request if it was kept.
    pub(super) fn whole(&mut self, seq: u64) -> Parsed<Option<InParts>> {
        let Some(served) = self.table.get_mut(seq) else {
            return unknown_part();
        };
        let Served::InParts(request) = served else {
            return unknown_part();
        };
        self.in_parts = self.in_parts.saturating_sub(1);
        let (cast, size) = (request.cast, request.size);
        if !request.assembly.is_kept() {
            self.table.remove(seq);
            return Ok(None);
        }
        let running = Served::Running {
            cast,
            size,
            cancelled: false,
        };
        match std::mem::replace(served, running) {
            Served::InParts(request) => Ok(Some(*request)),
            Served::Running { .. } | Served::Answered { .. } => Ok(None),
        }
    }

    /// Whether this is a call that runs, and whose answer is wanted.
    pub(super) fn is_awaited(&mut self, seq: u64) -> bool {
        matches!(
            self.table.get_mut(seq),
            Some(Served::Running {
                cast: 0,
                cancelled: false,
                ..
            })
        )
    }

    pub(super) fn cancel(&mut self, seq: u64) -> Cancelled {
        let Some(served) = self.table.get_mut(seq) else {
            return Cancelled::Nothing;
        };
        match served {
            Served::Running {
                cast: 0, cancelled, ..
            } if !*cancelled => {
                *cancelled = true;
                Cancelled::Running
            }
            Served::Running { .. } | Served::Answered { .. } => Cancelled::Nothing,
            Served::InParts(request) => {
                let (cast, size) = (request.cast, request.size);
                let kept = request.assembly.is_kept();
                self.in_parts = self.in_parts.saturating_sub(1);
                if kept && cast == 0 {
                    *served = Served::Answered { size };
                    return Cancelled::CallInParts;
                }
                self.table.remove(seq);
                if kept {
                    self.granted.cast_ended(cast, size);
                }
                Cancelled::Done
            }
        }
    }

    /// The handler has ended.
    pub(super) fn end(&mut self, seq: u64) -> Ended {
        let Some(served) = self.table.get_mut(seq) else {
            return Ended::Nothing;
        };
        let Served::Running {
            cast,
            size,
            cancelled,
        } = *served
        else {
            return Ended::Nothing;
        };
        match cast {
            1.. => {
                self.table.remove(seq);
                self.granted.cast_ended(cast, size);
                Ended::Nothing
            }
            0 => {
                *served = Served::Answered { size };
                if cancelled {
                    Ended::CancelledCall
                } else {
                    Ended::Call
                }
            }
        }
    }

    /// The answer is staged, and the credit with it.
    pub(super) fn answer_staged(&mut self, seq: u64) {
        if let Some(Served::Answered { size }) = self.table.remove(seq) {
            self.granted.answered(size);
        }
    }

    /// The session ended: the calls whose handlers are to be told.
    pub(super) fn drain(&mut self, limits: &Limits) -> Vec<u64> {
        let calls = self.table.iter().filter(|(_, served)| {
            matches!(
                served,
                Served::Running {
                    cast: 0,
                    cancelled: false,
                    ..
                }
            )
        });
        let calls = calls.map(|(seq, _)| seq).collect();
        *self = Self {
            last_seq: self.last_seq,
            ..Self::new(limits)
        };
        calls
    }
}

fn unknown_part<T>() -> Parsed<T> {
    violation(
        CloseCode::UnknownId,
        "a part of a request that was never begun",
    )
}

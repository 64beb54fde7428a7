//! What a mailbox does. What threads do to one another in it is in `loom/`.
#![cfg(not(tidings_loom))]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use tidings_core::mailbox::{Limits, Mailbox, PushError};

fn mailbox(items: usize, bytes: usize) -> Mailbox<u32> {
    Mailbox::new(Limits { items, bytes })
}

#[test]
fn it_is_bounded_in_items_and_in_bytes_whichever_binds_first() {
    let mailbox = mailbox(3, 10);
    mailbox.try_push(1, 4).unwrap();
    mailbox.try_push(2, 6).unwrap();
    assert_eq!(mailbox.try_push(3, 1), Err(PushError::Full(3)), "bytes");
    mailbox.try_push(3, 0).unwrap();
    assert_eq!(mailbox.try_push(4, 0), Err(PushError::Full(4)), "items");
    assert_eq!((mailbox.len(), mailbox.bytes()), (3, 10));
}

#[test]
fn an_item_as_large_as_the_limit_fits_when_empty_and_a_larger_one_never() {
    let mailbox = mailbox(3, 10);
    assert_eq!(mailbox.try_push(1, 11), Err(PushError::Full(1)));
    assert_eq!(mailbox.try_push(1, usize::MAX), Err(PushError::Full(1)));
    assert!(mailbox.try_push(1, 10).is_ok());
}

#[test]
fn a_removed_item_frees_its_room_at_once() {
    let mailbox = mailbox(2, 10);
    let first = mailbox.try_push(1, 10).unwrap();
    assert!(mailbox.try_push(2, 1).is_err());
    assert_eq!(mailbox.remove(first), Some(1));
    assert_eq!(mailbox.remove(first), None);
    mailbox.try_push(2, 10).unwrap();
    assert_eq!(
        mailbox.remove(first),
        None,
        "a ticket is not valid for what comes after"
    );
    assert_eq!(mailbox.try_pop(), Some(2));
}

#[test]
fn close_returns_what_is_left_and_ends_the_consumers() {
    let mailbox = mailbox(2, 10);
    mailbox.try_push(1, 1).unwrap();
    assert_eq!(mailbox.close(), [1]);
    assert_eq!(mailbox.close(), [0_u32; 0]);
    assert_eq!(mailbox.try_push(2, 1), Err(PushError::Closed(2)));
    assert_eq!(mailbox.pop_wait(None), None);
    assert_eq!((mailbox.bytes(), mailbox.is_closed()), (0, true));
}

#[test]
fn a_wait_for_an_item_ends_with_its_time() {
    let mailbox = mailbox(2, 10);
    assert_eq!(mailbox.pop_wait(Some(Duration::from_millis(1))), None);
    mailbox.try_push(1, 1).unwrap();
    assert_eq!(mailbox.pop_wait(Some(Duration::ZERO)), Some(1));
}

#[test]
fn a_push_wakes_one_consumer_and_one_that_leaves_hands_the_wake_up_on() {
    let mailbox = mailbox(2, 10);
    let wakes: [Arc<Wakes>; 2] = Default::default();
    let mut consumers = [mailbox.consumer(), mailbox.consumer()];
    for (consumer, wakes) in consumers.iter_mut().zip(&wakes) {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(
            consumer
                .poll_pop(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let counts = || {
        wakes
            .each_ref()
            .map(|wakes| wakes.0.load(Ordering::Relaxed))
    };
    mailbox.try_push(1, 1).unwrap();
    assert_eq!(counts(), [1, 0]);
    let [first, mut second] = consumers;
    drop(first);
    assert_eq!(counts(), [1, 1]);
    let polled = second.poll_pop(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Some(1)));
    assert!(
        wakes.iter().all(|wakes| Arc::strong_count(wakes) == 1),
        "no waker is kept"
    );
}

#[test]
fn any_script_does_what_a_plain_queue_does() {
    for seed in 1..=500_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) % limit
        };
        let (most, limit) = (8, 40);
        let mailbox = mailbox(most, limit);
        let mut plain = VecDeque::new();
        let mut tickets = Vec::new();
        for item in 0..200 {
            let held: usize = plain.iter().map(|(_, bytes)| bytes).sum();
            match below(5) {
                0..=2 => {
                    let bytes = below(20) as usize;
                    let fits = plain.len() < most && held + bytes <= limit;
                    let pushed = mailbox.try_push(item, bytes);
                    assert_eq!(pushed.is_ok(), fits, "seed {seed}");
                    if let Ok(ticket) = pushed {
                        plain.push_back((item, bytes));
                        tickets.push((ticket, item));
                    }
                }
                3 if !tickets.is_empty() => {
                    let (ticket, item) = tickets[below(tickets.len() as u64) as usize];
                    let at = plain.iter().position(|(kept, _)| *kept == item);
                    let expected = at.and_then(|at| plain.remove(at)).map(|(item, _)| item);
                    assert_eq!(mailbox.remove(ticket), expected, "seed {seed}");
                }
                _ => {
                    let expected = plain.pop_front().map(|(item, _)| item);
                    assert_eq!(mailbox.try_pop(), expected, "seed {seed}");
                }
            }
            assert_eq!(mailbox.len(), plain.len(), "seed {seed}");
        }
        let left: Vec<u32> = plain.into_iter().map(|(item, _)| item).collect();
        assert_eq!(mailbox.close(), left, "seed {seed}");
    }
}

#[test]
fn many_producers_and_consumers_pass_every_item_once() {
    const ITEMS: u32 = 20_000;
    let mailbox = mailbox(16, 1_000);
    let consumers: Vec<_> = (0..3)
        .map(|_| {
            let mailbox = mailbox.clone();
            thread::spawn(move || std::iter::from_fn(|| mailbox.pop_wait(None)).collect::<Vec<_>>())
        })
        .collect();
    let producers: Vec<_> = (0..2)
        .map(|half| {
            let mailbox = mailbox.clone();
            thread::spawn(move || {
                for item in (0..ITEMS).filter(|item| item % 2 == half) {
                    let mut item = item;
                    while let Err(full) = mailbox.try_push(item, 1) {
                        item = full.into_inner();
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    producers
        .into_iter()
        .for_each(|producer| producer.join().unwrap());
    let mut passed = Vec::new();
    while !mailbox.is_empty() {
        passed.extend(mailbox.try_pop());
    }
    assert!(mailbox.close().is_empty());
    for consumer in consumers {
        let popped = consumer.join().unwrap();
        passed.extend(popped);
    }
    passed.sort_unstable();
    assert!(passed.into_iter().eq(0..ITEMS));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

//! Credit: how many requests, and how many bytes of them, a side may have in the peer's hands
//! (PR-CREDIT), and how much of that one destination may take (C-OV-2).

use super::code::CloseCode;
use super::config::Limits;
use super::window::Window;
use super::wire::{Parsed, Reader, malformed, put_varint, violation};

/// A number of requests and their payload bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) requests: u32,
    pub(super) bytes: usize,
}

impl Amount {
    pub(super) fn one(bytes: usize) -> Self {
        Self { requests: 1, bytes }
    }

    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn take(&mut self, other: Self) {
        self.requests = self.requests.saturating_sub(other.requests);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    fn less(mut self, other: Self) -> Self {
        self.take(other);
        self
    }

    fn covers(self, other: Self) -> bool {
        self.requests >= other.requests && self.bytes >= other.bytes
    }
}

/// What the peer still allows this side to send.
#[derive(Debug)]
pub(super) struct Allowance {
    window: Amount,
    left: Amount,
    /// Casts that the peer has not given back, by their number: only these come back by a Credit
    /// frame.
    casts: Window<(u64, usize)>,
    last_cast: u64,
    shares: Shares,
}

impl Allowance {
    pub(super) fn new(window: Amount) -> Self {
        Self {
            window,
            left: window,
            casts: Window::default(),
            last_cast: 0,
            shares: Shares::default(),
        }
    }

    /// The peer's Hello came: this is what it allows. What waits already keeps its share.
    pub(super) fn open(&mut self, window: Amount) {
        self.window = window;
        self.left = window;
    }

    pub(super) fn allows(&self, bytes: usize) -> bool {
        self.left.covers(Amount::one(bytes))
    }

    /// Whether a request of `bytes` on `way` would leave enough for the others, while `queued`
    /// waits here for its credit.
    pub(super) fn is_fair(&self, way: u64, bytes: usize, queued: Amount) -> bool {
        let free = self.left.less(queued);
        self.shares.is_fair(way, bytes, self.window, free)
    }

    /// A request on `way` was accepted: from now on it counts against the share of that way.
    #[inline]
    pub(super) fn accepted(&mut self, way: u64, bytes: usize) {
        self.shares.add(way, bytes);
    }

    /// One that was accepted spends its credit.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left.take(Amount::one(bytes));
    }

    /// One that was accepted will not be sent; `spent` says whether its credit was.
    pub(super) fn withdrawn(&mut self, way: u64, bytes: usize, spent: bool) {
        if spent {
            self.left.add(Amount::one(bytes));
        }
        self.shares.take(way, bytes);
    }

    /// A call was answered (PR-CREDIT-3).
    pub(super) fn answered(&mut self, way: u64, bytes: usize) {
        self.withdrawn(way, bytes, true);
    }

    /// A cast whose credit was spent leaves.
    #[inline]
    pub(super) fn cast_left(&mut self, way: u64, bytes: usize) {
        self.last_cast = self.last_cast.saturating_add(1);
        self.casts.insert(self.last_cast, (way, bytes));
    }

    /// A Credit frame came: it names casts that have ended, in runs (PR-CREDIT-4).
    #[inline]
    pub(super) fn returned(&mut self, mut runs: Reader<'_>) -> Parsed<()> {
        let mut next = 0_u64;
        if runs.is_empty() {
            return malformed("credit for no request");
        }
        while !runs.is_empty() {
            let (gap, length) = (runs.varint()?, runs.varint()?);
            if gap == 0 || length == 0 {
                return malformed("an empty run of casts, or two runs that are one");
            }
            let first = next.saturating_add(gap);
            // Each cast is given back once, so that the number of turns is that of casts sent.
            for number in first..first.saturating_add(length) {
                let Some((way, bytes)) = self.casts.remove(number) else {
                    return violation(
                        CloseCode::CreditExceeded,
                        "more credit came back than was used",
                    );
                };
                self.left.add(Amount::one(bytes));
                self.shares.take(way, bytes);
            }
            next = first.saturating_add(length);
        }
        Ok(())
    }
}

/// What requests on each way hold of the credit, or will: those that wait here count as well.
///
/// A way may take on more while it has less than three times of what is left for all. Alone it comes
/// to three quarters, a second one to three quarters of the rest, and so on: something is always
/// left for those that are not stuck, and no number of ways has to be known.
///
/// By the number of the way: whoever sends gives them out from 0 on, and uses them again.
#[derive(Debug, Default)]
struct Shares(Vec<Amount>);

/// Ways with a share of their own. Those of higher numbers share one with a lower number, which is less fair to both.
const WAYS: u64 = 1 << 16;

/// A request above this many bytes is bulk, and leaves a part of all bytes to what is smaller.
pub(super) const BULK: usize = 64 * 1024;
/// That part is one in so many.
const RESERVE: usize = 8;
/// How many times of what is left one way may have.
const SHARE: usize = 3;

impl Shares {
    fn is_fair(&self, way: u64, bytes: usize, window: Amount, free: Amount) -> bool {
        let used = self.0.get(Self::at(way)).copied();
        let used = used.filter(|used| used.requests > 0);
        leaves_enough(used, bytes, window, free)
    }

    fn add(&mut self, way: u64, bytes: usize) {
        let at = Self::at(way);
        if at >= self.0.len() {
            self.0.resize(at.saturating_add(1), Amount::default());
        }
        if let Some(used) = self.0.get_mut(at) {
            used.add(Amount::one(bytes));
        }
    }

    fn take(&mut self, way: u64, bytes: usize) {
        if let Some(used) = self.0.get_mut(Self::at(way)) {
            used.take(Amount::one(bytes));
        }
    }

    fn at(way: u64) -> usize {
        (way % WAYS) as usize
    }
}

/// Whether a request of `bytes` on a way that holds `used` leaves enough of what is `free` to others.
fn leaves_enough(used: Option<Amount>, bytes: usize, window: Amount, free: Amount) -> bool {
    let after = free.bytes.saturating_sub(bytes);
    // Half of what it can leave at best, where it needs nearly all.
    let most = window.bytes.saturating_sub(bytes) / 2;
    let reserve = (window.bytes / RESERVE).min(most);
    let alone = free.bytes >= window.bytes;
    if bytes > BULK && after < reserve && !alone {
        return false;
    }
    let Some(used) = used else {
        return true;
    };
    let requests = (used.requests as usize) < (free.requests as usize).saturating_mul(SHARE);
    requests && used.bytes.saturating_add(bytes) <= after.saturating_mul(SHARE)
}

/// What this side allows the peer, and what of it is taken.
#[derive(Debug)]
pub(super) struct Granted {
    window: Amount,
    max_message: usize,
    taken: Amount,
    /// Of casts that have ended; goes back with the next Credit frame, in one for all.
    returning: Amount,
    /// Their numbers.
    ended: Vec<u64>,
    /// Casts that have come.
    casts: u64,
}

/// Runs in one Credit frame: it fits whatever frame the peer takes.
const RUNS: usize = 512;

impl Granted {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            window: Amount {
                requests: limits.max_in_flight,
                bytes: limits.max_in_flight_bytes,
            },
            max_message: limits.max_message,
            taken: Amount::default(),
            returning: Amount::default(),
            ended: Vec::new(),
            casts: 0,
        }
    }

    pub(super) fn taken(&self) -> Amount {
        self.taken
    }

    /// The number of a cast whose first frame has come.
    pub(super) fn next_cast(&mut self) -> u64 {
        self.casts = self.casts.saturating_add(1);
        self.casts
    }

    /// A request came; `false` when the peer had no credit for it.
    #[must_use]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.window.less(self.taken).covers(Amount::one(bytes));
        if fits {
            self.taken.add(Amount::one(bytes));
        }
        fits
    }

    /// The answer to a call is on its way, and its credit with it (PR-CREDIT-3).
    pub(super) fn answered(&mut self, bytes: usize) {
        self.taken.take(Amount::one(bytes));
    }

    /// A cast has ended: its credit waits for a Credit frame.
    pub(super) fn cast_ended(&mut self, number: u64, bytes: usize) {
        self.answered(bytes);
        self.refused_cast(number, bytes);
    }

    /// A cast was dropped that never took credit here; the peer spent its own.
    pub(super) fn refused_cast(&mut self, number: u64, bytes: usize) {
        self.returning.add(Amount::one(bytes));
        self.ended.push(number);
    }

    /// Whether a Credit frame is worth it now: when the peer might wait for it, and until then it is
    /// gathered: half of the requests are used up, or the largest message could not go if all that
    /// is used were on its way (PR-CREDIT-4).
    pub(super) fn is_due(&self) -> bool {
        if self.returning.requests == 0 {
            return false;
        }
        let mut used = self.taken;
        used.add(self.returning);
        let few_requests = used.requests >= self.window.requests.div_ceil(2);
        let free = self.window.less(used);
        few_requests || !leaves_enough(Some(used), self.max_message, self.window, free)
    }

    /// The casts that have ended, as the bodies of Credit frames.
    pub(super) fn tell(&mut self, mut frame: impl FnMut(&dyn Fn(&mut Vec<u8>))) {
        self.returning = Amount::default();
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in ended.drain(..) {
            match runs.last_mut() {
                Some((first, length)) if first.saturating_add(*length) == number => {
                    *length = length.saturating_add(1);
                }
                _ => runs.push((number, 1)),
            }
        }
        self.ended = ended;
        for runs in runs.chunks(RUNS) {
            frame(&|out| {
                let mut next = 0;
                for &(first, length) in runs {
                    put_varint(out, first.saturating_sub(next));
                    put_varint(out, length);
                    next = first.saturating_add(length);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(requests: u32, bytes: usize, max_message: usize) -> Granted {
        Granted::new(&Limits {
            max_in_flight: requests,
            max_in_flight_bytes: bytes,
            max_message,
            ..Limits::default()
        })
    }

    fn amount(requests: u32, bytes: usize) -> Amount {
        Amount { requests, bytes }
    }

    fn told(side: &mut Granted) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        side.tell(|body| {
            let mut out = Vec::new();
            body(&mut out);
            frames.push(out);
        });
        frames
    }

    fn end(side: &mut Granted, bytes: usize) {
        let number = side.next_cast();
        side.cast_ended(number, bytes);
    }

    #[test]
    fn credit_is_told_before_the_peer_can_be_stuck() {
        for requests in 1..6 {
            let mut side = granted(requests, 100, 10);
            // Everything is taken, and ends one by one: the first that ends is told.
            for _ in 0..requests {
                assert!(side.take(1));
            }
            assert!(!side.take(1) && !side.is_due());
            end(&mut side, 1);
            assert!(side.is_due());
            assert_eq!(told(&mut side), [[1, 1]]);
            assert!(!side.is_due());
        }
        let mut side = granted(100, 20, 10);
        assert!(side.take(10) && side.take(1));
        end(&mut side, 1);
        assert!(side.is_due());
    }

    /// A sender that waits for its share is never left waiting for credit that this side gathers.
    #[test]
    fn no_window_and_no_message_leave_a_sender_stuck() {
        const KIB: usize = 1024;
        for (requests, window, max_message) in [
            (1, 32, 16),
            (2, 16, 16),
            (3, 32, 30),
            (1024, 32, 16),
            (1024, 64, 50),
            (7, 1000, 16),
            (1024, 16, 16),
        ] {
            let (window, max_message) = (window * KIB * KIB, max_message * KIB * KIB);
            for bytes in [
                1,
                70 * KIB,
                max_message / 3,
                max_message / 2 + 1,
                max_message,
            ] {
                let mut there = granted(requests, window, max_message);
                let mut here = Allowance::new(amount(requests, window));
                for _ in 0..2000 {
                    let fair = here.is_fair(5, bytes, Amount::default()) && here.allows(bytes);
                    assert!(fair, "{requests} {window} {max_message} {bytes}");
                    here.accepted(5, bytes);
                    here.spend(bytes);
                    here.cast_left(5, bytes);
                    assert!(there.take(bytes));
                    end(&mut there, bytes);
                    if there.is_due() {
                        for frame in told(&mut there) {
                            here.returned(Reader::new(&frame)).unwrap();
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn credit_is_gathered_while_the_peer_has_plenty() {
        let mut side = granted(100, 100, 10);
        for _ in 0..49 {
            assert!(side.take(1));
            end(&mut side, 1);
            assert!(!side.is_due());
        }
        assert!(side.take(1));
        end(&mut side, 1);
        assert!(side.is_due());
        assert_eq!(told(&mut side), [[1, 50]]);
    }

    #[test]
    fn credit_names_its_casts_in_runs_and_nothing_comes_back_twice() {
        let (mut there, mut here) = (
            granted(2000, 1 << 20, 10),
            Allowance::new(amount(2000, 100)),
        );
        for number in 1..=2000 {
            assert_eq!(there.next_cast(), number);
            here.accepted(7, 0);
            here.spend(0);
            here.cast_left(7, 0);
        }
        assert!(!here.allows(0));
        // Every second one: runs of one each, in several frames.
        for number in (1..=2000).rev().step_by(2) {
            there.refused_cast(number, 0);
        }
        let frames = told(&mut there);
        assert_eq!(frames.len(), 2);
        for frame in &frames {
            assert!(here.returned(Reader::new(frame)).is_ok());
        }
        assert_eq!(here.left, amount(1000, 100));
        assert!(here.returned(Reader::new(&frames[0])).is_err(), "twice");
        assert!(here.returned(Reader::new(&[1, 1])).is_ok());
        assert!(here.returned(Reader::new(&[1, 1])).is_err());
    }

    #[test]
    fn more_than_was_used_cannot_come_back() {
        let mut side = Allowance::new(amount(2, 10));
        assert!(side.allows(10) && !side.allows(11));
        side.accepted(1, 4);
        side.spend(4);
        side.cast_left(1, 4);
        for wrong in [&[2, 1][..], &[1, 2], &[0, 1], &[1, 0], &[1], &[]] {
            let mut copy = Allowance::new(amount(2, 10));
            copy.accepted(1, 4);
            copy.spend(4);
            copy.cast_left(1, 4);
            assert!(copy.returned(Reader::new(wrong)).is_err(), "{wrong:?}");
        }
        assert!(side.returned(Reader::new(&[1, 1])).is_ok() && side.allows(10));
    }

    /// As many as the shares allow, each of `bytes`.
    fn fill(side: &mut Allowance, way: u64, bytes: usize) -> u32 {
        let mut taken = 0;
        while side.is_fair(way, bytes, Amount::default()) && side.allows(bytes) {
            side.accepted(way, bytes);
            side.spend(bytes);
            taken += 1;
        }
        taken
    }

    #[test]
    fn one_way_alone_leaves_a_quarter_and_each_further_one_a_quarter_of_that() {
        let mut side = Allowance::new(amount(1024, 1 << 25));
        let taken: Vec<u32> = (0..5).map(|way| fill(&mut side, way, 1)).collect();
        assert_eq!(taken, [768, 192, 48, 12, 3]);
        assert!(side.is_fair(9, 1, Amount::default()), "one more has room");
        for small in 1..4 {
            let mut side = Allowance::new(amount(small, 1 << 25));
            assert!(fill(&mut side, 0, 1) >= small.div_ceil(2), "{small}");
        }
    }

    #[test]
    fn bulk_leaves_bytes_for_what_is_small() {
        const MIB: usize = 1 << 20;
        let mut side = Allowance::new(amount(1024, 32 * MIB));
        assert_eq!(fill(&mut side, 0, 16 * MIB), 1, "of one way");
        assert_eq!(fill(&mut side, 1, 16 * MIB), 0, "of another");
        assert!(side.is_fair(2, 1000, Amount::default()));
        // One that takes the whole window goes when nothing else is on its way.
        let mut side = Allowance::new(amount(1024, 16 * MIB));
        assert_eq!(fill(&mut side, 0, 16 * MIB), 1);
    }

    #[test]
    fn what_waits_for_credit_has_taken_it() {
        let side = Allowance::new(amount(10, 1 << 25));
        assert!(side.is_fair(1, 1, amount(9, 0)));
        let mut side = side;
        for _ in 0..3 {
            side.accepted(1, 1);
        }
        assert!(!side.is_fair(1, 1, amount(9, 0)) && side.is_fair(1, 1, amount(8, 0)));
    }
}

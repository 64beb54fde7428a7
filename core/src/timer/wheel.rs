//! A hierarchical timing wheel over a slab: insert, remove and fire in constant time.
//!
//! Level 0 has 64 slots of one tick, each level above slots 64 times as wide. An entry lies in
//! the level of the highest digit (base 64) in which its tick differs from the wheel's, and moves
//! down when its slot comes up. A bit per slot tells which are in use, so the next tick with
//! anything to do is found without a scan, and an idle wheel needs no turning.

const LEVELS: usize = 6;
const SLOTS: usize = 64;
/// Entries farther away than this wait in the slot at this distance and are looked at again then.
const FARTHEST: u64 = 1 << (6 * LEVELS as u64 - 1);
/// The end of a list, and of the free list.
const NIL: u32 = u32::MAX;
/// A slab that grew past this many entries is given back when it has emptied.
const KEEP: usize = 1024;

/// Entries of type `T`, each at a tick.
pub(super) struct Wheel<T> {
    /// All that was due up to and including this tick has fired.
    now: u64,
    levels: [Level; LEVELS],
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
    /// Told apart by it: an entry that was removed, and the next one in its place.
    serial: u32,
}

/// Names one entry. A key that is out of date names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    serial: u32,
}

#[derive(Clone, Copy)]
struct Level {
    used: u64,
    heads: [u32; SLOTS],
}

struct Entry<T> {
    tick: u64,
    value: Option<T>,
    serial: u32,
    prev: u32,
    next: u32,
    level: u8,
    slot: u8,
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Wheel<T> {
        Wheel {
            now: 0,
            levels: [Level {
                used: 0,
                heads: [NIL; SLOTS],
            }; LEVELS],
            entries: Vec::new(),
            free: NIL,
            len: 0,
            serial: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry that fires when the wheel is turned to `tick`, or at its next turn when that
    /// is past. Says at which tick the wheel has to be turned for it. `None`: the slab is full, at
    /// four thousand million entries.
    pub(super) fn insert(&mut self, tick: u64, value: T) -> Option<(Key, u64)> {
        self.serial = self.serial.wrapping_add(1);
        let entry = Entry {
            tick: tick.max(self.now + 1),
            value: Some(value),
            serial: self.serial,
            prev: NIL,
            next: NIL,
            level: 0,
            slot: 0,
        };
        let index = match self.entries.get_mut(self.free as usize) {
            Some(place) => {
                let index = self.free;
                self.free = place.next;
                *place = entry;
                index
            }
            None => {
                let index = u32::try_from(self.entries.len())
                    .ok()
                    .filter(|i| *i != NIL)?;
                self.entries.push(entry);
                index
            }
        };
        self.len += 1;
        let turn = self.link(index);
        let serial = self.serial;
        Some((Key { index, serial }, turn))
    }

    /// Takes the entry out, if it is still there.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.serial != key.serial || entry.value.is_none() {
            return None;
        }
        self.unlink(key.index);
        self.release(key.index)
    }

    /// Turns the wheel to `now` and hands out all that is due by then.
    pub(super) fn turn(&mut self, now: u64, fired: &mut Vec<T>) {
        while let Some((level, slot, tick)) = self.upcoming() {
            if tick > now {
                break;
            }
            self.now = tick;
            let mut index = std::mem::replace(&mut self.levels[level].heads[slot], NIL);
            self.levels[level].used &= !(1 << slot);
            while index != NIL {
                let entry = &self.entries[index as usize];
                let next = entry.next;
                if entry.tick <= tick {
                    fired.extend(self.release(index));
                } else {
                    self.link(index);
                }
                index = next;
            }
        }
        self.now = self.now.max(now);
    }

    /// The tick at which the wheel has to be turned next: none of the entries fires before.
    pub(super) fn next(&self) -> Option<u64> {
        self.upcoming().map(|(_, _, tick)| tick)
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<T> {
        let all = self
            .entries
            .drain(..)
            .filter_map(|entry| entry.value)
            .collect();
        self.levels = [Level {
            used: 0,
            heads: [NIL; SLOTS],
        }; LEVELS];
        self.free = NIL;
        self.len = 0;
        all
    }

    /// The used slot that comes up first, and when. A lower level is always before a higher one.
    fn upcoming(&self) -> Option<(usize, usize, u64)> {
        for (level, Level { used, .. }) in self.levels.iter().enumerate() {
            if *used == 0 {
                continue;
            }
            let digit = 6 * level; // Shifts, not divisions.
            let here = (self.now >> digit) as usize % SLOTS;
            let ahead = used.rotate_right(here as u32).trailing_zeros() as usize;
            let slot = (here + ahead) % SLOTS;
            let mut tick = (self.now >> (digit + 6) << (digit + 6)) + ((slot as u64) << digit);
            if tick <= self.now {
                tick += 1 << (digit + 6); // In the next turn of this level.
            }
            return Some((level, slot, tick));
        }
        None
    }

    /// Puts an entry into its slot, and says when that comes up.
    fn link(&mut self, index: u32) -> u64 {
        let entry = &mut self.entries[index as usize];
        let tick = entry.tick.min(self.now + FARTHEST);
        // The digit in which the tick and now differ; equal ticks belong to level 0.
        let digit = (63 - ((tick ^ self.now) | 1).leading_zeros() as usize) / 6;
        let level = digit.min(LEVELS - 1);
        let slot = (tick >> (6 * level)) as usize % SLOTS;
        let Level { used, heads } = &mut self.levels[level];
        let head = std::mem::replace(&mut heads[slot], index);
        *used |= 1 << slot;
        entry.level = level as u8;
        entry.slot = slot as u8;
        entry.prev = NIL;
        entry.next = head;
        if let Some(head) = self.entries.get_mut(head as usize) {
            head.prev = index;
        }
        tick >> (6 * level) << (6 * level)
    }

    fn unlink(&mut self, index: u32) {
        let Entry {
            prev,
            next,
            level,
            slot,
            ..
        } = self.entries[index as usize];
        match self.entries.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => {
                let Level { used, heads } = &mut self.levels[level as usize];
                heads[slot as usize] = next;
                if next == NIL {
                    *used &= !(1 << slot);
                }
            }
        }
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.prev = prev;
        }
    }

    /// Frees the place of an entry that is in no list.
    fn release(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        let value = entry.value.take();
        entry.next = std::mem::replace(&mut self.free, index);
        self.len -= 1;
        value
    }

    /// Gives the memory of a storm back. Called where no list of entries is being walked.
    pub(super) fn shrink(&mut self) {
        if self.len == 0 && self.entries.capacity() > KEEP {
            self.entries = Vec::new();
            self.free = NIL;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that a failure can be repeated.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, below: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % below
        }
    }

    #[test]
    fn it_fires_what_a_sorted_list_would_fire() {
        for seed in 1..200 {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed));
            let mut wheel = Wheel::new();
            let mut model: Vec<(u64, u64, Key)> = Vec::new();
            let (mut now, mut fired) = (0, Vec::new());
            for n in 0..300 {
                match dice.roll(4) {
                    0 | 1 => {
                        let reach = 1 << dice.roll(40);
                        let tick = now + 1 + dice.roll(reach);
                        let (key, turn) = wheel.insert(tick, n).unwrap();
                        assert!(now < turn && turn <= tick, "seed {seed}");
                        assert!(wheel.next() <= Some(turn), "seed {seed}");
                        model.push((tick, n, key));
                    }
                    2 if !model.is_empty() => {
                        let at = dice.roll(model.len() as u64) as usize;
                        let (_, value, key) = model.swap_remove(at);
                        assert_eq!(wheel.remove(key), Some(value));
                        assert_eq!(wheel.remove(key), None);
                    }
                    _ => {
                        let reach = 1 << dice.roll(38);
                        now += dice.roll(reach);
                        wheel.turn(now, &mut fired);
                        let due = |tick: u64| tick <= now;
                        let mut expected: Vec<u64> =
                            model.iter().filter(|e| due(e.0)).map(|e| e.1).collect();
                        model.retain(|e| !due(e.0));
                        expected.sort_unstable();
                        fired.sort_unstable();
                        assert_eq!(fired, expected, "seed {seed}");
                        fired.clear();
                    }
                }
                assert_eq!(wheel.len(), model.len());
                let first = model.iter().map(|e| e.0).min();
                assert!(wheel.next() <= first, "seed {seed}: it would wake too late");
                assert_eq!(wheel.next().is_some(), first.is_some());
            }
        }
    }

    #[test]
    fn a_distant_entry_wakes_the_wheel_a_few_times_only() {
        let mut wheel = Wheel::new();
        wheel.turn(123_456, &mut Vec::new());
        wheel.insert(123_456 + 3_600_000, ()).unwrap();
        let (mut turns, mut fired) = (0, Vec::new());
        while let Some(tick) = wheel.next() {
            wheel.turn(tick, &mut fired);
            turns += 1;
        }
        assert_eq!(fired.len(), 1);
        assert!(turns <= LEVELS, "{turns} turns");
    }

    #[test]
    fn the_memory_of_a_storm_is_given_back() {
        let mut wheel = Wheel::new();
        let keys: Vec<Key> = (0..100_000)
            .map(|n| wheel.insert(n, n).unwrap().0)
            .collect();
        for key in keys {
            assert!(wheel.remove(key).is_some());
        }
        wheel.shrink();
        assert_eq!((wheel.len(), wheel.entries.capacity()), (0, 0));
    }
}

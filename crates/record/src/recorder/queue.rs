//! The queue of things to be written.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// The most items that wait. Beyond it who records waits too, so that no number is lost.
const MOST: usize = 1 << 16;
/// The most large items of a sort that wait, beside the most bytes of them. Beyond it the oldest
/// are dropped. A small network does a thousand steps while the page's first picture is made, and
/// 128 of its recordings are some 10 MB.
const MOST_LARGE: usize = 128;
const MOST_BYTES: usize = 64 << 20;

/// A thing that waits in the queue. Small things are all written, and of the large ones of a sort
/// the newest.
pub trait Queued {
    /// The sort of a large thing and the bytes that it takes; none of a small one.
    fn large(&self) -> Option<(u8, usize)>;
}

/// A queue from the training threads to the writer's.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something came, or the end.
    filled: Condvar,
    /// Something was taken, or nobody will.
    emptied: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// Large things that were dropped.
    dropped: u64,
    /// Nothing more will come.
    is_ended: bool,
    /// Nobody takes any more.
    is_abandoned: bool,
}

impl<T: Queued> State<T> {
    /// Drops the oldest large things of a sort, so that one of so many bytes may wait too.
    fn make_room(&mut self, sort: u8, bytes: usize) {
        let of_sort = |item: &T| item.large().filter(|(other, _)| *other == sort);
        let mut sizes: VecDeque<usize> =
            self.items.iter().filter_map(of_sort).map(|(_, bytes)| bytes).collect();
        while !sizes.is_empty()
            && (sizes.len() >= MOST_LARGE || sizes.iter().sum::<usize>() + bytes > MOST_BYTES)
        {
            sizes.pop_front();
            if let Some(oldest) = self.items.iter().position(|item| of_sort(item).is_some()) {
                self.items.remove(oldest);
                self.dropped += 1;
            }
        }
    }
}

impl<T: Queued> Queue<T> {
    pub fn new() -> Self {
        let state =
            State { items: VecDeque::new(), dropped: 0, is_ended: false, is_abandoned: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Adds something, and waits while too much waits. After the end, or where nobody takes, it is
    /// dropped.
    pub fn push(&self, item: T) {
        let mut state = self.lock();
        while state.items.len() >= MOST && !state.is_abandoned {
            self.emptied.wait(&mut state);
        }
        if state.is_abandoned || state.is_ended {
            return;
        }
        if let Some((sort, bytes)) = item.large() {
            state.make_room(sort, bytes);
        }
        state.items.push_back(item);
        drop(state);
        self.filled.notify_one();
    }

    /// Everything that waits, once there is something or time is up. None at the end.
    pub fn take(&self, timeout: Duration) -> Option<VecDeque<T>> {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        while state.items.is_empty() && !state.is_ended {
            let Some(rest) = until.checked_duration_since(Instant::now()) else { break };
            self.filled.wait_for(&mut state, rest);
        }
        if state.items.is_empty() && state.is_ended {
            return None;
        }
        let items = std::mem::take(&mut state.items);
        drop(state);
        self.emptied.notify_all();
        Some(items)
    }

    /// Ends the queue: nothing more will come.
    pub fn end(&self) {
        self.lock().is_ended = true;
        self.filled.notify_all();
    }

    /// Nobody will take any more.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.is_abandoned = true;
        state.items.clear();
        drop(state);
        self.emptied.notify_all();
    }

    /// The number of large items that were dropped.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Item {
        Small(usize),
        Large(u8, usize, usize),
    }

    impl Queued for Item {
        fn large(&self) -> Option<(u8, usize)> {
            match self {
                Item::Small(_) => None,
                Item::Large(sort, _, bytes) => Some((*sort, *bytes)),
            }
        }
    }

    #[test]
    fn of_large_things_the_newest_wait_and_of_small_ones_all() {
        let queue = Queue::new();
        const COUNT: usize = MOST_LARGE + 12;
        for number in 0..COUNT {
            queue.push(Item::Small(number));
            // Of one sort many that are small, of the other few that are not.
            queue.push(Item::Large(0, number, 1));
            queue.push(Item::Large(1, number, MOST_BYTES / 2));
        }
        queue.end();
        let items = queue.take(Duration::ZERO).unwrap();
        assert_eq!(queue.take(Duration::ZERO), None);
        let left = |sort: Option<u8>| -> Vec<usize> {
            let items = items.iter().filter(|item| item.large().map(|(sort, _)| sort) == sort);
            let numbers = items.map(|item| match item {
                Item::Small(number) | Item::Large(_, number, _) => *number,
            });
            numbers.collect()
        };
        assert_eq!(left(None), (0..COUNT).collect::<Vec<_>>());
        assert_eq!(left(Some(0)), (12..COUNT).collect::<Vec<_>>());
        assert_eq!(left(Some(1)), [COUNT - 2, COUNT - 1]);
        assert_eq!(queue.dropped() as usize, 12 + COUNT - 2);
    }

    #[test]
    fn who_records_waits_where_too_much_waits_and_nothing_small_is_lost() {
        let queue = Queue::new();
        let count = 3 * MOST;
        let taken = std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..count {
                    queue.push(Item::Small(number));
                }
                queue.end();
            });
            let mut taken = Vec::new();
            while let Some(items) = queue.take(Duration::from_millis(1)) {
                assert!(items.len() <= MOST);
                taken.extend(items);
            }
            taken
        });
        assert!(taken.into_iter().eq((0..count).map(Item::Small)));
    }

    #[test]
    fn nobody_waits_for_a_writer_that_is_gone() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..2 * MOST {
                    queue.push(Item::Small(number));
                }
            });
            std::thread::sleep(Duration::from_millis(5));
            queue.abandon();
        });
    }
}

//! What waits to be written.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So much may wait; then who records waits too, so that no number is lost.
const MOST: usize = 1 << 16;
/// So many bytes of large things of a sort may wait; then the oldest of them are dropped.
const MOST_BYTES: usize = 64 << 20;

/// What can wait: small things are all written, of the large ones of a sort the newest.
pub trait Waiting {
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

impl<T: Waiting> Queue<T> {
    pub fn new() -> Self {
        let state =
            State { items: VecDeque::new(), dropped: 0, is_ended: false, is_abandoned: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something, and waits while too much waits. After the end, or where nobody takes, it is dropped.
    pub fn push(&self, item: T) {
        let mut state = self.lock();
        while state.items.len() >= MOST && !state.is_abandoned {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_abandoned || state.is_ended {
            return;
        }
        if let Some((sort, mut bytes)) = item.large() {
            let of_sort = |item: &T| item.large().filter(|(other, _)| *other == sort);
            bytes += state.items.iter().filter_map(of_sort).map(|(_, bytes)| bytes).sum::<usize>();
            while bytes > MOST_BYTES
                && let Some(oldest) = state.items.iter().position(|item| of_sort(item).is_some())
            {
                let dropped = state.items.remove(oldest);
                bytes -= dropped.and_then(|item| of_sort(&item)).map_or(0, |(_, bytes)| bytes);
                state.dropped += 1;
            }
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
            let waited = self.filled.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.items.is_empty() && state.is_ended {
            return None;
        }
        let items = std::mem::take(&mut state.items);
        drop(state);
        self.emptied.notify_all();
        Some(items)
    }

    /// Nothing more will come.
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

    /// How many large things were dropped.
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
        Large(u8, usize),
    }

    impl Waiting for Item {
        fn large(&self) -> Option<(u8, usize)> {
            match self {
                Item::Small(_) => None,
                Item::Large(sort, _) => Some((*sort, MOST_BYTES / 4)),
            }
        }
    }

    #[test]
    fn of_large_things_the_newest_wait_and_of_small_ones_all() {
        let queue = Queue::new();
        for number in 0..10 {
            queue.push(Item::Small(number));
            queue.push(Item::Large(0, number));
        }
        queue.push(Item::Large(1, 0));
        queue.end();
        let items = queue.take(Duration::ZERO).unwrap();
        assert_eq!(queue.take(Duration::ZERO), None);
        assert_eq!(items.iter().filter(|item| item.large().is_none()).count(), 10);
        let large: Vec<&Item> = items.iter().filter(|item| item.large().is_some()).collect();
        let expected = [
            Item::Large(0, 6),
            Item::Large(0, 7),
            Item::Large(0, 8),
            Item::Large(0, 9),
            Item::Large(1, 0),
        ];
        assert_eq!(large, expected.iter().collect::<Vec<_>>());
        assert_eq!(queue.dropped(), 6);
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

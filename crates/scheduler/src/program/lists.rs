//! Many short lists in few allocations.

/// Lists in one allocation: number `i` is `items[starts[i]..starts[i + 1]]`.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T> Lists<T> {
    pub fn new() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }

    /// Appends one list.
    pub fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.items.extend(list);
        self.starts.push(self.items.len());
    }

    pub fn get(&self, index: usize) -> &[T] {
        &self.items[self.starts[index]..self.starts[index + 1]]
    }

    /// The number of lists.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.starts.capacity() * size_of::<usize>() + self.items.capacity() * size_of::<T>()
    }
}

impl<T: Copy + Default> Lists<T> {
    /// `count` lists from pairs of a list's number and an item, items in the order of the pairs.
    /// The pairs are walked twice.
    pub fn from_pairs(count: usize, pairs: impl Iterator<Item = (usize, T)> + Clone) -> Self {
        let mut starts = vec![0; count + 1];
        for (list, _) in pairs.clone() {
            starts[list + 1] += 1;
        }
        for list in 0..count {
            starts[list + 1] += starts[list];
        }
        let mut items = vec![T::default(); starts[count]];
        let mut next = starts.clone();
        for (list, item) in pairs {
            items[next[list]] = item;
            next[list] += 1;
        }
        Self { starts, items }
    }

    /// Sorts every list, stably, by a key, smallest first.
    pub fn sort_each_by(&mut self, mut order: impl FnMut(&T, &T) -> std::cmp::Ordering) {
        for list in 0..self.len() {
            self.items[self.starts[list]..self.starts[list + 1]].sort_by(&mut order);
        }
    }
}

/// A list in a [`ListPool`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListRange {
    start: u32,
    end: u32,
}

/// The items of lists that are found without a look-up, by a [`ListRange`] that stands where the
/// list belongs.
#[derive(Debug)]
pub(crate) struct ListPool<T>(Vec<T>);

impl<T> Default for ListPool<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> ListPool<T> {
    /// Appends a list, or returns `None` where 32 bits no longer count the items.
    pub fn push(&mut self, list: impl ExactSizeIterator<Item = T>) -> Option<ListRange> {
        let start = u32::try_from(self.0.len()).ok()?;
        let end = start.checked_add(u32::try_from(list.len()).ok()?)?;
        self.0.extend(list);
        Some(ListRange { start, end })
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<T>()
    }

    #[inline]
    pub fn get(&self, ListRange { start, end }: ListRange) -> &[T] {
        &self.0[start as usize..end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_gathered_in_their_order() {
        let pairs = [(2, 'a'), (0, 'b'), (2, 'c')];
        let mut lists = Lists::from_pairs(4, pairs.into_iter());
        assert_eq!(lists.get(0), ['b']);
        assert!(lists.get(1).is_empty());
        assert_eq!(lists.get(2), ['a', 'c']);
        lists.sort_each_by(|x, y| y.cmp(x));
        assert_eq!(lists.get(2), ['c', 'a']);
        lists.push(['d']);
        assert_eq!((lists.len(), lists.get(4)), (5, &['d'][..]));
    }

    #[test]
    fn a_slice_finds_its_list() {
        let mut pool = ListPool::default();
        let [first, none, second] = ["ab", "", "c"].map(|list| pool.push(list.bytes()).unwrap());
        assert_eq!(
            (pool.get(first), pool.get(none), pool.get(second)),
            (&b"ab"[..], &b""[..], &b"c"[..])
        );
    }
}

//! Places for large temporaries, all of them in view.

/// A buffer and the tasks between which it is alive, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub first: u32,
    pub last: u32,
    /// Above zero, and a multiple of the alignment.
    pub size: usize,
}

/// Places buffers so that no two that are alive at one time share a byte. Returns the offset of
/// each, and the end of all. The largest is placed first, each at the lowest place that is free as
/// long as it lives. `None` where that outgrows the address space.
///
/// Takes time in the square of their number.
pub(crate) fn pack(buffers: &[Lifetime]) -> Option<(Vec<usize>, usize)> {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(buffers[index].size), buffers[index].first));
    let mut offsets = vec![0; buffers.len()];
    // Those that have a place, by where it starts.
    let mut placed: Vec<(usize, usize)> = Vec::with_capacity(buffers.len());
    let mut end = 0;
    for index in order {
        let Lifetime { first, last, size } = buffers[index];
        let mut offset = 0usize;
        for &(start, other) in &placed {
            let neighbour = buffers[other];
            if neighbour.last < first || last < neighbour.first {
                continue;
            }
            if offset.checked_add(size)? <= start {
                break;
            }
            offset = offset.max(start + neighbour.size);
        }
        end = end.max(offset.checked_add(size)?);
        offsets[index] = offset;
        let at = placed.partition_point(|&(start, _)| start <= offset);
        placed.insert(at, (offset, index));
    }
    Some((offsets, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buffers_of_other_times_share_a_place() {
        let lifetimes = [(0, 1, 256), (1, 2, 128), (2, 3, 192), (3, 4, 64)];
        let lifetimes = lifetimes.map(|(first, last, size)| Lifetime { first, last, size });
        let (offsets, end) = pack(&lifetimes).unwrap();
        assert_eq!((&offsets[..], end), (&[0, 256, 0, 192][..], 384));
    }

    #[test]
    fn what_outgrows_the_address_space_is_refused() {
        let huge = Lifetime { first: 0, last: 1, size: usize::MAX / 2 + 1 };
        assert!(pack(&[huge, huge]).is_none());
        assert!(pack(&[]).is_some());
    }

    proptest! {
        #[test]
        fn buffers_alive_at_one_time_never_overlap(
            steps in prop::collection::vec((0u32..60, 0u32..20, 1usize..50), 1..80)
        ) {
            let lifetimes: Vec<Lifetime> = steps
                .iter()
                .map(|&(first, more, size)| Lifetime { first, last: first + more, size: size * 64 })
                .collect();
            let (offsets, end) = pack(&lifetimes).unwrap();
            let bound = (0..80)
                .map(|task| {
                    let alive = lifetimes.iter().filter(|life| life.first <= task && task <= life.last);
                    alive.map(|life| life.size).sum::<usize>()
                })
                .max()
                .unwrap();
            prop_assert!(bound <= end && end <= 2 * bound, "{end} for {bound}");
            for (i, a) in lifetimes.iter().enumerate() {
                prop_assert!(offsets[i] + a.size <= end);
                for (j, b) in lifetimes.iter().enumerate().skip(i + 1) {
                    let apart = a.last < b.first || b.last < a.first;
                    let disjoint = offsets[i] + a.size <= offsets[j] || offsets[j] + b.size <= offsets[i];
                    prop_assert!(apart || disjoint, "{i} and {j}");
                }
            }
        }
    }
}

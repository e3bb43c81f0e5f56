//! Sizes of batches for which there are plans.

/// The most rows of a batch. A request of more is computed in pieces.
pub(crate) const LARGEST_BATCH: usize = 1024;

/// The number of rows with which so many are computed: the next power of two, or one and a half
/// times one, so that a dozen plans serve all sizes and at most a third of what is computed is
/// thrown away. `most` is a size too.
pub(crate) fn planned(rows: usize, most: usize) -> usize {
    let power = rows.next_power_of_two();
    let between = power / 4 * 3;
    let size = if power >= 4 && rows <= between { between } else { power };
    size.min(most.max(1)).max(rows)
}

/// All of these sizes, up to `most`.
pub(crate) fn planned_sizes(most: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut rows = 1;
    while rows <= most {
        let size = planned(rows, most);
        sizes.push(size);
        rows = size + 1;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_sizes_serve_all() {
        assert_eq!(planned_sizes(64), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]);
        assert_eq!(planned_sizes(20), [1, 2, 3, 4, 6, 8, 12, 16, 20]);
        assert_eq!(planned_sizes(1), [1]);
        for most in 1..200 {
            let sizes = planned_sizes(most);
            for rows in 1..=most {
                let size = planned(rows, most);
                assert!(size >= rows && size <= most && sizes.contains(&size), "{rows} {most}");
                assert!(size * 2 <= rows * 3, "{rows} {size}");
            }
        }
    }
}

//! "Did you mean": the nearest of the names there are.

/// Longer names are not compared: nobody mistypes those.
const LONGEST: usize = 64;

/// The candidate that takes the fewest edits to reach from `name`, if a third of its letters is
/// enough.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let mut limit = (name.len() / 3).max(1) + 1;
    let mut best = None;
    for candidate in candidates {
        if candidate.len() <= LONGEST && candidate.len().abs_diff(name.len()) < limit {
            let distance = distance(name.as_bytes(), candidate.as_bytes());
            if distance < limit {
                limit = distance;
                best = Some(candidate);
            }
        }
    }
    best
}

/// The name that was meant: one that ends in the same part behind its scopes, or else the nearest.
pub fn near<'a, I: IntoIterator<Item = &'a str>>(
    name: &str,
    candidates: impl Fn() -> I,
) -> Option<&'a str> {
    let last = |name: &'a str| name.rsplit('/').next();
    let wanted = name.rsplit('/').next();
    let mut ends = candidates().into_iter();
    ends.find(|&candidate| last(candidate) == wanted).or_else(|| nearest(name, candidates()))
}

/// Levenshtein's distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, y) in row.iter_mut().skip(1).zip(b) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *slot;
            left = cost.min(*slot + 1).min(left + 1);
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_unless_all_are_far() {
        let names = ["matmul", "relu", "reduce_sum"];
        assert_eq!(nearest("matmull", names), Some("matmul"));
        assert_eq!(nearest("rlu", names), Some("relu"));
        assert_eq!(nearest("reduce_summ", names), Some("reduce_sum"));
        assert_eq!(nearest("softmax", names), None);
        assert_eq!(nearest("", names), None);
    }
}

//! "Did you mean": the nearest of the names there are.

use strsim::levenshtein;

/// The longest name that is compared, in bytes: nobody mistypes longer ones.
const LONGEST: usize = 64;

/// The candidate that takes the fewest edits to reach from `name`, by Levenshtein's distance; the
/// first of several. None if more than a third of the letters of `name`, and more than one, would
/// have to change.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let letters = name.chars().count();
    let mut limit = (letters / 3).max(1) + 1;
    let mut best = None;
    for candidate in candidates {
        // The lengths alone tell of most candidates that they are too far.
        if candidate.len() <= LONGEST && candidate.chars().count().abs_diff(letters) < limit {
            let distance = levenshtein(name, candidate);
            if distance < limit {
                limit = distance;
                best = Some(candidate);
            }
        }
    }
    best
}

/// The candidate whose last part, behind the last `/`, is that of `name`, or else the
/// [`nearest`] one.
pub fn near<'a, I: IntoIterator<Item = &'a str>>(
    name: &str,
    candidates: impl Fn() -> I,
) -> Option<&'a str> {
    let last = |name: &'a str| name.rsplit('/').next();
    let wanted = name.rsplit('/').next();
    let mut ends = candidates().into_iter();
    ends.find(|&candidate| last(candidate) == wanted).or_else(|| nearest(name, candidates()))
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

    #[test]
    fn a_letter_is_one_edit_however_many_bytes_it_has() {
        assert_eq!(nearest("né", ["ne"]), Some("ne"));
    }
}

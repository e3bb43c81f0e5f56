//! Quantities as text for people: counts, bytes and floating-point operations.
//!
//! Units are powers of a thousand. A number below 100 in a unit larger than the smallest has one
//! decimal: `3.1 MB`, `314 kB`, `84 B`.

/// Formats a count with its digits in groups of three: `12,345,678`.
///
/// ```
/// assert_eq!(abeyance_session::quantity::count(12_345_678), "12,345,678");
/// ```
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of things, whose name takes an `s` unless there is one of them: `1 task`,
/// `6 tasks`.
///
/// ```
/// assert_eq!(abeyance_session::quantity::plural(6, "task"), "6 tasks");
/// ```
pub fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// Formats a number of bytes: `7.9 MB`.
///
/// ```
/// assert_eq!(abeyance_session::quantity::bytes(7_900_000.0), "7.9 MB");
/// ```
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, "B", &["kB", "MB", "GB", "TB"])
}

/// Formats a number of floating-point operations: `5.6 GFLOP`.
///
/// ```
/// assert_eq!(abeyance_session::quantity::flops(5.6e9), "5.6 GFLOP");
/// ```
pub fn flops(flops: f64) -> String {
    scaled(flops, "FLOP", &["kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

/// Formats a value in the largest unit of which it has at least one, as rounded.
fn scaled(mut value: f64, unit: &str, larger: &[&str]) -> String {
    let mut named = unit;
    for next in larger {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        named = next;
    }
    let has_decimal = named != unit && value < 99.5;
    let decimals = usize::from(has_decimal);
    format!("{value:.decimals$} {named}")
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, flops, plural};

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(123_456), "123,456");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn units_are_powers_of_a_thousand() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(999.6), "1.0 kB");
        assert_eq!(bytes(3_136_000.0), "3.1 MB");
        assert_eq!(bytes(313_600.0), "314 kB");
        assert_eq!(flops(5.6e9), "5.6 GFLOP");
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!(plural(0, "run"), "0 runs");
        assert_eq!(plural(1, "run"), "1 run");
        assert_eq!(plural(2, "run"), "2 runs");
    }
}

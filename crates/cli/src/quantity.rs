//! Quantities as text for people: counts, bytes and floating-point operations.
//!
//! Units are powers of a thousand. A number below 100 has one decimal: `3.1 MB`, `314 kB`.

use indicatif::HumanCount;

/// Shows a count with its digits in groups of three: `12,345,678`.
pub fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Shows a number of bytes: `7.9 MB`.
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, "B", &["kB", "MB", "GB", "TB"])
}

/// Shows a number of floating-point operations: `5.6 GFLOP`.
pub fn flops(flops: f64) -> String {
    scaled(flops, "FLOP", &["kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

/// Shows a value in the largest unit of which it has at least one, as rounded.
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
    use super::{bytes, count, flops};

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
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
}

//! Percentile bands: how a variable's values are spread.

use crate::proto::{HistogramProto, TensorProto};

/// The percentiles of a band plot: the median, and one, one and a half and more standard deviations
/// to both sides if the values were normally distributed. Those of TensorBoard's distributions and
/// of the talk's pictures.
pub const PERCENTILES: [u8; 9] = [0, 7, 16, 31, 50, 69, 84, 93, 100];

/// The values at the [`PERCENTILES`].
pub type Band = [f32; PERCENTILES.len()];

/// The exact shares of the percentiles' names, as TensorBoard has them: 7 stands for 6.68 %, and so
/// on.
const SHARES: [f64; 9] = [0.0, 0.0668, 0.1587, 0.3085, 0.5, 0.6915, 0.8413, 0.9332, 1.0];

/// Estimates the band of a histogram, as if values were spread evenly within a bucket. `None` where
/// there are no values, or where the buckets are none.
pub(crate) fn estimate(buckets: &[(f64, f64, f64)]) -> Option<Band> {
    let is_sound = |&(left, right, count): &(f64, f64, f64)| {
        left.is_finite() && right.is_finite() && count.is_finite() && count >= 0.0
    };
    if !buckets.iter().all(is_sound) {
        return None;
    }
    let total: f64 = buckets.iter().map(|(.., count)| count).sum();
    let filled = || buckets.iter().filter(|(.., count)| *count > 0.0);
    let greatest = filled().next_back()?.1;
    let mut band = [0.0; 9];
    for (value, share) in band.iter_mut().zip(SHARES) {
        let wanted = total * share;
        let mut before = 0.0;
        let mut found = greatest;
        for &(left, right, count) in filled() {
            if before + count >= wanted {
                let part = ((wanted - before) / count).clamp(0.0, 1.0);
                found = left + (right - left) * part;
                break;
            }
            before += count;
        }
        *value = found as f32;
    }
    Some(band)
}

/// The buckets of a histogram's tensor: `[k, 3]` of left edges, right edges and counts.
pub(crate) fn of_tensor(tensor: &TensorProto) -> Option<Vec<(f64, f64, f64)>> {
    match tensor.dims()?.as_slice() {
        [_, 3] => {}
        _ => return None,
    }
    let numbers = tensor.numbers()?;
    let (rows, _) = numbers.as_chunks::<3>();
    Some(rows.iter().map(|&[left, right, count]| (left, right, count)).collect())
}

/// The buckets of a histogram of the old form, whose outermost edges may be far away: they are
/// drawn in to the least and greatest value.
pub(crate) fn of_histogram(histogram: &HistogramProto) -> Vec<(f64, f64, f64)> {
    let mut left = histogram.min;
    let rows = histogram.bucket_limit.iter().zip(&histogram.bucket);
    rows.map(|(&limit, &count)| {
        let begin = left.clamp(histogram.min.min(histogram.max), histogram.max.max(histogram.min));
        let end = limit.clamp(begin, histogram.max.max(begin));
        left = limit;
        (begin, end, count)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_histogram_has_an_even_band() {
        let buckets: Vec<_> =
            (0..10).map(|index| (index as f64, index as f64 + 1.0, 5.0)).collect();
        let band = estimate(&buckets).unwrap();
        assert_eq!((band[0], band[4], band[8]), (0.0, 5.0, 10.0));
        assert!((band[2] - 1.587).abs() < 1e-5);
    }

    #[test]
    fn empty_buckets_and_edges_without_end_do_no_harm() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[(0.0, 1.0, 0.0)]), None);
        assert_eq!(estimate(&[(f64::NEG_INFINITY, 1.0, 1.0)]), None);
        let histogram = HistogramProto {
            min: -1.0,
            max: 2.0,
            num: 4.0,
            bucket_limit: vec![-5.0, 0.0, 1.0, f64::MAX],
            bucket: vec![0.0, 2.0, 1.0, 1.0],
            ..HistogramProto::default()
        };
        let band = estimate(&of_histogram(&histogram)).unwrap();
        assert_eq!((band[0], band[4], band[8]), (-1.0, 0.0, 2.0));
    }
}

//! Softmax and cross-entropies, stable at any logits.
//!
//! Those along the last axis take arrays `[rows, n]`, and a piece of a result of that shape begins
//! and ends with a row.

use crate::dispatch::vectorized;
use crate::element::{Element, Real};
use crate::launch::Failure;

/// Elements that are handled side by side.
const LANES: usize = 16;

/// The longest row that is handled together with others.
const SHORT: usize = 32;

/// At most [`LANES`] elements, filled up with -∞.
#[inline(always)]
fn padded<T: Real>(x: &[T]) -> [T; LANES] {
    let mut row = [T::LOWEST; LANES];
    for (r, &v) in row.iter_mut().zip(x) {
        *r = v;
    }
    row
}

/// All lanes combined, as a tree.
#[inline(always)]
fn fold<T: Real>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = combine(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Softmax of many short rows: each step over a block of them at once, so that the exponential runs
/// through whole vectors whatever the length of a row.
#[inline(always)]
fn short_rows<T: Real>(x: &[T], n: usize, out: &mut [T]) {
    /// Elements of a block, which stays in a first-level cache.
    const BLOCK: usize = 2048;
    let block = (BLOCK / n).max(1) * n;
    for (x, out) in x.chunks(block).zip(out.chunks_mut(block)) {
        for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            let max = x.iter().fold(T::LOWEST, |max, &v| max.greatest(v));
            for (o, &v) in out.iter_mut().zip(x) {
                *o = v - max;
            }
        }
        for o in out.iter_mut() {
            *o = o.exp();
        }
        for out in out.chunks_exact_mut(n) {
            let total = out.iter().fold(T::ZERO, |total, &v| total + v);
            for o in out {
                *o = *o / total;
            }
        }
    }
}

/// The largest of a row, NaN if there is one, -∞ of nothing.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = padded(rest);
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = lane.greatest(v);
        }
    }
    fold(lanes, T::greatest)
}

/// The sum over a row of `term` of its elements, in a fixed order.
#[inline(always)]
fn sum<T: Real>(x: &[T], term: impl Fn(T) -> T) -> T {
    sum_pairs(
        x,
        x,
        #[inline(always)]
        |v, _| term(v),
    )
}

/// The sum over two rows of one length of `term` of their elements, in a fixed order: side by side
/// in lanes, in blocks that are added as a tree, so that the error does not grow with the length.
#[inline(always)]
fn sum_pairs<T: Real>(x: &[T], y: &[T], term: impl Fn(T, T) -> T) -> T {
    /// Elements of a block.
    const BLOCK: usize = 64 * LANES;
    if x.len() <= BLOCK {
        return fold(lanes_of(x, y, &term), |a, b| a + b);
    }
    // Level i holds the sum of 2ⁱ blocks.
    let mut levels = [[T::ZERO; LANES]; 48];
    let mut count = 0usize;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        let mut lanes = lanes_of(x, y, &term);
        let full = count.trailing_ones() as usize;
        for level in &levels[..full] {
            add_lanes(&mut lanes, level);
        }
        levels[full] = lanes;
        count += 1;
    }
    let mut total = [T::ZERO; LANES];
    while count > 0 {
        add_lanes(&mut total, &levels[count.trailing_zeros() as usize]);
        count &= count - 1;
    }
    fold(total, |a, b| a + b)
}

#[inline(always)]
fn add_lanes<T: Real>(lanes: &mut [T; LANES], more: &[T; LANES]) {
    for (lane, &v) in lanes.iter_mut().zip(more) {
        *lane = *lane + v;
    }
}

/// The sums of every sixteenth `term`.
#[inline(always)]
fn lanes_of<T: Real>(x: &[T], y: &[T], term: &impl Fn(T, T) -> T) -> [T; LANES] {
    let ((chunks, rest), (partners, partners_rest)) =
        (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let mut lanes = [T::ZERO; LANES];
    for (chunk, partner) in chunks.iter().zip(partners) {
        for ((lane, &v), &w) in lanes.iter_mut().zip(chunk).zip(partner) {
            *lane = *lane + term(v, w);
        }
    }
    if !rest.is_empty() {
        // A vector of its own for what is left over, so that an expensive `term` is computed for
        // all of it at once.
        let (mut last, partner) = (padded(rest), padded(partners_rest));
        for (v, &w) in last.iter_mut().zip(&partner) {
            *v = term(*v, w);
        }
        for v in &mut last[rest.len()..] {
            *v = T::ZERO;
        }
        add_lanes(&mut lanes, &last);
    }
    lanes
}

/// max and ln ∑ e^(x - max): their sum is the row's log-sum-exp, kept apart since the sum rounds.
#[inline(always)]
fn log_sum_exp<T: Real>(x: &[T]) -> (T, T) {
    let max = largest(x);
    let total = sum(
        x,
        #[inline(always)]
        |v| (v - max).exp(),
    );
    (max, total.ln())
}

/// `f` of the number of each row of `x`, the row, and its [`log_sum_exp`]. Short rows are taken in
/// blocks, as by [`short_rows`].
#[inline(always)]
fn for_each_log_sum<T: Real>(x: &[T], n: usize, mut f: impl FnMut(usize, &[T], T, T)) {
    /// Elements of a block.
    const BLOCK: usize = 512;
    if n > SHORT {
        for (i, row) in x.chunks_exact(n).enumerate() {
            let (max, log_total) = log_sum_exp(row);
            f(i, row, max, log_total);
        }
        return;
    }
    let rows = BLOCK / n;
    let (mut terms, mut maxima) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
    for (b, block) in x.chunks(rows * n).enumerate() {
        let terms = &mut terms[..block.len()];
        let lines = block.chunks_exact(n).zip(terms.chunks_exact_mut(n));
        for ((row, terms), maximum) in lines.zip(&mut maxima) {
            let max = row.iter().fold(T::LOWEST, |max, &v| max.greatest(v));
            for (t, &v) in terms.iter_mut().zip(row) {
                *t = v - max;
            }
            *maximum = max;
        }
        for t in terms.iter_mut() {
            *t = t.exp();
        }
        let lines = block.chunks_exact(n).zip(terms.chunks_exact(n)).zip(&maxima);
        for (i, ((row, terms), &max)) in lines.enumerate() {
            let total = terms.iter().fold(T::ZERO, |total, &v| total + v);
            f(b * rows + i, row, max, total.ln());
        }
    }
}

/// `out[i, j] = e^x[i, j] / ∑ₖ e^x[i, k]`.
pub fn softmax<T: Real>(x: &[T], n: usize, out: &mut [T], start: usize) {
    if n == 0 || out.is_empty() {
        return;
    }
    assert_eq!(start % n, 0, "a piece begins with a row");
    let x = &x[start..start + out.len()];
    vectorized(
        #[inline(always)]
        || {
            if n <= SHORT {
                return short_rows(x, n, out);
            }
            for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
                let max = largest(x);
                for (o, &v) in out.iter_mut().zip(x) {
                    *o = (v - max).exp();
                }
                let total = sum(
                    out,
                    #[inline(always)]
                    |v| v,
                );
                for o in out {
                    *o = *o / total;
                }
            }
        },
    );
}

/// `out[i, j] = x[i, j] - ln ∑ₖ e^x[i, k]`.
pub fn log_softmax<T: Real>(x: &[T], n: usize, out: &mut [T], start: usize) {
    if n == 0 || out.is_empty() {
        return;
    }
    assert_eq!(start % n, 0, "a piece begins with a row");
    let x = &x[start..start + out.len()];
    vectorized(
        #[inline(always)]
        || {
            for_each_log_sum(
                x,
                n,
                #[inline(always)]
                |i, row, max, log_total| {
                    for (o, &v) in out[i * n..(i + 1) * n].iter_mut().zip(row) {
                        *o = (v - max) - log_total;
                    }
                },
            );
        },
    );
}

/// The cross-entropy of each row of logits against a row of probabilities:
/// `loss[i] = ∑ⱼ labels[i, j] · (ln ∑ₖ e^x[i, k] - x[i, j])`, where labels of 0 add nothing,
/// whatever the logit.
///
/// `loss` is the piece from row `first` on. Without classes the loss is 0.
pub fn softmax_cross_entropy<T: Real>(
    x: &[T],
    labels: &[T],
    n: usize,
    loss: &mut [T],
    first: usize,
) {
    if n == 0 {
        loss.fill(T::ZERO);
        return;
    }
    let range = first * n..(first + loss.len()) * n;
    let (x, labels) = (&x[range.clone()], &labels[range]);
    vectorized(
        #[inline(always)]
        || {
            for_each_log_sum(
                x,
                n,
                #[inline(always)]
                |i, row, max, log_total| {
                    let labels = &labels[i * n..(i + 1) * n];
                    let term = |v: T, label: T| {
                        let term = label * (log_total - (v - max));
                        if label == T::ZERO { T::ZERO } else { term }
                    };
                    loss[i] = if n <= SHORT {
                        row.iter()
                            .zip(labels)
                            .fold(T::ZERO, |total, (&v, &label)| total + term(v, label))
                    } else {
                        sum_pairs(row, labels, term)
                    };
                },
            );
        },
    );
}

/// The cross-entropy of each row of logits against the number of its class:
/// `loss[i] = ln ∑ₖ e^x[i, k] - x[i, labels[i]]`. `loss` is the piece from row `first` on.
///
/// # Errors
/// If a label is not one of the `n` classes.
pub fn sparse_softmax_cross_entropy<T: Real, I: Element>(
    x: &[T],
    labels: &[I],
    n: usize,
    loss: &mut [T],
    first: usize,
) -> Result<(), Failure> {
    let rows = loss.len();
    let labels = &labels[first..first + rows];
    for (row, &label) in labels.iter().enumerate() {
        class(label, n, first + row)?;
    }
    let x = &x[first * n..(first + rows) * n];
    vectorized(
        #[inline(always)]
        || {
            // Every label is below n, so that n is not 0 if there is a row at all.
            for_each_log_sum(
                x,
                n.max(1),
                #[inline(always)]
                |i, row, max, log_total| {
                    loss[i] = log_total - (row[labels[i].cast::<i64>() as usize] - max);
                },
            );
        },
    );
    Ok(())
}

/// The gradient of [`sparse_softmax_cross_entropy`] with respect to the logits, times the loss's
/// own: `out[i, j] = g[i] · (softmax(x)[i, j] - (j == labels[i] ? 1 : 0))`. `out` is the piece from
/// element `start` on.
///
/// # Errors
/// If a label is not one of the `n` classes.
pub fn sparse_softmax_cross_entropy_gradient<T: Real, I: Element>(
    x: &[T],
    labels: &[I],
    g: &[T],
    n: usize,
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    if n == 0 || out.is_empty() {
        return Ok(());
    }
    softmax(x, n, out, start);
    let first = start / n;
    for (row, out) in out.chunks_exact_mut(n).enumerate() {
        let (label, g) = (class(labels[first + row], n, first + row)?, g[first + row]);
        // Less 1 it would be 0 as soon as the share of the label rounds to 1: what the others have
        // is the same, and small.
        let add = |shares: &[T]| {
            if n <= SHORT {
                shares.iter().fold(T::ZERO, |total, &v| total + v)
            } else {
                sum(shares, |v| v)
            }
        };
        if !out[label].is_nan() {
            out[label] = -(add(&out[..label]) + add(&out[label + 1..]));
        }
        for o in out {
            *o = g * *o;
        }
    }
    Ok(())
}

fn class<I: Element>(label: I, n: usize, row: usize) -> Result<usize, Failure> {
    match usize::try_from(label.cast::<i64>()) {
        Ok(class) if class < n => Ok(class),
        _ => Err(Failure(format!("label {label} of row {row} is not one of {n} classes"))),
    }
}

/// The loss of a logit `x` against a probability `z`: max(x, 0) - x·z + ln(1 + e⁻|ˣ|), TensorFlow's
/// `sigmoid_cross_entropy_with_logits`.
#[inline(always)]
pub fn sigmoid_cross_entropy<T: Real>(x: T, z: T) -> T {
    x.relu() - x * z + (-x.absolute()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f32], b: &[f64]) {
        for (a, b) in a.iter().zip(b) {
            assert!((f64::from(*a) - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} is not {b}");
        }
    }

    #[test]
    fn softmax_is_right_for_every_width() {
        for n in [1, 2, 10, 16, 17, 100] {
            let x: Vec<f32> = (0..3 * n).map(|i| ((i * 37) % 23) as f32 - 11.0).collect();
            let (mut y, mut log) = (vec![0.0; 3 * n], vec![0.0; 3 * n]);
            softmax(&x, n, &mut y, 0);
            log_softmax(&x, n, &mut log, 0);
            for row in 0..3 {
                let range = row * n..(row + 1) * n;
                let total: f64 = x[range.clone()].iter().map(|&v| f64::from(v).exp()).sum();
                let want: Vec<f64> =
                    x[range.clone()].iter().map(|&v| f64::from(v).exp() / total).collect();
                close(&y[range.clone()], &want);
                let want: Vec<f64> = want.iter().map(|v| v.ln()).collect();
                close(&log[range.clone()], &want);
                let mut piece = vec![0.0; n];
                softmax(&x, n, &mut piece, row * n);
                assert_eq!(piece, y[range]);
            }
        }
    }

    #[test]
    fn long_rows_add_up_to_one() {
        // As random logits of a large vocabulary. Rounding the total once costs up to 6e-8.
        for (n, error) in [(10_000, 1e-7), (1_000_003, 1e-7)] {
            let x: Vec<f32> =
                (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 4e6).collect();
            let (mut y, mut log) = (vec![0.0; n], vec![0.0; n]);
            softmax(&x, n, &mut y, 0);
            log_softmax(&x, n, &mut log, 0);
            let total: f64 = y.iter().map(|&v| f64::from(v)).sum();
            println!("{n}: {:e}", total - 1.0);
            assert!((total - 1.0).abs() < error, "{n}: {:e}", total - 1.0);
            let exact: f64 = x.iter().map(|&v| f64::from(v).exp()).sum();
            let want = f64::from(x[7]) - exact.ln();
            assert!((f64::from(log[7]) / want - 1.0).abs() < 2e-7, "{} is not {want}", log[7]);
        }
    }

    #[test]
    fn the_gradient_at_a_certain_label_keeps_its_digits() {
        let mut out = [0.0f32; 2];
        sparse_softmax_cross_entropy_gradient(&[20.0, 0.0], &[0i64], &[1.0], 2, &mut out, 0)
            .unwrap();
        for (got, want) in out.iter().zip([-2.061_153_6e-9, 2.061_153_6e-9]) {
            assert!((got / want - 1.0).abs() < 1e-6, "{got} is not {want}");
        }
        let mut out = [0.0f32];
        sparse_softmax_cross_entropy_gradient(&[f32::NAN], &[0i64], &[1.0], 1, &mut out, 0)
            .unwrap();
        assert!(out[0].is_nan());
    }

    #[test]
    fn large_logits_neither_overflow_nor_vanish() {
        let x = [1e4f32, -1e4, 0.0, -1e4, -1e4, -1e4];
        let mut out = [0.0; 6];
        softmax(&x, 3, &mut out, 0);
        close(&out, &[1.0, 0.0, 0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
        log_softmax(&x, 3, &mut out, 0);
        close(&out[..3], &[0.0, -2e4, -1e4]);
        let mut loss = [0.0; 2];
        softmax_cross_entropy(&x, &[0.0, 1.0, 0.0, 0.0, 0.5, 0.5], 3, &mut loss, 0);
        close(&loss, &[2e4, 3f64.ln()]);
        sparse_softmax_cross_entropy(&x, &[1i32, 2], 3, &mut loss, 0).unwrap();
        close(&loss, &[2e4, 3f64.ln()]);
    }

    #[test]
    fn a_label_of_zero_hides_an_infinite_logit() {
        let mut loss = [0.0f64];
        softmax_cross_entropy(&[0.0, f64::NEG_INFINITY], &[1.0, 0.0], 2, &mut loss, 0);
        assert_eq!(loss, [0.0]);
        softmax_cross_entropy(&[0.0, f64::NAN], &[1.0, 0.0], 2, &mut loss, 0);
        assert!(loss[0].is_nan());
    }

    #[test]
    fn a_wrong_label_is_named_with_its_row() {
        let mut loss = [0.0f32; 1];
        let failure =
            sparse_softmax_cross_entropy(&[0.0; 6], &[0i64, 3], 3, &mut loss, 1).unwrap_err();
        assert_eq!(failure.0, "label 3 of row 1 is not one of 3 classes");
        assert!(sparse_softmax_cross_entropy(&[0.0; 6], &[0, -1], 3, &mut loss, 1).is_err());
        assert!(sparse_softmax_cross_entropy(&[], &[0], 0, &mut loss, 0).is_err());
        assert!(sparse_softmax_cross_entropy::<f32, i32>(&[], &[], 0, &mut [], 0).is_ok());
    }

    #[test]
    fn no_classes() {
        softmax::<f32>(&[], 0, &mut [], 0);
        let mut loss = [5.0f32; 2];
        softmax_cross_entropy(&[], &[], 0, &mut loss, 0);
        assert_eq!(loss, [0.0; 2]);
    }

    #[test]
    fn the_sparse_gradient_is_softmax_less_one_hot() {
        let mut out = [0.0f64; 4];
        sparse_softmax_cross_entropy_gradient(&[0.0; 4], &[1i32, 0], &[2.0, 1.0], 2, &mut out, 0)
            .unwrap();
        assert_eq!(out, [1.0, -1.0, -0.5, 0.5]);
    }

    #[test]
    fn sigmoid_cross_entropy_is_finite_at_large_logits() {
        assert_eq!(sigmoid_cross_entropy(1e4f32, 1.0), 0.0);
        assert_eq!(sigmoid_cross_entropy(-1e4f32, 1.0), 1e4);
        assert_eq!(sigmoid_cross_entropy(1e4f64, 0.0), 1e4);
        assert!((sigmoid_cross_entropy(0.0f64, 0.5) - std::f64::consts::LN_2).abs() < 1e-15);
    }
}

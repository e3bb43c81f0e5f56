//! Tests of pools and their gradients against plain loops over windows, cut anywhere.

use proptest::prelude::*;

use super::*;
use crate::sliding::Padding;

fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed * 31) % 11) as f64 - 5.0).collect()
}

/// Fill `out` in pieces of so many elements.
fn in_pieces(len: usize, chunk: usize, mut f: impl FnMut(&mut [f64], usize)) -> Vec<f64> {
    let mut out = vec![f64::NAN; len];
    for (i, piece) in out.chunks_mut(chunk.max(1)).enumerate() {
        f(piece, i * chunk);
    }
    out
}

proptest! {
    #[test]
    fn pools_and_gradients_are_what_a_loop_over_windows_gives_in_pieces_of_any_rows(
        images in 0usize..3, input in [0usize..9, 0usize..9], window in [1usize..4, 1usize..4],
        strides in [1usize..4, 1usize..4], channels in 0usize..4, same: bool, piece in 1usize..5
    ) {
        let padding = if same { Padding::Same } else { Padding::Valid };
        let axis = |i: usize| Sliding::new(input[i], window[i], strides[i], 1, padding);
        let (Some(rows), Some(columns)) = (axis(0), axis(1)) else {
            return Ok(());
        };
        let pool = Pool { images, rows, columns, channels };
        let (x, y) = (numbers(pool.input_len(), 1), numbers(pool.output_len(), 2));
        let mut expected: [Vec<f64>; 5] = [
            vec![0.0; y.len()], vec![0.0; y.len()], vec![0.0; x.len()], vec![0.0; y.len()], vec![0.0; x.len()],
        ];
        let other = numbers(pool.input_len(), 3);
        for at in 0..y.len() {
            let (c, rest) = (at % channels, at / channels);
            let (j, rest) = (rest % columns.output, rest / columns.output);
            let (i, n) = (rest % rows.output, rest / rows.output);
            let mut seen = Vec::new();
            for p in rows.taps(i) {
                for q in columns.taps(j) {
                    let row = n * rows.input + rows.element(i, p);
                    seen.push((row * columns.input + columns.element(j, q)) * channels + c);
                }
            }
            let largest = seen.iter().copied().reduce(|a, b| if x[b] > x[a] { b } else { a }).unwrap();
            expected[0][at] = x[largest];
            expected[1][at] = seen.iter().map(|&i| x[i]).sum::<f64>() / seen.len() as f64;
            expected[2][largest] += y[at];
            expected[3][at] = other[largest];
            for &i in &seen {
                expected[4][i] += y[at] / seen.len() as f64;
            }
        }
        let (to, from) = (columns.output * channels * piece, columns.input * channels * piece);
        let found = [
            in_pieces(y.len(), to, |out, start| pool.max(&x, out, start)),
            in_pieces(y.len(), to, |out, start| pool.mean(&x, out, start)),
            in_pieces(x.len(), from, |out, start| pool.scatter_max(&x, &y, out, start)),
            in_pieces(y.len(), to, |out, start| pool.gather_max(&x, &other, out, start)),
            in_pieces(x.len(), from, |out, start| pool.spread_mean(&y, out, start)),
        ];
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
        }
    }
}

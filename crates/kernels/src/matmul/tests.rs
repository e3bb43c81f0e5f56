//! Tests of matrix products: exact on small integers, and the same bits however rows are cut.

use super::*;
use crate::lanes::tests::with_each;
use crate::serial::Workspace;

fn reference(m: usize, k: usize, n: usize, a: &[f64], ta: bool, b: &[f64], tb: bool) -> Vec<f64> {
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            for p in 0..k {
                let x = if ta { a[p * m + i] } else { a[i * k + p] };
                let y = if tb { b[j * k + p] } else { b[p * n + j] };
                c[i * n + j] += x * y;
            }
        }
    }
    c
}

fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed) % 17) as f64 - 8.0).collect()
}

const SHAPES: [(usize, usize, usize); 18] = [
    (1, 1, 1),
    (1, 7, 40),
    (3, 5, 2),
    (7, 33, 31),
    (12, 4, 32),
    (13, 321, 33),
    (100, 784, 10),
    (25, 10, 100),
    (101, 30, 70),
    (97, 650, 65),
    (4, 1000, 130),
    (2, 3, 1),
    (200, 100, 64),
    (9, 400, 1700),
    (30, 520, 600),
    (31, 1100, 33),
    (60, 17, 530),
    (70, 512, 40),
];

/// Parts of `rows` rows, in a workspace of just the bytes asked for, with what is no number in it.
fn run<T: Number>(plan: &Matmul, (a, b): (&[T], &[T]), out: &mut [T], row: usize, rows: usize) {
    let bytes = plan.workspace::<T>(rows);
    let mut workspace = Workspace::new(bytes);
    workspace.bytes().fill(0xff);
    plan.run(a, b, out, row, &mut workspace.bytes()[..bytes]);
}

#[test]
fn every_transposition_and_every_cut_is_exact_on_small_integers() {
    with_each(every_transposition_and_every_cut);
}

fn every_transposition_and_every_cut() {
    for (m, k, n) in SHAPES {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 5));
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let plan = Matmul::new(m, k, n, ta, tb);
            let expected = reference(m, k, n, &a, ta, &b, tb);
            let a32: Vec<f32> = a.iter().map(|&v| v as f32).collect();
            let b32: Vec<f32> = b.iter().map(|&v| v as f32).collect();
            let ints = |x: &[f64]| x.iter().map(|&v| v as i32).collect::<Vec<_>>();
            let (a_int, b_int) = (ints(&a), ints(&b));
            for rows in [m, 1, 5, plan.row_block()] {
                let (mut c, mut c32, mut c_int) =
                    (vec![9.0; m * n], vec![9.0f32; m * n], vec![9; m * n]);
                for row in (0..m).step_by(rows) {
                    let range = row * n..(row + rows).min(m) * n;
                    run(&plan, (&a, &b), &mut c[range.clone()], row, rows);
                    run(&plan, (&a32, &b32), &mut c32[range.clone()], row, rows);
                    run(&plan, (&a_int, &b_int), &mut c_int[range], row, rows);
                }
                assert_eq!(c, expected, "{m} {k} {n} {ta} {tb}");
                assert!(c32.iter().zip(&expected).all(|(&c, &e)| f64::from(c) == e));
                assert_eq!(c_int, ints(&expected));
            }
        }
    }
}

#[test]
fn the_cut_into_rows_does_not_change_a_bit() {
    with_each(the_cut_into_rows);
}

fn the_cut_into_rows() {
    for (m, k, n) in [(61, 700, 10), (61, 700, 100), (30, 50, 300), (40, 1100, 520)] {
        let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.73).cos()).collect();
        let plan = Matmul::new(m, k, n, false, false);
        let mut whole = vec![0.0f32; m * n];
        run(&plan, (&a, &b), &mut whole, 0, m);
        for rows in [1, 4, 7, 12, 50] {
            let mut cut = vec![0.0f32; m * n];
            for row in (0..m).step_by(rows) {
                let cut = &mut cut[row * n..(row + rows).min(m) * n];
                run(&plan, (&a, &b), cut, row, rows);
            }
            assert!(cut.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits()), "{rows}");
        }
    }
}

#[test]
fn nothing_summed_is_zero_and_nan_passes() {
    let mut c = [5.0f32; 6];
    Matmul::new(2, 0, 3, false, false).run(&[], &[], &mut c, 0, &mut []);
    assert_eq!(c, [0.0; 6]);
    Matmul::new(0, 4, 3, false, false).run::<f32>(&[], &[0.0; 12], &mut [], 0, &mut []);
    Matmul::new(4, 3, 0, false, false).run::<f32>(&[0.0; 12], &[], &mut [], 0, &mut []);
    let mut c = [0.0f32; 2];
    let plan = Matmul::new(1, 2, 2, false, false);
    run(&plan, (&[0.0, 1.0], &[f32::NAN, 1.0, 2.0, f32::INFINITY]), &mut c, 0, 1);
    assert!(c[0].is_nan() && c[1] == f32::INFINITY);
}

#[test]
fn blocks_of_rows_are_large_enough_and_fixed_by_shape() {
    assert_eq!(Matmul::new(100, 784, 10, false, false).row_block(), 100);
    assert_eq!(Matmul::new(100, 784, 200, false, false).row_block(), 50);
    let block = Matmul::new(10_000, 784, 10, false, false).row_block();
    assert!((200..1000).contains(&block), "{block}");
    assert_eq!(Matmul::new(0, 1, 1, false, false).row_block(), 1);
    let huge = Matmul::new(usize::MAX / 2, 3, 3, false, false);
    assert!(huge.row_block() > 0);
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_any_batch() {
    with_each(rows_alone_and_in_batches);
}

fn rows_alone_and_in_batches() {
    let fractions = |len: usize, seed: usize| -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed) % 10_007) as f32 * 1e-3 - 5.0).collect()
    };
    // Among them lines of B that are long, more rows than columns, and sums in several blocks.
    for (k, n) in [(33, 31), (700, 20), (300, 520), (1100, 600), (40, 1700)] {
        for transpose_b in [false, true] {
            let b = fractions(k * n, 5);
            let mut alone: Vec<Vec<f32>> = Vec::new();
            for m in [1, 2, 3, 5, 17, 100, 700] {
                let a = fractions(m * k, 1);
                let plan = Matmul::new(m, k, n, false, transpose_b);
                let mut out = vec![0.0f32; m * n];
                run(&plan, (&a, &b), &mut out, 0, m);
                for (row, together) in out.chunks(n).enumerate() {
                    if row == alone.len() {
                        let mut out = vec![0.0f32; n];
                        let plan = Matmul::new(1, k, n, false, transpose_b);
                        run(&plan, (&a[row * k..][..k], &b), &mut out, 0, 1);
                        alone.push(out);
                    }
                    let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert!(bits(together) == bits(&alone[row]), "row {row} of {m}, {k} {n}");
                }
            }
        }
    }
}

#[test]
fn a_column_has_the_same_bits_alone_and_with_others_as_far_as_is_said() {
    with_each(columns_alone_and_with_others);
}

fn columns_alone_and_with_others() {
    let fractions = |len: usize, seed: usize| -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed) % 10_007) as f32 * 1e-3 - 5.0).collect()
    };
    for (k, transpose_b) in [(Matmul::SHALLOW, false), (7, false), (1500, true)] {
        let (m, n) = (3, 600);
        let (a, b) = (fractions(m * k, 1), fractions(k * n, 5));
        let at = |p: usize, j: usize| if transpose_b { b[j * k + p] } else { b[p * n + j] };
        let mut out = vec![0.0f32; m * n];
        run(&Matmul::new(m, k, n, false, transpose_b), (&a, &b), &mut out, 0, m);
        for j in [0, 1, 15, 16, 17, 300, 599] {
            let column: Vec<f32> = (0..k).map(|p| at(p, j)).collect();
            let mut alone = vec![0.0f32; m];
            run(&Matmul::new(m, k, 1, false, transpose_b), (&a, &column), &mut alone, 0, m);
            for (i, alone) in alone.iter().enumerate() {
                assert_eq!(alone.to_bits(), out[i * n + j].to_bits(), "{i}, {j} of depth {k}");
            }
        }
    }
}

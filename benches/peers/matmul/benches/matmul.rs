//! Our matrix product against `gemm` and `matrixmultiply` on the shapes of small networks for
//! MNIST, one thread.

#![allow(unsafe_code)] // the other crates take pointers

use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// m, k, n, and whether A and B are transposed.
type Shape = (usize, usize, usize, bool, bool);

const SHAPES: [Shape; 18] = [
    (100, 784, 10, false, false),
    (784, 100, 10, true, false),
    (100, 784, 200, false, false),
    (784, 100, 200, true, false),
    (100, 200, 784, false, true),
    (100, 200, 100, false, false),
    (200, 100, 100, true, false),
    (100, 100, 200, false, true),
    (100, 100, 60, false, false),
    (100, 60, 30, false, false),
    (100, 30, 10, false, false),
    (100, 10, 30, false, true),
    (30, 100, 10, true, false),
    (10_000, 784, 10, false, false),
    (128, 784, 2048, false, false),
    (128, 2048, 2048, false, false),
    (128, 2048, 2048, false, true),
    (1, 784, 200, false, false),
];

fn operands((m, k, n, ..): Shape) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let numbers = |len: usize| (0..len).map(|i| (i % 1009) as f32 * 1e-3).collect();
    (numbers(m * k), numbers(k * n), vec![0.0; m * n])
}

fn flops((m, k, n, ..): Shape) -> ItemsCount {
    ItemsCount::new(2 * m * k * n)
}

#[divan::bench(args = SHAPES)]
fn ours(bencher: Bencher, shape: Shape) {
    let (m, k, n, ta, tb) = shape;
    let (a, b, mut c) = operands(shape);
    let plan = abeyance_kernels::matmul::Matmul::new(m, k, n, ta, tb);
    let mut workspace = abeyance_kernels::serial::Workspace::new(plan.workspace::<f32>(m));
    bencher.counter(flops(shape)).bench_local(|| plan.run(&a, &b, &mut c, 0, workspace.bytes()));
}

#[divan::bench(args = SHAPES)]
fn gemm(bencher: Bencher, shape: Shape) {
    let (m, k, n, ta, tb) = shape;
    let (a, b, mut c) = operands(shape);
    let (ars, acs) = if ta { (1, m as isize) } else { (k as isize, 1) };
    let (brs, bcs) = if tb { (1, k as isize) } else { (n as isize, 1) };
    // SAFETY: the three are as long as their shapes and strides say.
    bencher.counter(flops(shape)).bench_local(|| unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            acs,
            ars,
            b.as_ptr(),
            bcs,
            brs,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    });
}

#[divan::bench(args = SHAPES)]
fn matrixmultiply(bencher: Bencher, shape: Shape) {
    let (m, k, n, ta, tb) = shape;
    let (a, b, mut c) = operands(shape);
    let (ars, acs) = if ta { (1, m as isize) } else { (k as isize, 1) };
    let (brs, bcs) = if tb { (1, k as isize) } else { (n as isize, 1) };
    // SAFETY: the three are as long as their shapes and strides say.
    bencher.counter(flops(shape)).bench_local(|| unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            ars,
            acs,
            b.as_ptr(),
            brs,
            bcs,
            0.0,
            c.as_mut_ptr(),
            n as isize,
            1,
        );
    });
}

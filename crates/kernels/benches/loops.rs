//! Everything but matrix products, on arrays of 100 000 `f32` (a few of them of other shapes), one
//! thread.

use abeyance_kernels::element::{Number, Real};
use abeyance_kernels::fused::{self, Fused, Read};
use abeyance_kernels::launch::{Cost, Function, Kernel};
use abeyance_kernels::layout::Transpose;
use abeyance_kernels::random::Stream;
use abeyance_kernels::reduce::{ArgReduction, Operation, Reduction};
use abeyance_kernels::serial::Serial;
use abeyance_kernels::{elementwise, elementwise_chunk, softmax};
use divan::{Bencher, counter::ItemsCount};

const N: usize = 100_000;

fn main() {
    divan::main();
}

fn run(bencher: Bencher, mut f: impl FnMut(&[f32], &mut [f32])) {
    let x: Vec<f32> = (0..N).map(|i| (i % 1009) as f32 * 0.01 - 5.0).collect();
    let mut out = vec![0.0; N];
    bencher.counter(ItemsCount::new(N)).bench_local(|| f(&x, &mut out));
}

macro_rules! unary {
    ($($name:ident: $f:path;)*) => {$(
        #[divan::bench]
        fn $name(bencher: Bencher) {
            run(bencher, |x, out| elementwise::map(x, out, 0, #[inline(always)] |x: f32| $f(x)));
        }
    )*};
}

unary! {
    relu: Number::relu;
    exp: Real::exp;
    exp_of_the_library: f32::exp;
    ln: Real::ln;
    tanh: Real::tanh;
    sigmoid: Real::sigmoid;
    softplus: Real::softplus;
}

/// A loop over a row whose second operand is stretched, a tile at a time.
fn stretching(
    bencher: Bencher,
    dims: [usize; 2],
    y: Vec<f32>,
    sizes: &[usize],
    f: impl Fn(f32, f32) -> f32 + Copy + Send + Sync + 'static,
) {
    let size = size_of::<f32>();
    #[allow(clippy::redundant_closure)] // inlined, and so compiled for the instruction set
    let row: Function = Box::new(move |call| {
        let (x, y) = (call.input::<f32>(0), call.input::<f32>(1));
        let (out, start) = (call.output(), 0);
        elementwise::zip(
            x,
            y,
            out,
            start,
            [false; 2],
            #[inline(always)]
            |x, y| f(x, y),
        );
        Ok(())
    });
    let operations = vec![
        fused::Operation::broadcast(1, size, sizes, &dims),
        fused::Operation {
            run: row,
            reads: [Read::Row(0, size as u32), Read::Value(0)].into_iter().collect(),
            size,
            range: fused::Range::Row,
            output: Some(0),
        },
    ];
    let part = elementwise_chunk(N, 2 * size);
    let fused = Fused::new(operations, 2, part).unwrap();
    let workspace = fused.workspace();
    let kernel = Kernel::single(2, part * size, Cost::default(), move |call| fused.run(call));
    let mut serial = Serial::new(kernel.with_workspace(workspace), 2);
    run(bencher, |x, out| serial.run(&[x, &y], out).unwrap());
}

#[divan::bench(args = [[1, N], [N / 200, 200], [N / 10, 10]])]
fn add_bias(bencher: Bencher, dims: [usize; 2]) {
    let bias = vec![0.5; dims[1]];
    stretching(bencher, dims, bias, &dims[1..], |x, y| x + y);
}

#[divan::bench(args = [[N / 200, 200], [N / 10, 10]])]
fn multiply_by_column(bencher: Bencher, dims: [usize; 2]) {
    let column = vec![0.5; dims[0]];
    stretching(bencher, dims, column, &[dims[0], 1], |x, y| x * y);
}

#[divan::bench]
fn sum_of_all(bencher: Bencher) {
    let plan = Reduction::new(&[N], &[0]);
    run(bencher, |x, out| plan.run(Operation::Sum, x, &mut out[..1], 0).unwrap());
}

#[divan::bench(args = [200, 10])]
fn sum_of_rows(bencher: Bencher, n: usize) {
    let plan = Reduction::new(&[N / n, n], &[1]);
    run(bencher, |x, out| plan.run(Operation::Sum, x, &mut out[..N / n], 0).unwrap());
}

#[divan::bench(args = [200, 10])]
fn sum_of_columns(bencher: Bencher, n: usize) {
    let plan = Reduction::new(&[N / n, n], &[0]);
    run(bencher, |x, out| plan.run(Operation::Sum, x, &mut out[..n], 0).unwrap());
}

#[divan::bench(args = [200, 10])]
fn softmax_of_rows(bencher: Bencher, n: usize) {
    run(bencher, |x, out| softmax::softmax(x, n, out, 0));
}

#[divan::bench(args = [200, 10])]
fn cross_entropy_of_rows(bencher: Bencher, n: usize) {
    run(bencher, |x, out| softmax::softmax_cross_entropy(x, x, n, &mut out[..N / n], 0));
}

#[divan::bench(args = [200, 10])]
fn argmax_of_rows(bencher: Bencher, n: usize) {
    let plan = ArgReduction::new(&[N / n, n], 1);
    let mut places = vec![0; N / n];
    run(bencher, |x, _| plan.argmax(x, &mut places, 0).unwrap());
}

#[divan::bench]
fn transpose(bencher: Bencher) {
    let plan = Transpose::new(&[250, 400], &[1, 0]);
    run(bencher, |x, out| plan.run(x, out, 0));
}

#[divan::bench]
fn uniform(bencher: Bencher) {
    run(bencher, |_, out| Stream { key: 1 }.fill_uniform(0, 0, out, 0.0, 1.0));
}

#[divan::bench]
fn normal(bencher: Bencher) {
    run(bencher, |_, out| Stream { key: 1 }.fill_normal(0, 0, out, 0.0, 1.0));
}

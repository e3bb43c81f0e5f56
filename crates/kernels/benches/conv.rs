//! Convolutions and their gradients on the layers of small networks for 28x28 images, one thread,
//! in floating-point operations a second (`--items-format decimal`). A multiplication with an
//! addition counts as two, those with padding included.

use abeyance_kernels::conv::{Convolution, Propagation};
use abeyance_kernels::launch::Layout;
use abeyance_kernels::serial::Serial;
use abeyance_kernels::sliding::{Padding, Sliding};
use std::ops::{Deref, DerefMut};

use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// Images, their side and channels, the filter's side, filters, stride.
type Layer = (usize, usize, usize, usize, usize, usize);

const LAYERS: [Layer; 9] = [
    (100, 28, 1, 5, 4, 1),
    (100, 28, 4, 4, 8, 2),
    (100, 14, 8, 4, 12, 2),
    (100, 28, 1, 6, 6, 1),
    (100, 28, 6, 5, 12, 2),
    (100, 14, 12, 4, 24, 2),
    (1, 28, 1, 5, 4, 1),
    (32, 28, 32, 3, 64, 1),
    (1, 56, 64, 3, 64, 1),
];

fn convolution((images, side, channels, window, filters, stride): Layer) -> Convolution {
    let axis = Sliding::new(side, window, stride, 1, Padding::Same).expect("it fits");
    Convolution { images, rows: axis, columns: axis, channels, filters, groups: 1 }
}

/// Numbers that begin on a line of a cache, as the buffers of a running program do.
struct Numbers {
    all: Vec<f32>,
    first: usize,
}

impl Numbers {
    fn new(len: usize) -> Self {
        let all: Vec<f32> = (0..len + 16).map(|i| (i % 1009) as f32 * 1e-3).collect();
        let first = all.as_ptr().align_offset(64);
        Self { all, first }
    }
}

impl Deref for Numbers {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.all[self.first..self.first + self.all.len() - 16]
    }
}

impl DerefMut for Numbers {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.all.len() - 16;
        &mut self.all[self.first..self.first + len]
    }
}

fn numbers(len: usize) -> Numbers {
    Numbers::new(len)
}

fn flops(conv: &Convolution) -> ItemsCount {
    let taps = conv.rows.window * conv.columns.window * conv.channels;
    ItemsCount::new(2 * conv.output_len() * taps)
}

#[divan::bench(args = LAYERS)]
fn forward(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (x, w) = (numbers(conv.input_len()), numbers(conv.filter_len()));
    let mut y = numbers(conv.output_len());
    let mut kernel = Serial::new(conv.kernel::<f32>(Propagation::Forward, Layout::RowMajor), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&x[..], &w], &mut y));
}

#[divan::bench(args = LAYERS)]
fn backward_input(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (y, w) = (numbers(conv.output_len()), numbers(conv.filter_len()));
    let mut x = numbers(conv.input_len());
    let mut kernel =
        Serial::new(conv.kernel::<f32>(Propagation::BackwardInput, Layout::RowMajor), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&w[..], &y], &mut x));
}

#[divan::bench(args = LAYERS)]
fn backward_filter(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (x, y) = (numbers(conv.input_len()), numbers(conv.output_len()));
    let mut w = numbers(conv.filter_len());
    let mut kernel =
        Serial::new(conv.kernel::<f32>(Propagation::BackwardFilter, Layout::RowMajor), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&x[..], &y], &mut w));
}

/// Images in blocks of sixteen.
fn nhwc16n(images: usize, len: usize) -> Numbers {
    numbers(len / images * images.next_multiple_of(16))
}

#[divan::bench(args = LAYERS)]
fn forward_nhwc16n(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (x, w) = (nhwc16n(conv.images, conv.input_len()), numbers(conv.filter_len()));
    let mut y = nhwc16n(conv.images, conv.output_len());
    let mut kernel = Serial::new(conv.kernel::<f32>(Propagation::Forward, Layout::Nhwc16n), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&x[..], &w], &mut y));
}

#[divan::bench(args = LAYERS)]
fn backward_input_nhwc16n(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (y, w) = (nhwc16n(conv.images, conv.output_len()), numbers(conv.filter_len()));
    let mut x = nhwc16n(conv.images, conv.input_len());
    let mut kernel =
        Serial::new(conv.kernel::<f32>(Propagation::BackwardInput, Layout::Nhwc16n), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&w[..], &y], &mut x));
}

#[divan::bench(args = LAYERS)]
fn backward_filter_nhwc16n(bencher: Bencher, layer: Layer) {
    let conv = convolution(layer);
    let (x, y) = (nhwc16n(conv.images, conv.input_len()), nhwc16n(conv.images, conv.output_len()));
    let mut w = numbers(conv.filter_len());
    let mut kernel =
        Serial::new(conv.kernel::<f32>(Propagation::BackwardFilter, Layout::Nhwc16n), 2);
    bencher.counter(flops(&conv)).bench_local(|| kernel.run(&[&x[..], &y], &mut w));
}

/// The most that this processor multiplies and adds, when all is in registers.
#[divan::bench]
fn peak(bencher: Bencher) {
    const STEPS: usize = 10_000;
    struct Peak;
    impl pulp::WithSimd for Peak {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
            let mut sums = [simd.splat_f32s(0.0); 10];
            let (a, b) = (simd.splat_f32s(0.999), divan::black_box(simd.splat_f32s(0.5)));
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.mul_add_e_f32s(*sum, a, b);
                }
            }
            sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
        }
    }
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    let arch = pulp::Arch::new();
    let flops = 2 * 10 * STEPS * arch.dispatch(Lanes);
    bencher.counter(ItemsCount::new(flops)).bench_local(|| arch.dispatch(Peak));
}

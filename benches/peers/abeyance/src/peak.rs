//! The machine's peak: fused multiply-adds on registers, by one thread on each core.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pulp::{Simd, WithSimd};

/// Sums that do not wait for each other: twice the latency of a fused multiply-add times the number
/// of its units, and few enough for the registers.
const CHAINS: usize = 12;
const REPEATS: usize = 100_000;
const SECONDS: f64 = 0.5;

/// Prints the peak of each instruction set the machine has, in GFLOP/s of single precision, of
/// `threads` threads together.
pub fn print(threads: usize) {
    let mut peaks = serde_json::Map::new();
    for (name, product) in sets() {
        peaks.insert(name.to_owned(), gigaflops(threads, product).into());
    }
    println!("{}", serde_json::Value::Object(peaks));
}

/// Does [`REPEATS`] rounds and says how many operations they were.
type Product = fn() -> usize;

#[cfg(target_arch = "x86_64")]
fn sets() -> Vec<(&'static str, Product)> {
    use pulp::x86::{V3, V4};
    let mut sets: Vec<(_, Product)> = Vec::new();
    if V3::try_new().is_some() {
        sets.push(("AVX2", || V3::try_new().map_or(0, |simd| Simd::vectorize(simd, Chains))));
    }
    if V4::try_new().is_some() {
        sets.push(("AVX-512", || V4::try_new().map_or(0, |simd| Simd::vectorize(simd, Chains))));
    }
    sets
}

#[cfg(not(target_arch = "x86_64"))]
fn sets() -> Vec<(&'static str, Product)> {
    vec![(std::env::consts::ARCH, || pulp::Arch::new().dispatch(Chains))]
}

struct Chains;

impl WithSimd for Chains {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let factor = black_box(simd.splat_f32s(0.999));
        let addend = black_box(simd.splat_f32s(0.001));
        let mut chains = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..REPEATS {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, addend);
            }
        }
        black_box(chains);
        2 * CHAINS * REPEATS * S::F32_LANES
    }
}

fn gigaflops(threads: usize, product: Product) -> f64 {
    let start = Barrier::new(threads);
    let count = || {
        start.wait();
        let began = Instant::now();
        let mut best: f64 = 0.0;
        while began.elapsed() < Duration::from_secs_f64(SECONDS) {
            let before = Instant::now();
            let operations = product();
            best = best.max(operations as f64 / before.elapsed().as_secs_f64());
        }
        best * 1e-9
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a figure")).sum()
    })
}

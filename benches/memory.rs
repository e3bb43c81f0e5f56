//! What a session that is fed a new batch size each time keeps, and what a plan of a new size costs. The network is
//! `mnist_conv_dropout`, which reads digits in batches of 1 to 791. Each line is a process of its own: bytes that the
//! allocator has handed out at most, and where the system tells it the most that was resident.
//!
//! `cargo bench --bench memory`

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use abeyance::prelude::*;
use ndarray::{Array4, s};

#[path = "../tests/networks/mod.rs"]
mod networks;

/// The largest batch.
const LARGEST: usize = 791;
/// The runs of random sizes, and the threads that make them.
const RUNS: usize = 10_000;
const THREADS: usize = 8;
/// The measurement that a process of its own makes.
const PART: &str = "ABEYANCE_BENCH_MEMORY";

/// The system's allocator, counting bytes.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    MOST.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    match std::env::var(PART).as_deref() {
        Ok("alone") => sizes("the largest batch alone", [LARGEST]),
        Ok("rising") => sizes("each of 791 sizes, rising", 1..=LARGEST),
        Ok("falling") => sizes("each of 791 sizes, falling", (1..=LARGEST).rev()),
        Ok("mixed") => sizes("each of 791 sizes, mixed", (0..LARGEST).map(mixed)),
        Ok("random") => random(),
        Ok("new") => new_size(),
        _ => {
            println!("{:<32} {:>12} {:>12}", "", "most MB", "resident MB");
            for part in ["alone", "rising", "falling", "mixed", "random", "new"] {
                let this = std::env::current_exe().expect("this program has a path");
                let status = Command::new(this).env(PART, part).status();
                assert!(status.expect("this program runs").success(), "{part} failed");
            }
        }
    }
}

/// The sizes 1 to [`LARGEST`] in an order without a direction: 347 and 791 have no common factor.
fn mixed(index: usize) -> usize {
    index * 347 % LARGEST + 1
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// The most bytes of this process that were in memory at a time, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()? * 1024)
}

fn line(what: &str) {
    let resident = resident().map_or("?".to_owned(), |bytes| format!("{:.1}", mb(bytes)));
    println!("{what:<32} {:>12.1} {resident:>12}", mb(MOST.load(Relaxed)));
}

fn session() -> Session {
    let g = Graph::new();
    networks::conv_dropout(&g);
    Session::new(&g).expect("the network is right")
}

fn images() -> Array4<f32> {
    let pixel = |(image, y, x, _): (usize, usize, usize, usize)| {
        ((image * 31 + y * 7 + x * 3) % 256) as f32 / 255.0
    };
    Array4::from_shape_fn((LARGEST, 28, 28, 1), pixel)
}

/// Reads so many of the images.
fn read(session: &Session, images: &Array4<f32>, size: usize) {
    let predict = session.signature("predict").expect("the network has it");
    let batch = images.slice(s![..size, .., .., ..]);
    let feed = predict.feed("images", batch).expect("they are images");
    predict.run([feed]).expect("digits are read");
}

fn sizes(what: &str, sizes: impl IntoIterator<Item = usize>) {
    let (session, images) = (session(), images());
    for size in sizes {
        read(&session, &images, size);
    }
    line(what);
}

/// What is kept must not grow with the number of runs.
fn random() {
    let (session, images) = (session(), images());
    for tenth in 1..=10 {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (session, images, next) = (&session, &images, &next);
                // Marsaglia's xorshift.
                let mut state = (tenth * THREADS + thread + 1) as u64 * 0x9e37_79b9_7f4a_7c15;
                scope.spawn(move || {
                    while next.fetch_add(1, Relaxed) < RUNS / 10 {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        read(session, images, state as usize % LARGEST + 1);
                    }
                });
            }
        });
        line(&format!("{} random runs, {THREADS} threads", tenth * RUNS / 10));
    }
}

/// How much longer the first run of a size takes than the second.
fn new_size() {
    let (session, images) = (session(), images());
    read(&session, &images, LARGEST);
    println!("\n{:<32} {:>12} {:>12}", "", "median ms", "fastest");
    for around in [1, 30, 300, 700] {
        let mut more = Vec::new();
        for size in around..around + 30 {
            let time = || {
                let start = Instant::now();
                read(&session, &images, size);
                start.elapsed().as_secs_f64() * 1e3
            };
            let first = time();
            let second = (0..5).map(|_| time()).fold(f64::INFINITY, f64::min);
            more.push(first - second);
        }
        more.sort_by(f64::total_cmp);
        let what = format!("a new size, from {around} images");
        println!("{what:<32} {:>12.3} {:>12.3}", more[more.len() / 2], more[0]);
    }
}

//! Memory of a session that is fed a new batch size each time, and the cost of a plan of a new
//! size. The network is `mnist_conv_dropout`, which reads digits in batches of 1 to 791. Each
//! measurement is a process of its own: bytes that the allocator has handed out at most, the most
//! that was resident where the system tells, and what the session says it has.
//!
//! `cargo bench --bench memory`

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use abeyance::prelude::*;
use ndarray::{Array2, Array4, s};

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
            println!(
                "{:<32} {:>9} {:>11} {:>6} {:>9} {:>7} {:>9}",
                "", "most MB", "resident MB", "plans", "MB", "arenas", "MB"
            );
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

fn line(what: &str, session: &Session) {
    let resident = resident().map_or("?".to_owned(), |bytes| format!("{:.1}", mb(bytes)));
    let memory = session.memory();
    println!(
        "{what:<32} {:>9.1} {resident:>11} {:>6} {:>9.2} {:>7} {:>9.1}",
        mb(MOST.load(Relaxed)),
        memory.plans,
        mb(memory.plan_bytes),
        memory.arenas,
        mb(memory.arena_bytes)
    );
}

fn session() -> Session {
    session_with(SessionOptions::new())
}

fn session_with(options: SessionOptions) -> Session {
    let g = Graph::new();
    networks::conv_dropout(&g);
    Session::with_options(&g, options).expect("the network is right")
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
    line(what, &session);
}

/// Checks that memory does not grow with the number of runs.
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
        line(&format!("{} random runs, {THREADS} threads", tenth * RUNS / 10), &session);
    }
}

/// Prints the time of a run that makes its plan, of one that has it, and of `explain`, which makes
/// the plan and prints it: the fastest of many, since what else the machine does takes longer.
fn new_size() {
    let images = images();
    let labels = Array2::from_elem((LARGEST, 10), 0.1f32);
    let (keeping, forgetting) = (session(), session_with(SessionOptions::new().plan_bytes(0)));
    println!("\n{:<32} {:>12} {:>12} {:>12}", "ms", "plan and run", "run", "explain");
    for (name, size) in [
        ("predict", 1),
        ("predict", 30),
        ("predict", 300),
        ("predict", 700),
        ("train", 10),
        ("train", 100),
    ] {
        let ready = |session: &Session, size: usize, explain: bool| {
            let signature = session.signature(name).expect("the network has it");
            let batch = images.slice(s![..size, .., .., ..]);
            let mut feeds = vec![signature.feed("images", batch).expect("they are images")];
            if name == "train" {
                let labels = labels.slice(s![..size, ..]);
                feeds.push(signature.feed("labels", labels).expect("they are labels"));
            }
            let start = Instant::now();
            if explain {
                drop(signature.explain(feeds).expect("there is a plan"))
            } else {
                drop(signature.run(feeds).expect("it runs"))
            }
            start.elapsed().as_secs_f64() * 1e3
        };
        let mut fastest = [f64::INFINITY; 3];
        let cases = [(&forgetting, false), (&keeping, false), (&keeping, true)];
        for _ in 0..100 {
            for ((session, explain), fastest) in cases.into_iter().zip(&mut fastest) {
                // Where there is no room for two plans, the one in between makes a new one of the
                // next.
                ready(session, 2, explain);
                *fastest = fastest.min(ready(session, size, explain));
            }
        }
        let [both, run, explain] = fastest;
        let what = format!("{name}, {size} images");
        println!("{what:<32} {both:>12.3} {run:>12.3} {explain:>12.3}");
    }
}

//! Memory of a session: it does not grow with the number of shapes that the session has met. Its
//! plans share arenas, and are kept as far as a number of bytes goes.
//!
//! A program of its own, without the test harness: its main thread allocates when it likes, and
//! everything is counted here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use abeyance::prelude::*;
use abeyance::session::{SessionMemory, TensorRef};
use ndarray::{Array2, ArrayViewD, s};

/// The system's allocator, counting allocations and the bytes that are allocated.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        MOST.fetch_max(NOW.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were allocated at a time during `work`, beyond those before it; and those
/// that are left behind.
fn count<R>(work: impl FnOnce() -> R) -> (usize, usize, R) {
    let before = NOW.load(SeqCst);
    MOST.store(before, SeqCst);
    let result = work();
    (MOST.load(SeqCst) - before, NOW.load(SeqCst).saturating_sub(before), result)
}

fn main() {
    for (name, test) in [
        (
            "many_sizes_take_little_more_than_the_largest_alone",
            many_sizes_take_little_more_than_the_largest_alone as fn(),
        ),
        ("random_sizes_from_many_threads_stay_flat", random_sizes_from_many_threads_stay_flat),
        ("sizes_by_turns_allocate_nothing", sizes_by_turns_allocate_nothing),
        ("plans_take_the_bytes_that_are_told", plans_take_the_bytes_that_are_told),
        ("plans_stay_below_the_bound", plans_stay_below_the_bound),
        ("a_callable_holds_its_plan", a_callable_holds_its_plan),
        ("loops_of_many_lengths_stay_flat", loops_of_many_lengths_stay_flat),
        ("memory_is_told_in_the_middle_of_a_run", memory_is_told_in_the_middle_of_a_run),
    ] {
        test();
        println!("test {name} ... ok");
    }
}

/// The largest batch.
const LARGEST: usize = 300;

/// A session on three layers, from `x` to `y`.
fn layers(threads: usize, plan_bytes: usize) -> Session {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 16]);
    let h = dense(x, 200, he_normal).relu();
    let h = dense(h, 100, he_normal).tanh();
    dense(h, 10, glorot_uniform).softmax().named("y");
    let options = SessionOptions::new().threads(threads).plan_bytes(plan_bytes);
    Session::with_options(&g, options).unwrap()
}

fn tensors(session: &Session) -> (TensorRef<f32>, TensorRef<f32>) {
    (session.tensor_ref("x").unwrap(), session.tensor_ref("y").unwrap())
}

/// The sum of all results for the first `rows` of `x`.
fn run(session: &Session, x: &Array2<f32>, rows: usize) -> f32 {
    let (input, y) = tensors(session);
    session.run(y, feeds![input => x.slice(s![..rows, ..])]).unwrap().sum()
}

fn rows() -> Array2<f32> {
    Array2::from_shape_fn((LARGEST, 16), |(row, column)| (row * 7 + column * 3) as f32 % 5.0 - 2.0)
}

fn many_sizes_take_little_more_than_the_largest_alone() {
    let x = rows();
    let of = |sizes: &mut dyn Iterator<Item = usize>| {
        let session = layers(1, 50_000);
        let (most, ..) = count(|| {
            sizes.for_each(|rows| {
                let sum = run(&session, &x, rows);
                assert!((sum - rows as f32).abs() < 1e-3 * rows as f32, "{sum} of {rows}");
            });
        });
        (most, session.memory())
    };
    let (alone, memory) = of(&mut std::iter::once(LARGEST));
    assert_eq!((memory.plans, memory.arenas), (1, 1));
    assert!(memory.arena_bytes > LARGEST * 200 * 4);
    let mixed = |index: usize| index * 127 % LARGEST + 1;
    for (most, memory) in
        [of(&mut (1..=LARGEST)), of(&mut (1..=LARGEST).rev()), of(&mut (0..LARGEST).map(mixed))]
    {
        assert!(most as f64 <= 1.2 * alone as f64 + 50_000.0, "{most} beside {alone}: {memory}");
        assert_eq!(memory.arenas, 1);
        assert!(memory.plans > 1 && memory.plan_bytes <= 50_000, "{memory}");
    }
}

fn random_sizes_from_many_threads_stay_flat() {
    const THREADS: usize = 4;
    let x = rows();
    let session = layers(2, 50_000);
    run(&session, &x, LARGEST);
    let largest = session.memory().arena_bytes;
    let some = |seed: usize| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (session, x) = (&session, &x);
                scope.spawn(move || {
                    let mut state = (seed * THREADS + thread) as u32;
                    for _ in 0..100 {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        run(session, x, (state >> 16) as usize % LARGEST + 1);
                    }
                });
            }
        });
        session.memory()
    };
    for seed in 0..8 {
        let (_, _, memory) = count(|| some(seed));
        assert!(memory.arenas <= THREADS, "{memory}");
        // A sixteenth more, where they had to grow.
        assert!(memory.arena_bytes <= THREADS * (largest + largest / 16), "{memory} {largest}");
        assert!(memory.plan_bytes <= 50_000, "{memory}");
    }
}

fn sizes_by_turns_allocate_nothing() {
    let x = rows();
    for threads in [1, 3] {
        let session = layers(threads, 1 << 20);
        let (input, y) = tensors(&session);
        let sizes = [LARGEST, 3, 200, 77];
        let mut outputs: Vec<_> = sizes
            .map(|rows| session.run(y, feeds![input => x.slice(s![..rows, ..])]).unwrap())
            .into();
        let before = ALLOCATIONS.load(SeqCst);
        for _ in 0..10 {
            for (rows, output) in sizes.iter().zip(&mut outputs) {
                let feeds = feeds![input => x.slice(s![..*rows, ..])];
                session.run_into(y, feeds, output).unwrap();
            }
        }
        assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0, "on {threads} threads");
        assert_eq!(session.memory().arenas, 1);
    }
}

fn plans_take_the_bytes_that_are_told() {
    let x = rows();
    let session = layers(1, usize::MAX);
    run(&session, &x, LARGEST);
    let before = session.memory();
    let (_, allocated, ()) = count(|| {
        (1..LARGEST).for_each(|rows| assert!(run(&session, &x, rows) > 0.0));
    });
    let after = session.memory();
    assert_eq!((after.plans, after.arena_bytes), (LARGEST, before.arena_bytes));
    let told = after.plan_bytes - before.plan_bytes;
    let share = allocated as f64 / told as f64;
    assert!((0.7..1.3).contains(&share), "{allocated} bytes allocated where {told} are told");
}

fn plans_stay_below_the_bound() {
    let x = rows();
    let each = {
        let session = layers(1, 0);
        run(&session, &x, 1);
        session.memory().plan_bytes
    };
    let session = layers(1, 10 * each);
    assert_eq!(session.memory().plan_limit, 10 * each);
    for rows in 1..100 {
        run(&session, &x, rows);
        let SessionMemory { plans, plan_bytes, .. } = session.memory();
        assert!(plan_bytes <= 10 * each && plans >= rows.min(5), "{plans} of {plan_bytes} bytes");
    }
    // Without any room the plan of the last run is kept, so that the next one like it allocates
    // nothing.
    let session = layers(1, 0);
    for rows in [1, 2, 1] {
        run(&session, &x, rows);
        assert_eq!(session.memory().plans, 1);
    }
}

fn a_callable_holds_its_plan() {
    let x = rows();
    let session = layers(1, 0);
    let (input, y) = tensors(&session);
    let callable = session.prepare(y).unwrap();
    let feeds = feeds![input => &x];
    let mut output = callable.run(&feeds).unwrap();
    let first = output.clone();
    // Others come and go, and use the arena.
    (1..20).for_each(|rows| assert!(run(&session, &x, rows) > 0.0));
    let before = ALLOCATIONS.load(SeqCst);
    for _ in 0..3 {
        callable.run_into(&feeds, &mut output).unwrap();
    }
    assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0);
    assert_eq!(output, first);
}

fn loops_of_many_lengths_stay_flat() {
    let g = Graph::new();
    let xs = g.placeholder::<f32>("xs", dims!["T", "N", 8]);
    let w = g.variable("w", random_normal(dims![64, 64], 0.0, 0.1));
    let v = g.variable("v", random_normal(dims![8, 64], 0.0, 0.1));
    let h0 = g.zeros::<f32>(dims![xs.dim(1), 64]);
    let (_, all) = g.scan(h0, xs, |h, x| {
        let h = (x.matmul(v) + h.matmul(w)).tanh();
        (h, h)
    });
    let (_, y) =
        g.while_loop((g.constant(0i64), all), |(i, _)| i.less(5), |(i, y)| (i + 1, y.tanh()));
    let train_step = GradientDescent::new(0.001).minimize(y.square().reduce_mean(..));
    let of = |sizes: &mut dyn Iterator<Item = usize>| {
        let options = SessionOptions::new().threads(1).plan_bytes(200_000);
        let session = Session::with_options(&g, options).unwrap();
        let (most, ..) = count(|| {
            sizes.for_each(|size| {
                let x = ndarray::Array3::from_elem((size / 4 + 1, size, 8), 0.1f32);
                session.run(train_step, feeds![xs => &x]).unwrap();
            });
        });
        (most, session.memory())
    };
    let (alone, memory) = of(&mut std::iter::once(40));
    // The history of the loop, which its gradient keeps, and a scan's results.
    assert!(memory.arena_bytes > 6 * 11 * 40 * 64 * 4, "{memory}");
    let (most, memory) = of(&mut (1..=40));
    assert!(most as f64 <= 1.2 * alone as f64 + 400_000.0, "{most} beside {alone}: {memory}");
    assert!(memory.plan_bytes <= 200_000, "{memory}");
}

fn memory_is_told_in_the_middle_of_a_run() {
    let session_of_closure = Arc::new(OnceLock::<Weak<Session>>::new());
    let g = Graph::new();
    let v = g.variable("v", zeros(dims![100]));
    let told = session_of_closure.clone();
    let arenas = g.from_fn("arenas", v, v.shape(), move |v: ArrayViewD<f32>| {
        let memory = told.get().and_then(Weak::upgrade).ok_or("no session")?.memory();
        Ok(v.mapv(|_| memory.arenas as f32))
    });
    let step = v.assign_add(arenas);
    let session = Arc::new(Session::new(&g).unwrap());
    session_of_closure.set(Arc::downgrade(&session)).unwrap();
    assert_eq!(session.memory().variable_bytes, 400);
    assert_eq!(session.run(step, []).unwrap().sum(), 100.0);
    let memory = session.memory();
    assert_eq!((memory.variable_bytes, memory.plans), (800, 1));
    assert_eq!(memory.total(), 800 + memory.plan_bytes + memory.arena_bytes);
}

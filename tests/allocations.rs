//! The steady state is free: after the first run of a step, the engine allocates nothing.
//!
//! A program of its own, without the test harness: its main thread allocates when it likes, and
//! everything is counted here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use abeyance::prelude::*;

mod networks;
use networks::Network;

/// The system's allocator, counting while asked to, whatever thread calls.
struct Counting;

static COUNTED: AtomicUsize = AtomicUsize::new(0);
static COUNTING: AtomicBool = AtomicBool::new(false);

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Ordering::Relaxed) {
            COUNTED.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(work: impl FnOnce()) -> usize {
    COUNTED.store(0, Ordering::SeqCst);
    COUNTING.store(true, Ordering::SeqCst);
    work();
    COUNTING.store(false, Ordering::SeqCst);
    COUNTED.load(Ordering::SeqCst)
}

fn steps_allocate_nothing(graph: &Graph, network: &Network<'_>, threads: usize, steps: usize) {
    let session = Session::with_options(graph, SessionOptions::new().threads(threads)).unwrap();
    let mnist = Mnist::load().unwrap();
    let batch = mnist.train.batches(100).next().unwrap();
    let feeds: &[Feed<'_>] = &network.feeds(&batch);

    let both = session.prepare((network.train_step, network.loss)).unwrap();
    let logits = network.y_; // an array of fixed size, fetched into place
    let mut labels = session.run(logits, feeds).unwrap();
    // The first run of each makes its plan.
    session.run(network.train_step, feeds).unwrap();
    session.run_into(logits, feeds, &mut labels).unwrap();
    both.run(feeds).unwrap();
    let run = count(|| {
        for _ in 0..steps {
            session.run(network.train_step, feeds).unwrap();
        }
    });
    let into = count(|| {
        for _ in 0..steps {
            session.run_into(logits, feeds, &mut labels).unwrap();
        }
    });
    let prepared = count(|| {
        for _ in 0..steps {
            both.run(feeds).unwrap();
        }
    });
    assert_eq!((run, into, prepared), (0, 0, 0), "allocations on {threads} threads");
    // The counter does count.
    assert!(count(|| drop(session.run(logits, feeds).unwrap())) > 0);
}

/// A branch, a loop and a recurrent cell, trained together.
fn loops_allocate_nothing(threads: usize) {
    let g = Graph::new();
    let xs = g.placeholder::<f32>("xs", dims!["T", "N", 3]);
    let w = g.variable("w", random_normal(dims![5, 5], 0.0, 0.3));
    let v = g.variable("v", random_normal(dims![3, 5], 0.0, 0.3));
    let h0 = g.zeros::<f32>(dims![xs.dim(1), 5]);
    let (_, all) = g.scan(h0, xs, |h, x| {
        let noise = x.graph().random_uniform::<f32>(dims![5], 0.9, 1.1);
        let h = (x.matmul(v) + h.matmul(w)).tanh() * noise;
        (h, h)
    });
    let (_, y) = g.while_loop(
        (g.constant(0i64), all),
        |(i, _)| i.less(7),
        |(i, y)| (i + 1, y.sigmoid() * w.reduce_sum(..)),
    );
    let small = y.reduce_max(..).less(0.5);
    let y = g.cond(small, y, |y| y * v.reduce_sum(..), |y| y.sqrt());
    let loss = y.square().reduce_mean(..);
    let train_step = GradientDescent::new(0.001).minimize(loss);
    let options = SessionOptions::new().threads(threads);
    let session = Session::with_options(&g, options).unwrap();
    let xs_ = ndarray::Array3::from_elem((6, 4, 3), 0.5f32);
    let feeds = feeds![xs => &xs_];
    session.run((loss, train_step), &feeds).unwrap();
    let run = count(|| {
        for _ in 0..100 {
            session.run((loss, train_step), &feeds).unwrap();
        }
    });
    assert_eq!(run, 0, "allocations in loops on {threads} threads");
}

fn main() {
    later_steps_allocate_nothing_on_one_and_on_three_threads();
    println!("test later_steps_allocate_nothing_on_one_and_on_three_threads ... ok");
}

fn later_steps_allocate_nothing_on_one_and_on_three_threads() {
    for threads in [1, 3] {
        loops_allocate_nothing(threads);
        for (network, steps) in [
            (networks::softmax as for<'g> fn(&'g Graph) -> Network<'g>, 300),
            (networks::five_layers_dropout, 300),
            (networks::conv_dropout, 20),
        ] {
            let g = Graph::new();
            steps_allocate_nothing(&g, &network(&g), threads, steps);
        }
    }
}

//! The time that the scheduler adds to the work: nanoseconds a task, and how long a pool takes to
//! wake.

use std::time::Duration;

use abeyance_launch::Cost;
use abeyance_scheduler::{BufferId, Program, Task, ThreadPool, Write};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Adds one to a number; `flops` is what the task claims to cost, and `spin` what it does besides.
fn add_one<'a>(reads: &'a [BufferId], writes: &'a [Write], flops: f64, spin: u64) -> Task<'a> {
    Task {
        reads,
        writes,
        cost: Cost { flops, bytes: 16.0 },
        workspace: 0,
        run: Box::new(move |call| {
            let mut value = call.input::<u64>(0)[0];
            for step in 0..spin {
                value = std::hint::black_box(value ^ step);
            }
            call.output::<u64>()[0] = value.wrapping_add(1);
            Ok(())
        }),
        after: &[],
    }
}

fn chain(tasks: usize) -> (Program, BufferId) {
    let mut builder = Program::builder();
    let x = builder.input(8, 8);
    let mut last = x;
    for _ in 0..tasks {
        let next = builder.temporary(8);
        builder.task(add_one(&[last], &[Write { buffer: next, chunk: 8 }], 1.0, 0));
        last = next;
    }
    builder.keep(last);
    (builder.build().unwrap(), x)
}

fn independent(tasks: usize, flops: f64, spin: u64) -> (Program, BufferId) {
    let mut builder = Program::builder();
    let x = builder.input(8, 8);
    for _ in 0..tasks {
        let out = builder.temporary(8);
        builder.task(add_one(&[x], &[Write { buffer: out, chunk: 8 }], flops, spin));
    }
    (builder.build().unwrap(), x)
}

fn run(
    bencher: Bencher<'_, '_>,
    (program, x): (Program, BufferId),
    threads: usize,
    pause: Option<Duration>,
) {
    let pool = ThreadPool::new(threads).unwrap();
    let mut state = program.state(threads).unwrap();
    let feed = abeyance_scheduler::AlignedBytes::zeroed(8).unwrap();
    bencher
        .counter(ItemsCount::new(program.tasks()))
        .with_inputs(|| pause.map(std::thread::sleep))
        .bench_local_values(|_| {
            let mut run = state.begin(&program, 0).unwrap();
            run.bind(x, &feed).unwrap();
            run.execute(&pool).unwrap();
        });
}

/// A chain of tiny tasks, which runs on the caller's thread.
#[divan::bench(args = [100, 10_000, 1_000_000], max_time = 2)]
fn tiny_chain(bencher: Bencher<'_, '_>, tasks: usize) {
    run(bencher, chain(tasks), 2, None);
}

/// Building the same chain.
#[divan::bench(args = [10_000, 1_000_000], max_time = 3)]
fn build_chain(bencher: Bencher<'_, '_>, tasks: usize) {
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| chain(tasks));
}

/// 10,000 independent tasks that do next to nothing.
#[divan::bench(args = [1, 2])]
fn independent_tiny(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, independent(10_000, 1.0, 0), threads, None);
}

/// Tiny tasks passed off as larger ones, so that every one goes through the queue.
#[divan::bench(args = [1, 2])]
fn independent_queued(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, independent(10_000, 8e4, 0), threads, None);
}

/// 10,000 independent tasks of about a microsecond.
#[divan::bench(args = [1, 2])]
fn independent_microsecond(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, independent(10_000, 8e4, 3_000), threads, None);
}

/// A hundred tasks of about a microsecond, in a loop that finds the helper awake.
#[divan::bench(args = [1, 2])]
fn hundred_awake(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, independent(100, 8e4, 3_000), threads, None);
}

/// Shared work with pauses after which the helper is asleep.
#[divan::bench(args = [1, 2])]
fn hundred_asleep(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, independent(100, 8e4, 3_000), threads, Some(Duration::from_millis(2)));
}

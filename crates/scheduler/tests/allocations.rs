//! From `begin` to `read` nothing is allocated, on any thread, whether times are written down or
//! not.
//!
//! A program of its own, without the test harness: its main thread allocates when it likes, and
//! everything is counted here.

#![allow(unsafe_code)] // counting allocations takes a global allocator

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use abeyance_launch::Cost;
use abeyance_scheduler::{BufferId, Program, States, Task, ThreadPool, Write};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    the_steady_state_allocates_nothing();
    println!("test the_steady_state_allocates_nothing ... ok");
    programs_by_turns_allocate_nothing();
    println!("test programs_by_turns_allocate_nothing ... ok");
}

/// So many layers of tasks, from an input to an output.
fn layers(count: usize) -> (Program, BufferId, BufferId) {
    let mut builder = Program::builder();
    let x = builder.input(4096, 8);
    let next = builder.output(4096, 8);
    let mut last = x;
    for layer in 0..count {
        let wide: Vec<_> = (0..6)
            .map(|_| {
                let temporary = builder.temporary(4096);
                builder.task(Task {
                    reads: &[last],
                    writes: &[Write { buffer: temporary, chunk: 512 }],
                    cost: Cost { flops: 4e5, bytes: 0.0 },
                    workspace: 0,
                    run: Box::new(|call| {
                        let (start, x) = (call.start::<u64>(), call.input::<u64>(0));
                        for (index, out) in call.output::<u64>().iter_mut().enumerate() {
                            *out = x[start + index].wrapping_mul(3);
                        }
                        Ok(())
                    }),
                    after: &[],
                });
                temporary
            })
            .collect();
        last = if layer + 1 == count { next } else { builder.temporary(4096) };
        builder.task(Task {
            reads: &wide,
            writes: &[Write { buffer: last, chunk: 4096 }],
            cost: Cost { flops: 1e5, bytes: 0.0 },
            workspace: 0,
            run: Box::new(|call| {
                let inputs = call.inputs();
                for index in 0..512 {
                    let sum = (0..inputs)
                        .fold(0u64, |sum, input| sum.wrapping_add(call.input::<u64>(input)[index]));
                    call.output::<u64>()[index] = sum;
                }
                Ok(())
            }),
            after: &[],
        });
    }
    (builder.build().unwrap(), x, next)
}

fn programs_by_turns_allocate_nothing() {
    let programs = [layers(20), layers(3), layers(11)];
    let feed = abeyance_scheduler::AlignedBytes::copy_of(&[1; 4096]).unwrap();
    let mut result = abeyance_scheduler::AlignedBytes::zeroed(4096).unwrap();
    for threads in [1, 3] {
        let (pool, states) = (ThreadPool::new(threads).unwrap(), States::new(threads));
        let mut turn = || {
            for (program, x, next) in &programs {
                let ran = states.with(program, |state| {
                    let mut run = state.begin(program, 0).unwrap();
                    run.bind(*x, &feed).unwrap();
                    run.bind_mut(*next, &mut result).unwrap();
                    run.execute(&pool).unwrap();
                });
                ran.unwrap();
            }
        };
        turn();
        let (before, bytes) = (ALLOCATIONS.load(SeqCst), states.bytes());
        (0..100).for_each(|_| turn());
        assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0, "with {threads} threads");
        assert_eq!((states.count(), states.bytes()), (1, bytes));
    }
}

fn the_steady_state_allocates_nothing() {
    let (program, x, next) = layers(20);
    let feed = abeyance_scheduler::AlignedBytes::copy_of(&[1; 4096]).unwrap();
    let mut result = abeyance_scheduler::AlignedBytes::zeroed(4096).unwrap();
    for threads in [1, 3] {
        let pool = ThreadPool::new(threads).unwrap();
        assert_eq!(program.runs_inline(threads), threads == 1);
        let mut state = program.state(threads).unwrap();
        let mut recording = program.recording(std::time::Instant::now()).unwrap();
        let mut step = |draw| {
            let mut run = state.begin(&program, draw).unwrap();
            run.bind(x, &feed).unwrap();
            run.bind_mut(next, &mut result).unwrap();
            match draw % 3 {
                0 => run.execute_recorded(&pool, &mut recording).unwrap(),
                _ => run.execute(&pool).unwrap(),
            }
            run.read(next).unwrap()[0]
        };
        let first = step(0);
        let before = ALLOCATIONS.load(SeqCst);
        for draw in 1..1000 {
            assert_eq!(step(draw), first);
        }
        // Also after everyone has gone to sleep.
        std::thread::sleep(std::time::Duration::from_millis(20));
        step(1000);
        step(1002);
        assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0, "with {threads} threads");
    }
}

//! A kernel that fails or panics ends the run with an error that names it, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

use abeyance_launch::{Cost, Failure};
use abeyance_scheduler::{
    AlignedBytes, BindError, BufferKind, Program, RunError, Task, TaskId, ThreadPool, Write,
};

const MUCH: Cost = Cost { flops: 1e8, bytes: 0.0 };

/// Miri, under which a run takes seconds, has a few.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 50 };

static POOLS: LazyLock<Vec<ThreadPool>> =
    LazyLock::new(|| [1, 2, 5].map(|threads| ThreadPool::new(threads).unwrap()).into());

/// 40 tasks of 4 parts, of which task 17 does what `act` says while `armed`, followed by 40 that
/// read them.
fn program(armed: &Arc<AtomicBool>, act: fn() -> Result<(), Failure>) -> Program {
    let mut builder = Program::builder();
    let mut first = vec![];
    for layer in 0..2 {
        for task in 0..40 {
            let out = builder.temporary(256);
            builder.keep(out);
            let armed = armed.clone();
            builder.task(Task {
                reads: if layer == 0 { &[] } else { &first[..40] },
                writes: &[Write { buffer: out, chunk: 64 }],
                cost: MUCH,
                workspace: 0,
                run: Box::new(move |call| {
                    if layer == 0 && task == 17 && armed.load(SeqCst) {
                        act()?;
                    }
                    call.output::<u8>().fill(7);
                    Ok(())
                }),
                after: &[],
            });
            first.push(out);
        }
    }
    builder.build().unwrap()
}

fn fails_then_recovers(act: fn() -> Result<(), Failure>, expected: RunError) {
    let armed = Arc::new(AtomicBool::new(true));
    let program = program(&armed, act);
    for pool in POOLS.iter() {
        let mut state = program.state(pool.threads()).unwrap();
        for _ in 0..ROUNDS {
            armed.store(true, SeqCst);
            let mut run = state.begin(&program, 0).unwrap();
            let error = run.execute(pool).unwrap_err();
            assert_eq!(error, expected);
            assert_eq!(error.task(), Some(TaskId(17)));
            let last = abeyance_scheduler::BufferId(79);
            assert_eq!(run.read(last), Err(BindError::NotExecuted(last)));

            armed.store(false, SeqCst);
            let mut run = state.begin(&program, 0).unwrap();
            run.execute(pool).unwrap();
            assert_eq!(run.read(last).unwrap(), [7; 256]);
        }
    }
}

/// Keeps the panics that the tests provoke out of their output.
fn quietly() {
    std::panic::set_hook(Box::new(|info| match info.payload_as_str() {
        None | Some("index 12 is out of range" | "again") => {}
        Some(_) => eprintln!("{info}"),
    }));
}

#[test]
fn a_failing_kernel_is_named() {
    let failure = Failure("division by zero".into());
    let expected = RunError::Failed { task: TaskId(17), failure };
    assert_eq!(expected.to_string(), "t17: division by zero");
    fails_then_recovers(|| Err(Failure("division by zero".into())), expected);
}

#[test]
fn a_panicking_kernel_is_named() {
    quietly();
    let message = "index 12 is out of range".to_owned();
    let expected = RunError::Panicked { task: TaskId(17), message };
    fails_then_recovers(|| panic!("index {} is out of range", 12), expected);
}

#[test]
fn a_kernel_may_panic_with_anything() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    quietly();
    let message = "a panic without a message".to_owned();
    let expected = RunError::Panicked { task: TaskId(17), message };
    fails_then_recovers(|| std::panic::panic_any(Bomb), expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut builder = Program::builder();
    let x = builder.input(8, 8);
    let out = builder.output(8, 8);
    let middle = builder.temporary(8);
    let copy = || -> abeyance_launch::Function {
        Box::new(|call| {
            call.output::<u64>()[0] = call.input::<u64>(0)[0];
            Ok(())
        })
    };
    for (reads, writes) in [(x, middle), (middle, out)] {
        builder.task(Task {
            reads: &[reads],
            writes: &[Write { buffer: writes, chunk: 8 }],
            cost: Cost::default(),
            workspace: 0,
            run: copy(),
            after: &[],
        });
    }
    let program = builder.build().unwrap();
    let pool = ThreadPool::new(1).unwrap();
    let bytes = AlignedBytes::zeroed(16).unwrap();
    let mut result = AlignedBytes::zeroed(8).unwrap();
    let mut state = program.state(1).unwrap();
    let mut run = state.begin(&program, 0).unwrap();
    assert_eq!(run.execute(&pool), Err(RunError::Unbound(x)));
    let length = BindError::Length { buffer: x, expected: 8, given: 16 };
    assert_eq!(run.bind(x, &bytes), Err(length));
    let alignment = BindError::Alignment { buffer: x, alignment: 8 };
    assert_eq!(run.bind(x, &bytes[1..9]), Err(alignment));
    let kind = BindError::Kind { buffer: out, kind: BufferKind::Output, asked: BufferKind::Input };
    assert_eq!(run.bind(out, &bytes[..8]), Err(kind));
    let nobody = abeyance_scheduler::BufferId(99);
    assert_eq!(run.bind(nobody, &bytes), Err(BindError::NoSuchBuffer(nobody)));
    run.bind(x, &bytes[..8]).unwrap();
    assert_eq!(run.execute(&pool), Err(RunError::Unbound(out)));
    run.bind_mut(out, &mut result).unwrap();
    assert_eq!(run.read(out), Err(BindError::NotExecuted(out)));
    run.execute(&pool).unwrap();
    assert_eq!(run.read(out).unwrap(), [0; 8]);
    assert_eq!(run.read(middle), Err(BindError::NotKept(middle)));

    // More threads than the state has room for.
    let two = ThreadPool::new(2).unwrap();
    let mut run = state.begin(&program, 1).unwrap();
    run.bind(x, &bytes[..8]).unwrap();
    run.bind_mut(out, &mut result).unwrap();
    assert_eq!(run.execute(&two), Err(RunError::Threads { threads: 2, most: 1 }));
    run.execute(&pool).unwrap();

    // What was bound belongs to the run it was bound in.
    let mut run = state.begin(&program, 1).unwrap();
    assert_eq!(run.execute(&pool), Err(RunError::Unbound(x)));
}

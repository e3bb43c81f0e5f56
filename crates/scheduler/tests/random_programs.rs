//! Random programs give, for any number of threads, bit for bit what running their tasks one by one
//! gives.

use abeyance_launch::{ALIGNMENT, Call, Cost, Failure};
use abeyance_scheduler::{
    AlignedBytes, BufferId, Program, Run, RunError, State, States, Task, TaskId, TaskInfo,
    ThreadPool, Write,
};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Pools are shared by all cases; more threads than cores make the interleavings more various.
static POOLS: LazyLock<Vec<ThreadPool>> =
    LazyLock::new(|| [1, 2, 3, 8].map(|threads| ThreadPool::new(threads).unwrap()).into());

/// So are the states of each, in which every program finds what others have left.
static STATES: LazyLock<Vec<States>> =
    LazyLock::new(|| POOLS.iter().map(|pool| States::new(pool.threads())).collect());

/// A buffer that a task fills.
#[derive(Clone, Debug)]
struct Written {
    /// Elements of a part, and of the last part where there are parts at all.
    chunk: usize,
    last: usize,
    output: bool,
    keep: bool,
}

impl Written {
    /// Elements, when cut into so many parts.
    fn length(&self, parts: usize) -> usize {
        match parts {
            0 => 0,
            _ => (parts - 1) * self.chunk + self.last.min(self.chunk),
        }
    }
}

fn written(longest: usize) -> impl Strategy<Value = Written> {
    (1..longest, 1..longest, prop::bool::weighted(0.1), prop::bool::weighted(0.1))
        .prop_map(|(chunk, last, output, keep)| Written { chunk, last, output, keep })
}

#[derive(Clone, Debug)]
struct Sketch {
    parts: usize,
    writes: Vec<Written>,
    reads: Vec<usize>,
    after: Vec<usize>,
    /// Elements of the workspace.
    workspace: usize,
    fails: bool,
    microseconds: u8,
}

fn sketch(failures: bool) -> impl Strategy<Value = Sketch> {
    let cut = prop_oneof![
        2 => (0usize..2, prop::collection::vec(written(4), 1..3)),
        6 => (1usize..20, prop::collection::vec(written(40), 1..4)),
        1 => (1usize..100, prop::collection::vec(written(400), 1..3)),
    ];
    (
        cut,
        prop::collection::vec(0usize..1000, 0..4),
        prop::collection::vec(0usize..1000, 0..2),
        prop_oneof![Just(0), 1usize..200],
        prop::bool::weighted(if failures { 0.05 } else { 0.0 }),
        0u8..20,
    )
        .prop_map(|((parts, writes), reads, after, workspace, fails, microseconds)| Sketch {
            parts,
            writes,
            reads,
            after,
            workspace,
            fails,
            microseconds,
        })
}

/// The value of element `index` of a task from what it reads: order matters, and so does every bit.
fn element(task: usize, index: usize, draw: u64, reads: &[&[u64]]) -> u64 {
    let mut value = draw ^ (task as u64) << 32 ^ index as u64;
    for read in reads {
        let other = if read.is_empty() {
            1
        } else {
            read[index % read.len()] ^ read[(index * 7 + task) % read.len()]
        };
        value = (value ^ other).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
    value
}

const INPUT: usize = 100;

struct Built {
    program: Program,
    input: BufferId,
    /// Everything that tasks fill, in their order.
    buffers: Vec<(Written, BufferId)>,
}

/// The work of a task's kernel, but for the failure.
fn work(call: &mut Call<'_>, task: usize, workspace: usize) {
    let reads: Vec<&[u64]> = (0..call.inputs()).map(|index| call.input(index)).collect();
    let (part, draw) = (call.part(), call.run_counter());
    let (_, outputs, bytes) = call.split();
    assert_eq!((bytes.len(), bytes.as_ptr().addr() % ALIGNMENT), (workspace * 8, 0));
    // The values go by way of the workspace, so that they are wrong if another thread has the same.
    let workspace: &mut [u64] = bytemuck::cast_slice_mut(bytes);
    for (place, word) in workspace.iter_mut().enumerate() {
        *word = (task * 1000 + part + place) as u64;
    }
    for (output, piece) in outputs.into_iter().enumerate() {
        let start = piece.start::<u64>();
        for (offset, out) in piece.cast::<u64>().iter_mut().enumerate() {
            let value = element(task + output * 1000, start + offset, draw, &reads);
            if workspace.is_empty() {
                *out = value;
                continue;
            }
            let word = &mut workspace[offset % workspace.len()];
            let before = std::mem::replace(word, value);
            *out = std::mem::replace(word, before);
        }
    }
    for (place, &word) in workspace.iter().enumerate() {
        assert_eq!(word, (task * 1000 + part + place) as u64, "somebody else wrote here");
    }
}

fn build(sketches: &[Sketch]) -> Built {
    let mut builder = Program::builder();
    let input = builder.input(INPUT * 8, 8);
    let mut buffers: Vec<(Written, BufferId)> = vec![];
    for (task, sketch) in sketches.iter().enumerate() {
        let reads: Vec<BufferId> = sketch
            .reads
            .iter()
            .map(|&pick| match buffers.len() {
                0 => input,
                count => buffers[pick % count].1,
            })
            .collect();
        let after: Vec<TaskId> = match task {
            0 => vec![],
            _ => sketch.after.iter().map(|&pick| TaskId((pick % task) as u32)).collect(),
        };
        let mut writes = vec![];
        for written in &sketch.writes {
            let bytes = written.length(sketch.parts) * 8;
            let buffer =
                if written.output { builder.output(bytes, 8) } else { builder.temporary(bytes) };
            if written.keep {
                builder.keep(buffer);
            }
            writes.push(Write { buffer, chunk: written.chunk * 8 });
            buffers.push((written.clone(), buffer));
        }
        let (fails, workspace) = (sketch.fails, sketch.workspace);
        builder.task(Task {
            reads: &reads,
            writes: &writes,
            cost: Cost { flops: f64::from(sketch.microseconds) * 8e4, bytes: 0.0 },
            workspace: workspace * 8,
            run: Box::new(move |call| {
                if fails {
                    let text = format!("task {task} part {}", call.part());
                    if task % 2 == 0 {
                        panic!("{text}");
                    }
                    return Err(Failure(text));
                }
                work(call, task, workspace);
                Ok(())
            }),
            after: &after,
        });
    }
    Built { program: builder.build().unwrap(), input, buffers }
}

/// Every value by running tasks one after the other with memory of their own, up to the first
/// failure.
fn serially(sketches: &[Sketch], input: &[u64], draw: u64) -> Result<Vec<Vec<u64>>, usize> {
    let mut values: Vec<Vec<u64>> = vec![];
    for (task, sketch) in sketches.iter().enumerate() {
        if sketch.fails && sketch.parts > 0 {
            return Err(task);
        }
        let reads: Vec<&[u64]> = sketch
            .reads
            .iter()
            .map(|&pick| match values.len() {
                0 => input,
                count => &values[pick % count],
            })
            .collect();
        let filled = sketch.writes.iter().enumerate().map(|(output, written)| {
            let elements = 0..written.length(sketch.parts);
            elements.map(|index| element(task + output * 1000, index, draw, &reads)).collect()
        });
        let filled: Vec<Vec<u64>> = filled.collect();
        values.extend(filled);
    }
    Ok(values)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn check(sketches: &[Sketch], built: &Built, state: &mut State, pool: &ThreadPool, draw: u64) {
    let input: Vec<u64> = (0..INPUT as u64).map(|index| index * draw).collect();
    let mut bytes = AlignedBytes::zeroed(INPUT * 8).unwrap();
    for (slot, word) in bytes.chunks_exact_mut(8).zip(&input) {
        slot.copy_from_slice(&word.to_ne_bytes());
    }
    let length = |buffer: BufferId| built.program.buffer(buffer).unwrap().length;
    let mut outputs: Vec<AlignedBytes> = (built.buffers.iter())
        .map(|&(_, buffer)| AlignedBytes::zeroed(length(buffer)).unwrap())
        .collect();
    let mut run: Run<'_> = state.begin(&built.program, draw).unwrap();
    run.bind(built.input, &bytes).unwrap();
    for ((written, buffer), output) in built.buffers.iter().zip(&mut outputs) {
        if written.output {
            run.bind_mut(*buffer, output).unwrap();
        }
    }
    let result = run.execute(pool);
    match serially(sketches, &input, draw) {
        Ok(values) => {
            result.unwrap();
            for ((written, buffer), value) in built.buffers.iter().zip(&values) {
                if written.output || written.keep {
                    assert_eq!(&words(run.read(*buffer).unwrap()), value);
                }
            }
        }
        Err(task) => {
            let id = TaskId(task as u32);
            let text = format!("task {task} part 0");
            let expected = match task % 2 {
                0 => RunError::Panicked { task: id, message: text },
                _ => RunError::Failed { task: id, failure: Failure(text) },
            };
            assert_eq!(result, Err(expected));
        }
    }
}

/// Keeps the panics that a test provokes out of its output.
fn quietly() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or_default();
        if !text.starts_with("task ") {
            eprintln!("{info}");
        }
    }));
}

/// The number of cases that `PROPTEST_CASES` says, which sanitizers keep low.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 1000 }),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_number_of_threads_gives_the_same_bits(sketches in prop::collection::vec(sketch(false), 1..150)) {
        let built = build(&sketches);
        for (pool, states) in POOLS.iter().zip(STATES.iter()) {
            let run = |state: &mut State| {
                (1..4).for_each(|draw| check(&sketches, &built, state, pool, draw));
            };
            states.with(&built.program, run).unwrap();
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_error(sketches in prop::collection::vec(sketch(true), 1..150)) {
        quietly();
        let built = build(&sketches);
        for (pool, states) in POOLS.iter().zip(STATES.iter()) {
            let run = |state: &mut State| {
                (1..4).for_each(|draw| check(&sketches, &built, state, pool, draw));
            };
            states.with(&built.program, run).unwrap();
        }
    }

    /// Two tasks that touch a byte, one of them writing, are ordered; by brute force over every
    /// pair.
    #[test]
    fn tasks_that_share_memory_are_ordered(sketches in prop::collection::vec(sketch(false), 1..100)) {
        let Built { program, .. } = build(&sketches);
        let mut before: Vec<Vec<bool>> = vec![];
        for task in 0..program.tasks() {
            let mut row = vec![false; task];
            for dependency in program.task(TaskId(task as u32)).unwrap().dependencies {
                row[dependency.0 as usize] = true;
                for (earlier, &reached) in before[dependency.0 as usize].iter().enumerate() {
                    row[earlier] |= reached;
                }
            }
            before.push(row);
        }
        let place = |buffer: BufferId| {
            let info = program.buffer(buffer).unwrap();
            info.offset.map(|offset| offset..offset + info.length)
        };
        let clash = |a: BufferId, b: BufferId| match (place(a), place(b)) {
            (Some(a), Some(b)) => a.start < b.end && b.start < a.end,
            _ => a == b,
        };
        for (later, before) in before.iter().enumerate() {
            let second = program.task(TaskId(later as u32)).unwrap();
            for (earlier, &ordered) in before.iter().enumerate() {
                let first = program.task(TaskId(earlier as u32)).unwrap();
                let fills = |task: &TaskInfo<'_>, buffer: BufferId| {
                    task.writes.iter().any(|write| clash(write.buffer, buffer))
                };
                let shared = second.reads.iter().any(|&read| fills(&first, read))
                    || first.reads.iter().any(|&read| fills(&second, read))
                    || first.writes.iter().any(|write| fills(&second, write.buffer));
                prop_assert!(!shared || ordered, "{earlier} and {later}");
            }
            // What one task touches.
            for (index, write) in second.writes.iter().enumerate() {
                let others = second.writes[..index].iter().map(|other| other.buffer);
                for other in others.chain(second.reads.iter().copied()) {
                    prop_assert!(!clash(write.buffer, other), "{later} over itself");
                }
            }
        }
    }
}

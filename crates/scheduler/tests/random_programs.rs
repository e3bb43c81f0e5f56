//! Random programs give, for any number of threads, bit for bit what running their tasks one by one gives.

use abeyance_kernels::launch::{Cost, Failure};
use abeyance_scheduler::{
    AlignedBytes, BufferId, Program, Run, RunError, State, Task, TaskId, Workers,
};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Pools are shared by all cases; more threads than cores make the interleavings more various.
static POOLS: LazyLock<Vec<Workers>> =
    LazyLock::new(|| [1, 2, 3, 8].map(|threads| Workers::new(threads).unwrap()).into());

#[derive(Clone, Debug)]
struct Sketch {
    /// Elements of the buffer, elements of a part.
    length: usize,
    chunk: usize,
    reads: Vec<usize>,
    after: Vec<usize>,
    output: bool,
    keep: bool,
    fails: bool,
    microseconds: u8,
}

fn sketch(failures: bool) -> impl Strategy<Value = Sketch> {
    let length = prop_oneof![2 => 0usize..4, 6 => 1usize..300, 1 => 9_000usize..20_000];
    (
        length,
        1usize..200,
        prop::collection::vec(0usize..1000, 0..4),
        prop::collection::vec(0usize..1000, 0..2),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::bool::weighted(if failures { 0.05 } else { 0.0 }),
        0u8..20,
    )
        .prop_map(|(length, chunk, reads, after, output, keep, fails, microseconds)| Sketch {
            length,
            chunk,
            reads,
            after,
            output,
            keep,
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
    buffers: Vec<BufferId>,
}

fn build(sketches: &[Sketch]) -> Built {
    let mut builder = Program::builder();
    let input = builder.input(INPUT * 8, 8);
    let mut buffers: Vec<BufferId> = vec![];
    for (task, sketch) in sketches.iter().enumerate() {
        let bytes = sketch.length * 8;
        let writes =
            if sketch.output { builder.output(bytes, 8) } else { builder.temporary(bytes) };
        if sketch.keep {
            builder.keep(writes);
        }
        let reads: Vec<BufferId> = sketch
            .reads
            .iter()
            .map(|&pick| if task == 0 { input } else { buffers[pick % task] })
            .collect();
        let after: Vec<TaskId> = match task {
            0 => vec![],
            _ => sketch.after.iter().map(|&pick| TaskId((pick % task) as u32)).collect(),
        };
        let fails = sketch.fails;
        builder.task(Task {
            reads: &reads,
            writes,
            chunk: sketch.chunk * 8,
            cost: Cost { flops: f64::from(sketch.microseconds) * 1e4, bytes: 0.0 },
            run: Box::new(move |call| {
                let reads: Vec<&[u64]> =
                    (0..call.inputs()).map(|index| call.input(index)).collect();
                let (start, draw) = (call.start::<u64>(), call.draw());
                if fails {
                    let text = format!("task {task} part {}", call.part());
                    if task % 2 == 0 {
                        panic!("{text}");
                    }
                    return Err(Failure(text));
                }
                for (offset, out) in call.output::<u64>().iter_mut().enumerate() {
                    *out = element(task, start + offset, draw, &reads);
                }
                Ok(())
            }),
            after: &after,
        });
        buffers.push(writes);
    }
    Built { program: builder.build().unwrap(), input, buffers }
}

/// Every value by running tasks one after the other with memory of their own, up to the first failure.
fn serially(sketches: &[Sketch], input: &[u64], draw: u64) -> Result<Vec<Vec<u64>>, usize> {
    let mut values: Vec<Vec<u64>> = vec![];
    for (task, sketch) in sketches.iter().enumerate() {
        if sketch.fails && sketch.length > 0 {
            return Err(task);
        }
        let reads: Vec<&[u64]> = sketch
            .reads
            .iter()
            .map(|&pick| if task == 0 { input } else { &values[pick % task] })
            .collect();
        values.push((0..sketch.length).map(|index| element(task, index, draw, &reads)).collect());
    }
    Ok(values)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn check(sketches: &[Sketch], built: &Built, state: &mut State, workers: &Workers, draw: u64) {
    let input: Vec<u64> = (0..INPUT as u64).map(|index| index * draw).collect();
    let mut bytes = AlignedBytes::zeroed(INPUT * 8).unwrap();
    for (slot, word) in bytes.chunks_exact_mut(8).zip(&input) {
        slot.copy_from_slice(&word.to_ne_bytes());
    }
    let mut outputs: Vec<AlignedBytes> =
        sketches.iter().map(|sketch| AlignedBytes::zeroed(sketch.length * 8).unwrap()).collect();
    let mut run: Run<'_> = state.begin(&built.program, draw).unwrap();
    run.bind(built.input, &bytes).unwrap();
    for ((sketch, &buffer), output) in sketches.iter().zip(&built.buffers).zip(&mut outputs) {
        if sketch.output {
            run.bind_mut(buffer, output).unwrap();
        }
    }
    let result = run.execute(workers);
    match serially(sketches, &input, draw) {
        Ok(values) => {
            result.unwrap();
            for ((sketch, &buffer), value) in sketches.iter().zip(&built.buffers).zip(&values) {
                if sketch.output || sketch.keep {
                    assert_eq!(&words(run.read(buffer).unwrap()), value);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 1000 }))]

    #[test]
    fn any_number_of_threads_gives_the_same_bits(sketches in prop::collection::vec(sketch(false), 1..150)) {
        let built = build(&sketches);
        for workers in POOLS.iter() {
            let mut state = built.program.state().unwrap();
            for draw in 1..4 {
                check(&sketches, &built, &mut state, workers, draw);
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_error(sketches in prop::collection::vec(sketch(true), 1..150)) {
        quietly();
        let built = build(&sketches);
        for workers in POOLS.iter() {
            let mut state = built.program.state().unwrap();
            for draw in 1..4 {
                check(&sketches, &built, &mut state, workers, draw);
            }
        }
    }

    /// Two tasks that touch a byte, one of them writing, are ordered; by brute force over every pair.
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
        for (later, before) in before.iter().enumerate() {
            let second = program.task(TaskId(later as u32)).unwrap();
            for (earlier, &ordered) in before.iter().enumerate() {
                let first = program.task(TaskId(earlier as u32)).unwrap();
                let clash = |a: BufferId, b: BufferId| match (place(a), place(b)) {
                    (Some(a), Some(b)) => a.start < b.end && b.start < a.end,
                    _ => a == b,
                };
                let shared = second.reads.iter().any(|&read| clash(first.writes, read))
                    || first.reads.iter().any(|&read| clash(second.writes, read))
                    || clash(first.writes, second.writes);
                prop_assert!(!shared || ordered, "{earlier} and {later}");
            }
            let apart = second.reads.iter().all(|&read| match (place(read), place(second.writes)) {
                (Some(read), Some(written)) => read.end <= written.start || written.end <= read.start,
                _ => read != second.writes,
            });
            prop_assert!(apart);
        }
    }
}

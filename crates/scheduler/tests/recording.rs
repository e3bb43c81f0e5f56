//! A recorded run has every part once, in an order that its dependencies allow.

use std::collections::HashMap;
use std::time::Instant;

use abeyance_launch::{Cost, Failure};
use abeyance_scheduler::{
    AlignedBytes, BufferId, PartTime, Program, RunError, Task, TaskId, ThreadPool, Write,
};

const MUCH: Cost = Cost { flops: 1e8, bytes: 0.0 };

/// Miri, under which a run takes seconds, has a few.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 50 };

/// Layers of `width` tasks of three parts, each of which reads all of the layer before it. The task
/// that is told to fails.
fn layers(depth: usize, width: usize, fails: Option<usize>) -> (Program, BufferId) {
    let mut builder = Program::builder();
    let mut before = vec![builder.constant(AlignedBytes::copy_of(&[1; 192]).unwrap())];
    for layer in 0..depth {
        let mut here = vec![];
        for task in layer * width..(layer + 1) * width {
            let buffer = builder.temporary(192);
            builder.task(Task {
                reads: &before,
                writes: &[Write { buffer, chunk: 64 }],
                cost: MUCH,
                workspace: 0,
                run: Box::new(move |call| {
                    let sum = (0..call.inputs())
                        .fold(task as u8, |sum, input| sum ^ call.input::<u8>(input)[7]);
                    call.output::<u8>().fill(sum);
                    if fails == Some(task) && call.part() == 1 {
                        Err(Failure("told to".into()))
                    } else {
                        Ok(())
                    }
                }),
                after: &[],
            });
            here.push(buffer);
        }
        before = here;
    }
    builder.keep(before[0]);
    (builder.build().unwrap(), before[0])
}

#[test]
fn every_part_is_there_in_the_order_of_its_dependencies() {
    let (program, last) = layers(12, 5, None);
    let mut results = vec![];
    for threads in [1, 2, 5] {
        let pool = ThreadPool::new(threads).unwrap();
        let mut state = program.state(threads).unwrap();
        let mut recording = program.recording(Instant::now()).unwrap();
        assert_eq!(recording.parts().count(), 0);
        for _ in 0..ROUNDS {
            let mut run = state.begin(&program, 0).unwrap();
            run.execute_recorded(&pool, &mut recording).unwrap();
            results.push(run.read(last).unwrap().to_vec());

            let parts: Vec<PartTime> = recording.parts().collect();
            let expected: Vec<_> =
                (0..60).flat_map(|task| [(task, 0), (task, 1), (task, 2)]).collect();
            let found: Vec<_> = parts.iter().map(|part| (part.task.0, part.part)).collect();
            assert_eq!(found, expected);
            assert_eq!(recording.threads(), threads);

            let mut ends: HashMap<TaskId, u64> = HashMap::new();
            let mut starts: HashMap<TaskId, u64> = HashMap::new();
            for part in &parts {
                assert!(recording.start_ns() <= part.start_ns && part.start_ns <= part.end_ns);
                assert!(part.end_ns <= recording.end_ns() && part.thread < threads);
                let end = ends.entry(part.task).or_default();
                *end = part.end_ns.max(*end);
                let start = starts.entry(part.task).or_insert(u64::MAX);
                *start = part.start_ns.min(*start);
            }
            for (task, start) in &starts {
                for dependency in program.task(*task).unwrap().dependencies {
                    assert!(ends[dependency] <= *start, "{task} before {dependency}");
                }
            }
            for thread in 0..threads {
                let mut mine: Vec<_> = parts.iter().filter(|part| part.thread == thread).collect();
                mine.sort_by_key(|part| (part.start_ns, part.end_ns));
                assert!(mine.windows(2).all(|pair| pair[0].end_ns <= pair[1].start_ns));
            }
        }
        let mut run = state.begin(&program, 0).unwrap();
        run.execute(&pool).unwrap();
        results.push(run.read(last).unwrap().to_vec());
    }
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn after_a_failure_the_parts_that_ended_are_there() {
    let (program, _) = layers(4, 3, Some(4));
    for threads in [1, 3] {
        let pool = ThreadPool::new(threads).unwrap();
        let mut state = program.state(threads).unwrap();
        let mut recording = program.recording(Instant::now()).unwrap();
        let mut run = state.begin(&program, 0).unwrap();
        let error = run.execute_recorded(&pool, &mut recording).unwrap_err();
        assert_eq!(error.task(), Some(TaskId(4)));
        let parts: Vec<_> = recording.parts().map(|part| (part.task.0, part.part)).collect();
        // What one thread would have run is there on any number of them; what waits for the failed
        // task is not.
        assert!((0..4).all(|task| (0..3).all(|part| parts.contains(&(task, part)))));
        assert!(parts.contains(&(4, 1)) && parts.iter().all(|&(task, _)| task < 6));
    }
}

#[test]
fn a_recording_is_for_one_program() {
    let [(program, _), (other, _)] = [layers(2, 2, None), layers(2, 2, None)];
    let pool = ThreadPool::new(1).unwrap();
    let mut state = program.state(1).unwrap();
    let mut recording = other.recording(Instant::now()).unwrap();
    let mut run = state.begin(&program, 0).unwrap();
    let refused = Err(RunError::ForeignRecording);
    assert_eq!(run.execute_recorded(&pool, &mut recording), refused);
    assert_eq!(recording.parts().count(), 0);
}

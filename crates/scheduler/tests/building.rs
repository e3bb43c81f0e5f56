//! Programs that can be built and those that cannot, and the memory of those that can.

use abeyance_launch::{Cost, Function};
use abeyance_scheduler::{
    AlignedBytes, BufferId, BuildError, Program, ProgramBuilder, Task, TaskId, ThreadPool, Write,
};

fn nothing() -> Function {
    Box::new(|_| Ok(()))
}

fn task(builder: &mut ProgramBuilder, reads: &[BufferId], writes: BufferId) -> TaskId {
    builder.task(Task {
        reads,
        writes: &[Write { buffer: writes, chunk: 64 }],
        cost: Cost::default(),
        workspace: 0,
        run: nothing(),
        after: &[],
    })
}

fn mistake(build: impl FnOnce(&mut ProgramBuilder)) -> BuildError {
    let mut builder = Program::builder();
    build(&mut builder);
    builder.build().unwrap_err()
}

fn fill(builder: &mut ProgramBuilder, writes: &[Write]) {
    let (cost, workspace, run) = (Cost::default(), 0, nothing());
    builder.task(Task { reads: &[], writes, cost, workspace, run, after: &[] });
}

#[test]
fn a_buffer_that_cannot_be_is_refused() {
    let (b0, b1) = (BufferId(0), BufferId(1));
    let found = mistake(|builder| {
        builder.input(8, 3);
    });
    assert_eq!(found, BuildError::Alignment { buffer: b0, alignment: 3 });
    let found = mistake(|builder| {
        builder.output(8, 128);
    });
    assert_eq!(found, BuildError::Alignment { buffer: b0, alignment: 128 });
    assert_eq!(mistake(|builder| builder.keep(b1)), BuildError::NoSuchBuffer(b1));
    let found = mistake(|builder| {
        builder.output(8, 8);
    });
    assert_eq!(found, BuildError::NeverWritten(b0));
}

#[test]
fn a_read_of_what_is_not_there_is_refused() {
    let (b0, b1, t0) = (BufferId(0), BufferId(1), TaskId(0));
    let found = mistake(|builder| {
        let out = builder.temporary(8);
        task(builder, &[b1], out);
    });
    assert_eq!(found, BuildError::NoSuchBuffer(b1));
    let found = mistake(|builder| {
        let out = builder.temporary(8);
        task(builder, &[out], out);
    });
    assert_eq!(found, BuildError::ReadBeforeWritten { task: t0, buffer: b0 });
}

#[test]
fn a_write_of_what_is_not_to_be_written_is_refused() {
    let (b0, t0, t1) = (BufferId(0), TaskId(0), TaskId(1));
    let found = mistake(|builder| {
        task(builder, &[], b0);
    });
    assert_eq!(found, BuildError::NoSuchBuffer(b0));
    let found = mistake(|builder| {
        let x = builder.input(8, 8);
        task(builder, &[], x);
    });
    assert_eq!(found, BuildError::ReadOnly { task: t0, buffer: b0 });
    let found = mistake(|builder| {
        let out = builder.temporary(8);
        task(builder, &[], out);
        task(builder, &[], out);
    });
    assert_eq!(found, BuildError::WrittenTwice { task: t1, buffer: b0 });
    assert_eq!(mistake(|builder| fill(builder, &[])), BuildError::NoWrite(t0));
    let found = mistake(|builder| {
        let write = Write { buffer: builder.temporary(8), chunk: 8 };
        fill(builder, &[write, write]);
    });
    assert_eq!(found, BuildError::NamedTwice { task: t0, buffer: b0 });
}

#[test]
fn a_task_whose_parts_do_not_fit_is_refused() {
    let (b0, b1, t0) = (BufferId(0), BufferId(1), TaskId(0));
    for (lengths, chunks, parts) in
        [([64, 128], [8, 8], [8, 16]), ([64, 0], [64, 8], [1, 0]), ([64, 65], [32, 32], [2, 3])]
    {
        let found = mistake(|builder| {
            let buffers = lengths.map(|length| builder.temporary(length));
            let [first, second] = [0, 1].map(|i| Write { buffer: buffers[i], chunk: chunks[i] });
            fill(builder, &[first, second]);
        });
        let (task, [parts, others]) = (t0, parts);
        assert_eq!(found, BuildError::Parts { task, buffer: b0, parts, other: b1, others });
    }
    for chunk in [0, 1] {
        let found = mistake(|builder| {
            let writes = builder.temporary(1 << 40);
            builder.task(Task {
                reads: &[],
                writes: &[Write { buffer: writes, chunk }],
                cost: Cost::default(),
                workspace: 0,
                run: nothing(),
                after: &[],
            });
        });
        assert_eq!(found, BuildError::Chunk { task: t0, chunk });
    }
}

#[test]
fn a_task_after_one_that_does_not_come_before_it_is_refused() {
    let t0 = TaskId(0);
    let found = mistake(|builder| {
        let writes = builder.temporary(8);
        builder.task(Task {
            reads: &[],
            writes: &[Write { buffer: writes, chunk: 8 }],
            cost: Cost::default(),
            workspace: 0,
            run: nothing(),
            after: &[t0],
        });
    });
    assert_eq!(found, BuildError::AfterLater { task: t0, after: t0 });
}

#[test]
fn temporaries_that_outgrow_the_address_space_are_refused() {
    let found = mistake(|builder| {
        for _ in 0..3 {
            let writes = builder.temporary(usize::MAX / 2);
            builder.keep(writes);
            builder.task(Task {
                reads: &[],
                writes: &[Write { buffer: writes, chunk: usize::MAX }],
                cost: Cost::default(),
                workspace: 0,
                run: nothing(),
                after: &[],
            });
        }
    });
    assert_eq!(found, BuildError::TooLarge(BufferId(2)));
}

#[test]
fn an_arena_that_is_not_to_be_had_is_an_error_with_its_size() {
    let mut builder = Program::builder();
    let writes = builder.temporary(1 << 60);
    builder.task(Task {
        reads: &[],
        writes: &[Write { buffer: writes, chunk: 1 << 50 }],
        cost: Cost::default(),
        workspace: 0,
        run: nothing(),
        after: &[],
    });
    let error = builder.build().unwrap().state(1).unwrap_err();
    assert_eq!(error.bytes, 1 << 60);
}

#[test]
fn workspaces_that_are_not_to_be_had_are_an_error() {
    for (workspace, threads) in [(1 << 60, 1), (1 << 40, 1 << 20), (1 << 50, 1 << 30)] {
        let mut builder = Program::builder();
        let buffer = builder.temporary(64);
        builder.task(Task {
            reads: &[],
            writes: &[Write { buffer, chunk: 1 }],
            cost: Cost { flops: 1e9, bytes: 0.0 },
            workspace,
            run: nothing(),
            after: &[],
        });
        assert!(builder.build().unwrap().state(threads).unwrap_err().bytes >= 1 << 60);
    }
}

#[test]
fn the_outputs_of_one_task_do_not_share_memory_though_nobody_reads_them() {
    let mut builder = Program::builder();
    let x = builder.temporary(1 << 20);
    task(&mut builder, &[], x);
    let after = builder.temporary(8);
    task(&mut builder, &[x], after);
    // Both would fit over what is free by now.
    let pair = [(); 2].map(|()| builder.temporary(1 << 19));
    let writes = pair.map(|buffer| Write { buffer, chunk: 64 });
    builder.task(Task {
        reads: &[after],
        writes: &writes,
        cost: Cost::default(),
        workspace: 0,
        run: nothing(),
        after: &[],
    });
    let program = builder.build().unwrap();
    let [first, second] = pair.map(|buffer| program.buffer(buffer).unwrap().offset.unwrap());
    assert_eq!(first.abs_diff(second), 1 << 19);
    assert_eq!(program.memory().arena, (1 << 20) + 64);
    assert_eq!(program.task(TaskId(2)).unwrap().writes, writes);
}

#[test]
fn a_chain_reuses_the_memory_of_what_is_dead() {
    let megabyte = 1 << 20;
    let mut builder = Program::builder();
    let mut last = builder.input(megabyte, 64);
    for _ in 0..1000 {
        let next = builder.temporary(megabyte);
        task(&mut builder, &[last], next);
        last = next;
    }
    builder.keep(last);
    let memory = builder.build().unwrap().memory();
    assert_eq!(memory.arena, 2 * megabyte);
    assert_eq!(memory.lower_bound, 2 * megabyte);
    assert_eq!(memory.total, 1000 * megabyte);
}

#[test]
fn small_branches_side_by_side_do_not_wait_for_each_others_memory() {
    let mut builder = Program::builder();
    for _ in 0..8 {
        let mut last = None;
        for _ in 0..50 {
            let next = builder.temporary(1000);
            let reads: Vec<BufferId> = last.into_iter().collect();
            task(&mut builder, &reads, next);
            last = Some(next);
        }
        builder.keep(last.unwrap());
    }
    let program = builder.build().unwrap();
    for index in 0..program.tasks() {
        let dependencies = program.task(TaskId(index as u32)).unwrap().dependencies;
        assert_eq!(dependencies.len(), usize::from(index % 50 > 0), "task {index}");
    }
    assert_eq!(program.estimate().units, 8);
    assert!(program.memory().arena <= 8 * 2 * 1024);
}

#[test]
fn implied_dependencies_are_dropped() {
    let mut builder = Program::builder();
    let buffers: Vec<BufferId> = (0..4).map(|_| builder.temporary(64)).collect();
    for index in 0..4 {
        task(&mut builder, &buffers[..index], buffers[index]);
    }
    let program = builder.build().unwrap();
    let info = program.task(TaskId(3)).unwrap();
    assert_eq!(info.reads.len(), 3);
    assert_eq!(info.dependencies, [TaskId(2)]);
    assert_eq!((info.parts, info.unit), (1, 0));
    assert_eq!(info.writes, [Write { buffer: buffers[3], chunk: 64 }]);
}

#[test]
fn empty_buffers_and_empty_programs_run() {
    let pool = ThreadPool::new(2).unwrap();
    let program = Program::builder().build().unwrap();
    program.state(2).unwrap().begin(&program, 0).unwrap().execute(&pool).unwrap();

    let mut builder = Program::builder();
    let x = builder.input(0, 64);
    let nothing = builder.constant(AlignedBytes::default());
    let out = builder.output(0, 1);
    let middle = builder.temporary(0);
    let count = builder.temporary(8);
    builder.keep(count);
    for (reads, writes) in
        [(&[x, nothing][..], middle), (&[middle], out), (&[out, middle, x], count)]
    {
        builder.task(Task {
            reads,
            writes: &[Write { buffer: writes, chunk: if writes == count { 8 } else { 0 } }],
            cost: Cost { flops: 1e9, bytes: 0.0 },
            workspace: 0,
            run: Box::new(|call| {
                assert_eq!(call.input::<u8>(1).len(), 0);
                call.output::<u64>()[0] = call.inputs() as u64;
                Ok(())
            }),
            after: &[],
        });
    }
    let program = builder.build().unwrap();
    assert_eq!(program.task(TaskId(0)).unwrap().parts, 0);
    let mut state = program.state(2).unwrap();
    let (feed, mut result) = (AlignedBytes::default(), [0u8; 0]);
    let mut run = state.begin(&program, 0).unwrap();
    run.bind(x, &feed).unwrap();
    run.bind_mut(out, &mut result).unwrap();
    run.execute(&pool).unwrap();
    assert_eq!(run.read(count).unwrap(), 3u64.to_ne_bytes());
    assert!(run.read(nothing).unwrap().is_empty());
}

#[test]
fn a_chain_of_a_million_tasks_builds_runs_and_drops() {
    let count = 1_000_000u64;
    let mut builder = Program::builder();
    let mut last = builder.constant(AlignedBytes::zeroed(8).unwrap());
    for _ in 0..count {
        let next = builder.temporary(8);
        builder.task(Task {
            reads: &[last],
            writes: &[Write { buffer: next, chunk: 8 }],
            cost: Cost { flops: 1.0, bytes: 16.0 },
            workspace: 0,
            run: Box::new(|call| {
                call.output::<u64>()[0] = call.input::<u64>(0)[0] + 1;
                Ok(())
            }),
            after: &[],
        });
        last = next;
    }
    builder.keep(last);
    let program = builder.build().unwrap();
    assert_eq!(program.memory().arena, 128);
    assert_eq!(program.estimate().units, 1);
    assert!(program.runs_inline(64));
    let pool = ThreadPool::new(2).unwrap();
    let mut state = program.state(2).unwrap();
    let mut run = state.begin(&program, 0).unwrap();
    run.execute(&pool).unwrap();
    assert_eq!(run.read(last).unwrap(), count.to_ne_bytes());
}

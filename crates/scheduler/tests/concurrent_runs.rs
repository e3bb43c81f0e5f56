//! Many runs at once on one pool, and threads that really run at the same time.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use abeyance_launch::{Call, Cost};
use abeyance_scheduler::{
    AlignedBytes, BufferId, Program, ProgramBuilder, States, Task, TaskId, ThreadPool, Write,
};

/// Enough to be worth threads.
const MUCH: Cost = Cost { flops: 1e8, bytes: 0.0 };

/// `width` branches of `depth` tasks, summed: the sum of `x[0] + branch + depth` over branches, in
/// eight places.
fn branches(width: u64, depth: usize) -> (Program, BufferId, BufferId) {
    let mut builder = Program::builder();
    let x = builder.input(64, 8);
    let ends: Vec<BufferId> = (0..width)
        .map(|branch| {
            let mut last = x;
            for level in 0..depth {
                let next = builder.temporary(64);
                let step = if level == 0 { branch + 1 } else { 1 };
                builder.task(Task {
                    reads: &[last],
                    writes: &[Write { buffer: next, chunk: 16 }],
                    cost: MUCH,
                    workspace: 0,
                    run: Box::new(move |call| {
                        let (start, x) = (call.start::<u64>(), call.input::<u64>(0));
                        for (index, out) in call.output::<u64>().iter_mut().enumerate() {
                            *out = x[start + index] + step;
                        }
                        Ok(())
                    }),
                    after: &[],
                });
                last = next;
            }
            last
        })
        .collect();
    let sum = builder.temporary(64);
    builder.keep(sum);
    builder.task(Task {
        reads: &ends,
        writes: &[Write { buffer: sum, chunk: 64 }],
        cost: MUCH,
        workspace: 0,
        run: Box::new(|call| {
            let inputs = call.inputs();
            for index in 0..8 {
                let total = (0..inputs).map(|input| call.input::<u64>(input)[index]).sum();
                call.output::<u64>()[index] = total;
            }
            Ok(())
        }),
        after: &[],
    });
    (builder.build().unwrap(), x, sum)
}

fn feed(value: u64) -> AlignedBytes {
    AlignedBytes::copy_of(&[value.to_ne_bytes(); 8].concat()).unwrap()
}

#[test]
fn four_threads_share_one_pool() {
    let (program, x, sum) = branches(5, 10);
    for threads in [2, 4] {
        let pool = Arc::new(ThreadPool::new(threads).unwrap());
        std::thread::scope(|scope| {
            for caller in 0..4u64 {
                let (pool, program) = (pool.clone(), &program);
                scope.spawn(move || {
                    let mut state = program.state(pool.threads()).unwrap();
                    for round in 0..300u64 {
                        // The feed goes at the end of every round: nobody may hold on to it.
                        let value = caller * 1000 + round;
                        let feed = feed(value);
                        let mut run = state.begin(program, round).unwrap();
                        run.bind(x, &feed).unwrap();
                        run.execute(&pool).unwrap();
                        let expected = 5 * (value + 10) + 10;
                        assert_eq!(run.read(sum).unwrap()[..8], expected.to_ne_bytes());
                    }
                });
            }
        });
    }
}

#[test]
fn programs_of_all_sizes_share_as_many_states_as_there_are_runs_at_a_time() {
    const CALLERS: usize = 4;
    let programs = [(1, 1), (2, 3), (5, 10), (3, 40), (1, 200)].map(|(width, depth)| {
        let (program, x, sum) = branches(width, depth);
        (program, x, sum, width, depth as u64)
    });
    for threads in [1, 3] {
        let (pool, states) = (ThreadPool::new(threads).unwrap(), States::new(threads));
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (pool, states, programs) = (&pool, &states, &programs);
                scope.spawn(move || {
                    for round in 0..100usize {
                        let (program, x, sum, width, depth) =
                            &programs[(caller * 3 + round * round) % programs.len()];
                        let value = (caller * 1000 + round) as u64;
                        let feed = feed(value);
                        let run = states.with(program, |state| {
                            let mut run = state.begin(program, 0).unwrap();
                            run.bind(*x, &feed).unwrap();
                            run.execute(pool).unwrap();
                            run.read(*sum).unwrap()[..8].to_vec()
                        });
                        // Branch b gives value + b + depth.
                        let expected = width * (value + depth) + width * (width - 1) / 2;
                        assert_eq!(run.unwrap(), expected.to_ne_bytes());
                    }
                });
            }
        });
        assert!((1..=CALLERS).contains(&states.count()), "{states:?}");
        let mut largest = States::new(threads);
        for (program, ..) in &programs {
            let alone = States::new(threads);
            alone.with(program, |_| ()).unwrap();
            if alone.bytes() > largest.bytes() {
                largest = alone;
            }
        }
        // Each table, queue and arena is at most twice what the largest of the programs asks for.
        assert!(states.bytes() <= 2 * CALLERS * largest.bytes(), "{states:?} {largest:?}");
    }
}

#[test]
fn more_runs_at_once_than_helpers_can_join() {
    let (program, x, sum) = branches(3, 3);
    let pool = ThreadPool::new(3).unwrap();
    let barrier = Barrier::new(24);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let feed = feed(1);
                let mut state = program.state(pool.threads()).unwrap();
                barrier.wait();
                for draw in 0..50 {
                    let mut run = state.begin(&program, draw).unwrap();
                    run.bind(x, &feed).unwrap();
                    run.execute(&pool).unwrap();
                    assert_eq!(run.read(sum).unwrap()[..8], (3 * 4 + 3u64).to_ne_bytes());
                }
            });
        }
    });
}

#[test]
fn ten_thousand_runs_in_a_row() {
    let (program, x, sum) = branches(4, 4);
    let pool = ThreadPool::new(2).unwrap();
    assert!(!program.runs_inline(2));
    let mut state = program.state(pool.threads()).unwrap();
    for value in 0..10_000u64 {
        let feed = feed(value);
        let mut run = state.begin(&program, value).unwrap();
        run.bind(x, &feed).unwrap();
        run.execute(&pool).unwrap();
        assert_eq!(run.read(sum).unwrap()[56..], (4 * (value + 4) + 6).to_ne_bytes());
    }
}

/// A program of `tasks` tasks of `parts` parts, each of which waits until all have arrived.
fn rendezvous(tasks: usize, parts: usize, arrived: &Arc<AtomicUsize>) -> Program {
    let mut builder = Program::builder();
    for _ in 0..tasks {
        let out = builder.temporary(parts * 64);
        let (arrived, all) = (arrived.clone(), tasks * parts);
        builder.task(Task {
            reads: &[],
            writes: &[Write { buffer: out, chunk: 64 }],
            cost: MUCH,
            workspace: 0,
            run: Box::new(move |call| {
                arrived.fetch_add(1, SeqCst);
                // The limit is there for the test to end if the promise is broken.
                let start = Instant::now();
                while arrived.load(SeqCst) < all && start.elapsed() < Duration::from_secs(20) {
                    std::thread::yield_now();
                }
                call.output::<u8>().fill(u8::from(arrived.load(SeqCst) >= all));
                Ok(())
            }),
            after: &[],
        });
        builder.keep(out);
    }
    builder.build().unwrap()
}

fn meets(tasks: usize, parts: usize) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let program = rendezvous(tasks, parts, &arrived);
    let pool = ThreadPool::new(tasks * parts).unwrap();
    let mut state = program.state(pool.threads()).unwrap();
    for round in 0..20 {
        arrived.store(0, SeqCst);
        if round % 5 == 4 {
            std::thread::sleep(Duration::from_millis(2)); // helpers are asleep by now
        }
        let mut run = state.begin(&program, 0).unwrap();
        run.execute(&pool).unwrap();
        for task in 0..tasks {
            assert!(run.read(BufferId(task as u32)).unwrap().iter().all(|&met| met == 1));
        }
    }
}

#[test]
fn independent_tasks_run_at_the_same_time() {
    meets(2, 1);
    meets(4, 1);
}

#[test]
fn parts_of_a_task_run_at_the_same_time() {
    meets(1, 3);
}

#[test]
fn a_sleeping_pool_wakes_for_work_that_appears_in_the_middle_of_a_run() {
    // One long task, during which helpers fall asleep, and then two that wait for each other.
    let arrived = Arc::new(AtomicUsize::new(0));
    let mut builder = Program::builder();
    let first = builder.temporary(64);
    builder.task(Task {
        reads: &[],
        writes: &[Write { buffer: first, chunk: 64 }],
        cost: MUCH,
        workspace: 0,
        run: Box::new(|_| {
            std::thread::sleep(Duration::from_millis(10));
            Ok(())
        }),
        after: &[],
    });
    let mut met = vec![];
    for _ in 0..2 {
        let out = builder.temporary(64);
        builder.keep(out);
        met.push(out);
        let arrived = arrived.clone();
        builder.task(Task {
            reads: &[first],
            writes: &[Write { buffer: out, chunk: 64 }],
            cost: MUCH,
            workspace: 0,
            run: Box::new(move |call| {
                arrived.fetch_add(1, SeqCst);
                let start = Instant::now();
                while arrived.load(SeqCst) < 2 && start.elapsed() < Duration::from_secs(20) {
                    std::thread::yield_now();
                }
                call.output::<u8>().fill(u8::from(arrived.load(SeqCst) >= 2));
                Ok(())
            }),
            after: &[],
        });
    }
    let program = builder.build().unwrap();
    let pool = ThreadPool::new(2).unwrap();
    let mut state = program.state(pool.threads()).unwrap();
    for _ in 0..10 {
        arrived.store(0, SeqCst);
        let mut run = state.begin(&program, 0).unwrap();
        run.execute(&pool).unwrap();
        assert!(met.iter().all(|&out| run.read(out).unwrap()[0] == 1));
    }
}

/// Waits until a count is `least`, for so many seconds at most. Returns true if it is.
fn wait_for(count: &AtomicUsize, least: usize, seconds: u64) -> bool {
    let start = Instant::now();
    while count.load(SeqCst) < least && start.elapsed() < Duration::from_secs(seconds) {
        std::thread::yield_now();
    }
    count.load(SeqCst) >= least
}

/// Appends a task of one part, whose buffer it returns.
fn add_task(
    builder: &mut ProgramBuilder,
    reads: &[BufferId],
    cost: Cost,
    run: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
) -> BufferId {
    let buffer = builder.temporary(64);
    builder.task(Task {
        reads,
        writes: &[Write { buffer, chunk: 64 }],
        cost,
        workspace: 0,
        run: Box::new(move |call| {
            run(call);
            Ok(())
        }),
        after: &[],
    });
    buffer
}

#[test]
fn where_every_thread_has_a_run_of_its_own_nobody_helps() {
    const RUNS: usize = 4;
    // Each run waits in its first task until all have started, and in its last until all have come
    // so far; in between are many parts, for which helpers would come.
    let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let meet = |builder: &mut ProgramBuilder, reads: &[BufferId], count: &Arc<AtomicUsize>| {
        let count = count.clone();
        add_task(builder, reads, MUCH, move |_| {
            count.fetch_add(1, SeqCst);
            wait_for(&count, RUNS, 20);
        })
    };
    let mut builder = Program::builder();
    let mut last = meet(&mut builder, &[], &started);
    for _ in 0..20 {
        let buffer = builder.temporary(64 * 16);
        builder.task(Task {
            reads: &[last],
            writes: &[Write { buffer, chunk: 64 }],
            cost: MUCH,
            workspace: 0,
            run: Box::new(|call| {
                call.output::<u8>().fill(1);
                std::thread::yield_now();
                Ok(())
            }),
            after: &[],
        });
        last = buffer;
    }
    meet(&mut builder, &[last], &ended);
    let program = builder.build().unwrap();
    let pool = ThreadPool::new(RUNS).unwrap();
    let foreign = rayon::ThreadPoolBuilder::new().num_threads(RUNS).build().unwrap();
    for _ in 0..20 {
        started.store(0, SeqCst);
        ended.store(0, SeqCst);
        let helped = foreign.broadcast(|_| {
            let mut state = program.state(RUNS).unwrap();
            let mut recording = program.recording(Instant::now()).unwrap();
            let mut run = state.begin(&program, 0).unwrap();
            run.execute_recorded(&pool, &mut recording).unwrap();
            assert_eq!(recording.threads(), RUNS);
            // The first tasks may have had help, before every run had started.
            recording.parts().filter(|part| part.task > TaskId(0) && part.thread > 0).count()
        });
        // Of the 320 of each run. A helper that was about to claim one when the last run started
        // still does.
        assert!(helped.iter().sum::<usize>() < RUNS, "helped with so many parts: {helped:?}");
    }
}

/// Two long tasks, of which a helper has one; it goes on until another caller is at work and the
/// first caller, this thread, asleep. Then there are two short tasks, which are not worth waking
/// anybody, and the helper is one thread too many.
fn long_then_short(
    arrived: &Arc<AtomicUsize>,
    others: &Arc<AtomicUsize>,
    ended: &Arc<AtomicUsize>,
) -> Program {
    let caller = std::thread::current().id();
    let mut builder = Program::builder();
    let first = [(); 2].map(|()| {
        let (arrived, others) = (arrived.clone(), others.clone());
        add_task(&mut builder, &[], MUCH, move |_| {
            arrived.fetch_add(1, SeqCst);
            wait_for(&arrived, 2, 5);
            if std::thread::current().id() != caller {
                wait_for(&others, 1, 5);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    });
    for _ in 0..2 {
        let ended = ended.clone();
        add_task(&mut builder, &first, Cost { flops: 1e4, bytes: 0.0 }, move |_| {
            ended.fetch_add(1, SeqCst);
        });
    }
    builder.build().unwrap()
}

#[test]
fn a_helper_that_stands_aside_leaves_nothing_to_a_caller_asleep() {
    let counter = || Arc::new(AtomicUsize::new(0));
    let (arrived, others, ended) = (counter(), counter(), counter());
    let program = long_then_short(&arrived, &others, &ended);

    // The other caller's, on its own thread.
    let mut builder = Program::builder();
    let (entered, all) = (others.clone(), ended.clone());
    let met = add_task(&mut builder, &[], MUCH, move |call| {
        entered.fetch_add(1, SeqCst);
        call.output::<u8>().fill(u8::from(wait_for(&all, 2, 5)));
    });
    builder.keep(met);
    let other = builder.build().unwrap();

    let pool = ThreadPool::new(2).unwrap();
    assert!(!program.runs_inline(2) && other.runs_inline(2));
    let mut state = program.state(2).unwrap();
    for _ in 0..5 {
        for count in [&arrived, &others, &ended] {
            count.store(0, SeqCst);
        }
        let met = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                wait_for(&arrived, 2, 5);
                let mut state = other.state(2).unwrap();
                let mut run = state.begin(&other, 0).unwrap();
                run.execute(&pool).unwrap();
                let met = run.read(met).unwrap()[0];
                // Wakes everybody, for the test to end if the promise is broken.
                drop(program.state(2).unwrap().begin(&program, 0).unwrap().execute(&pool));
                met
            });
            state.begin(&program, 0).unwrap().execute(&pool).unwrap();
            other.join().unwrap()
        });
        assert_eq!(met, 1, "a short task was left behind");
    }
}

#[test]
fn threads_that_sleep_are_not_woken_for_little() {
    let mut builder = Program::builder();
    let out = builder.temporary(64 * 64);
    builder.task(Task {
        reads: &[],
        writes: &[Write { buffer: out, chunk: 64 }],
        cost: Cost { flops: 2e6, bytes: 0.0 },
        workspace: 0,
        run: Box::new(|_| Ok(())),
        after: &[],
    });
    let program = builder.build().unwrap();
    assert!(!program.runs_inline(2));
    let pool = ThreadPool::new(2).unwrap();
    let mut state = program.state(2).unwrap();
    let mut recording = program.recording(Instant::now()).unwrap();
    let mut threads = || {
        let mut run = state.begin(&program, 0).unwrap();
        run.execute_recorded(&pool, &mut recording).unwrap();
        recording.threads()
    };
    // On a busy machine it takes a while to fall asleep.
    let start = Instant::now();
    while threads() > 1 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!((0..100).all(|_| threads() == 1));
}

#[test]
fn a_pool_is_dropped_while_idle_awake_or_asleep() {
    for threads in [1, 2, 5] {
        drop(ThreadPool::new(threads).unwrap());
        let pool = ThreadPool::new(threads).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(pool.threads(), threads);
    }
    assert!(ThreadPool::new(0).unwrap().threads() >= 1);
}

//! Variables: runs are transactions, first values and random streams repeat, and failures leave
//! everything as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abeyance::graph::Element;
use abeyance::graph::raw::{AnyTensorExt, GraphExt};
use abeyance::ir::launch::{Cost, Failure, Kernel};
use abeyance::ir::{
    Attributes, DTypes, Differentiability, Effect, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, OperatorRef, Sample, Signature, Type,
};
use abeyance::prelude::*;
use abeyance::session::Error;
use abeyance::session::TensorRef;
use ndarray::{ArrayD, array};

fn session_on(graph: &Graph, seed: u64, threads: usize) -> Session {
    let options = SessionOptions::new().seed(seed).threads(threads);
    Session::with_options(graph, options).unwrap_or_else(|error| panic!("{error}"))
}

fn session(graph: &Graph) -> Session {
    session_on(graph, 0, 1)
}

/// The value of a variable without dimensions.
fn number<T: Element>(session: &Session, name: &str) -> T {
    session.variable::<T>(name).unwrap()[[]]
}

// ---- reading and writing ------------------------------------------------------------------------

#[test]
fn first_values_are_what_was_asked_for() {
    let g = Graph::new();
    g.variable("number", 2.5f32);
    g.variable("array", array![[1i64, 2], [3, 4]]);
    g.variable::<f64>("zeros", zeros(dims![2]));
    g.variable::<u8>("ones", ones(dims![2]));
    g.variable("filled", fill(dims![2], true));
    g.variable::<f32>("nothing", random_normal(dims![0, 3], 0.0, 1.0));
    g.state("state", 7i32);
    let session = session(&g);
    let names: Vec<&str> = session.variables().collect();
    assert_eq!(names, ["number", "array", "zeros", "ones", "filled", "nothing", "state"]);
    assert_eq!(number::<f32>(&session, "number"), 2.5);
    assert_eq!(session.variable::<i64>("array").unwrap(), array![[1i64, 2], [3, 4]].into_dyn());
    assert_eq!(session.variable::<f64>("zeros").unwrap(), array![0.0f64, 0.0].into_dyn());
    assert_eq!(session.variable::<u8>("ones").unwrap(), array![1u8, 1].into_dyn());
    assert_eq!(session.variable::<bool>("filled").unwrap(), array![true, true].into_dyn());
    assert_eq!(session.variable::<f32>("nothing").unwrap().shape(), [0, 3]);
    assert_eq!(number::<i32>(&session, "state"), 7);
}

#[test]
fn assignments_of_every_kind_and_type() {
    fn check<T: abeyance::graph::Number>(values: [T; 5]) {
        let [two, three, five, seven, four] = values;
        let g = Graph::new();
        let v = g.variable("v", two);
        let (seven_, three) = (g.constant(seven), g.constant(three));
        let (set, add, sub) =
            (v.assign(seven_).scalar(), v.assign_add(three).scalar(), v.assign_sub(three).scalar());
        let session = session(&g);
        assert_eq!(session.run(add, []).unwrap(), five);
        assert_eq!(number::<T>(&session, "v"), five);
        assert_eq!(session.run(set, []).unwrap(), seven);
        assert_eq!(session.run(sub, []).unwrap(), four);
        assert_eq!(number::<T>(&session, "v"), four);
    }
    check::<f32>([2.0, 3.0, 5.0, 7.0, 4.0]);
    check::<f64>([2.0, 3.0, 5.0, 7.0, 4.0]);
    check::<i32>([2, 3, 5, 7, 4]);
    check::<i64>([2, 3, 5, 7, 4]);
    check::<u8>([2, 3, 5, 7, 4]);
    // Truth values can be set, and integers wrap around.
    let g = Graph::new();
    let (flag, byte) = (g.variable("flag", false), g.variable("byte", 250u8));
    let (set, grown) = (flag.assign(true).scalar(), byte.assign_add(10).scalar());
    let session = session(&g);
    assert_eq!(session.run((set, grown), []).unwrap(), (true, 4));
    assert!(number::<bool>(&session, "flag"));
    // Large ones, cut into parts, and empty ones.
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![100_003]);
    let large = g.variable("large", zeros(dims![100_003]));
    let empty = g.variable::<f32>("empty", zeros(dims![0, 4]));
    let step = g.group([large.assign(x), empty.assign_add(g.zeros(dims![0, 4]))]);
    let session = session_on(&g, 0, 3);
    let fed: Vec<f32> = (0..100_003).map(|x| x as f32).collect();
    session.run(step, feeds![x => &fed]).unwrap();
    assert_eq!(session.variable::<f32>("large").unwrap().as_slice(), Some(&fed[..]));
}

#[test]
fn reads_see_the_state_before_the_run_and_writes_land_together() {
    let g = Graph::new();
    let (a, b) = (g.variable("a", 1.0f32), g.variable("b", 10.0f32));
    let swap = g.group([a.assign(b), b.assign(a)]);
    let sum = (a + b * 2.0).scalar();
    let session = session(&g);
    // The sum is that of the state before, whatever runs first.
    let (old, (), older) = session.run((sum, swap, a.scalar()), []).unwrap();
    assert_eq!((old, older), (21.0, 1.0));
    assert_eq!(number::<f32>(&session, "a"), 10.0);
    assert_eq!(number::<f32>(&session, "b"), 1.0);
    assert_eq!(session.run(sum, []).unwrap(), 12.0);
    session.run(swap, []).unwrap();
    assert_eq!(session.run((a.scalar(), b.scalar()), []).unwrap(), (1.0, 10.0));
}

#[test]
fn a_variable_read_after_a_write_by_order_is_still_the_one_before() {
    let g = Graph::new();
    let a = g.variable("a", 1.0f32);
    let grown = a.assign_add(1.0);
    let later = {
        let _after = g.after([grown]);
        (a * 100.0).scalar()
    };
    let session = session(&g);
    assert_eq!(session.run(later, []).unwrap(), 100.0);
    assert_eq!(number::<f32>(&session, "a"), 2.0);
}

#[test]
fn the_value_of_an_assignment_is_the_new_one() {
    let g = Graph::new();
    let a = g.variable("a", 3.0f32);
    let set = a.assign(a * a);
    let (after, before) = ((set + 0.5).scalar(), (a + 0.5).scalar());
    let session = session(&g);
    assert_eq!(session.run((before, after, set.scalar()), []).unwrap(), (3.5, 9.5, 9.0));
    // Once more, whichever of them asks for it.
    assert_eq!(session.run(after, []).unwrap(), 81.5);
    assert_eq!(session.step(), 2);
}

#[test]
fn a_run_writes_what_it_depends_on_and_nothing_else() {
    let g = Graph::new();
    let (a, b) = (g.variable("a", 0i64), g.variable("b", 0i64));
    let (one, two) = (a.assign_add(1), b.assign_add(1));
    let both = (one + two).scalar();
    let session = session(&g);
    session.run(one, []).unwrap();
    assert_eq!((number::<i64>(&session, "a"), number::<i64>(&session, "b")), (1, 0));
    assert_eq!(session.run(both, []).unwrap(), 3);
    session.run((a, b), []).unwrap();
    assert_eq!((number::<i64>(&session, "a"), number::<i64>(&session, "b")), (2, 1));
}

#[test]
fn two_writes_in_an_order_build_on_each_other() {
    let g = Graph::new();
    let a = g.variable("a", 1.0f32);
    let first = a.assign_add(1.0);
    let (second, third) = {
        let _after = g.after([first]);
        let second = a.assign_sub(5.0);
        let _after = g.after([second]);
        (second, a.assign(second * 10.0 + first))
    };
    let session = session(&g);
    let all = (first.scalar(), second.scalar(), third.scalar(), a.scalar());
    assert_eq!(session.run(all, []).unwrap(), (2.0, -3.0, -28.0, 1.0));
    assert_eq!(number::<f32>(&session, "a"), -28.0);
    // The first alone is then the last.
    assert_eq!(session.run(first.scalar(), []).unwrap(), -27.0);
    assert_eq!(number::<f32>(&session, "a"), -27.0);
    // A value orders as a control does, and through what lies between.
    let g = Graph::new();
    let a = g.variable("a", 1.0f32);
    let first = a.assign_add(1.0);
    let second = a.assign_add((first * 10.0).exp() * 0.0 + 3.0);
    let session = self::session(&g);
    assert_eq!(session.run(second.scalar(), []).unwrap(), 5.0);
    assert_eq!(number::<f32>(&session, "a"), 5.0);
}

// ---- order --------------------------------------------------------------------------------------

#[test]
fn groups_and_controls_run_what_they_name() {
    let g = Graph::new();
    let (a, b, c) = (g.variable("a", 0i64), g.variable("b", 0i64), g.variable("c", 0i64));
    let nothing = g.no_op();
    let group = g.group([a.assign_add(1), b.assign_add(1)]);
    let of_groups = g.group([group, nothing, g.no_op()]);
    let after = {
        let _after = g.after([of_groups]);
        c.assign_add(1)
    };
    // An alias and a constant have no task of their own, and wait all the same.
    let (number_, alias) = {
        let _after = g.after([after]);
        (g.constant(5i64), c.reshape(dims![1]))
    };
    let session = session(&g);
    let state = || {
        (number::<i64>(&session, "a"), number::<i64>(&session, "b"), number::<i64>(&session, "c"))
    };
    session.run(nothing, []).unwrap();
    assert_eq!((state(), session.step()), ((0, 0, 0), 0));
    session.run(group, []).unwrap();
    assert_eq!(state(), (1, 1, 0));
    session.run(of_groups, []).unwrap();
    assert_eq!(state(), (2, 2, 0));
    assert_eq!(session.run(after.scalar(), []).unwrap(), 1);
    assert_eq!(state(), (3, 3, 1));
    assert_eq!(session.run(number_, []).unwrap(), 5);
    assert_eq!(state(), (4, 4, 2));
    session.run(alias, []).unwrap();
    assert_eq!(state(), (5, 5, 3));
    assert_eq!(session.step(), 5);
}

#[test]
fn a_control_orders_tasks_on_any_number_of_threads() {
    // The second kernel checks that the first has run.
    let ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicBool::new(false));
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![4]);
    let first = custom(&g, x, "mark", Effect::None, {
        let ran = ran.clone();
        move |_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            ran.store(true, Ordering::SeqCst);
            Ok(())
        }
    });
    let second = {
        let _after = g.after([g.group([first])]);
        custom(&g, x, "look", Effect::None, {
            let seen = seen.clone();
            move |_| {
                seen.store(ran.swap(false, Ordering::SeqCst), Ordering::SeqCst);
                Ok(())
            }
        })
    };
    for threads in [1, 3] {
        let session = session_on(&g, 0, threads);
        for _ in 0..20 {
            session.run(second, feeds![x => &[0.0; 4]]).unwrap();
            assert!(seen.swap(false, Ordering::SeqCst), "{threads} threads");
        }
    }
}

// ---- failures -----------------------------------------------------------------------------------

#[test]
fn a_run_that_fails_changes_nothing() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![_]);
    let (a, b) = (g.variable("a", 1.0f32), g.variable("b", zeros::<i32>(dims![2])));
    let grown = a.assign_add(1.0);
    let quotients = g.constant(100) / x;
    let step = g.group([Operation::from(grown), b.assign(quotients).into()]);
    // Also if the division comes last.
    let last = {
        let _after = g.after([grown]);
        g.constant(100) / (x + 0)
    };
    for threads in [1, 3] {
        let session = session_on(&g, 0, threads);
        for _ in 0..3 {
            let error = session.run(step, feeds![x => &[5, 0]]).unwrap_err();
            assert!(matches!(error, Error::Node(_)), "{error}");
            session.run((grown, last), feeds![x => &[5, 0]]).unwrap_err();
            assert_eq!(number::<f32>(&session, "a"), 1.0);
            assert_eq!(session.variable::<i32>("b").unwrap(), array![0, 0].into_dyn());
            assert_eq!(session.step(), 0);
        }
        session.run(step, feeds![x => &[5, 4]]).unwrap();
        assert_eq!(number::<f32>(&session, "a"), 2.0);
        assert_eq!(session.variable::<i32>("b").unwrap(), array![20, 25].into_dyn());
        session.run(step, feeds![x => &[0, 4]]).unwrap_err();
        session.run(step, feeds![x => &[1, 2, 3]]).unwrap_err();
        session.run(step, []).unwrap_err();
        assert_eq!(number::<f32>(&session, "a"), 2.0);
        assert_eq!(session.step(), 1);
    }
}

#[test]
fn random_numbers_of_a_step_that_failed_are_those_of_the_step_that_follows() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![]);
    let noise = g.random_uniform::<f64>(dims![3], 0.0, 1.0);
    let kept = g.variable("kept", zeros(dims![3]));
    let step = g.group([Operation::from(kept.assign(noise)), (g.constant(1) / x).into()]);
    let (one, other) = (session(&g), session(&g));
    one.run(step, feeds![x => 0]).unwrap_err();
    one.run(step, feeds![x => 1]).unwrap();
    other.run(step, feeds![x => 1]).unwrap();
    assert_eq!(one.variable::<f64>("kept").unwrap(), other.variable::<f64>("kept").unwrap());
}

// ---- from outside -------------------------------------------------------------------------------

#[test]
fn variables_are_read_and_set_by_name() {
    let g = Graph::new();
    let w = {
        let _scope = g.scope("layer");
        g.variable::<f32>("w", zeros(dims![2, 3]))
    };
    let sum = w.reduce_sum(..);
    let grow = w.assign_add(g.ones(dims![2, 3]));
    let session = session(&g);
    let value = array![[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
    // A view in another order is stored as it reads.
    session.set_variable("layer/w", &value.t()).unwrap();
    assert_eq!(session.variable::<f32>("layer/w").unwrap(), value.t().into_dyn());
    assert_eq!(session.run(sum, []).unwrap(), 21.0);
    session.run(grow, []).unwrap();
    assert_eq!(session.run(sum, []).unwrap(), 27.0);
    session.set_variable("layer/w", &value.t()).unwrap();
    session.run(grow, []).unwrap();
    assert_eq!(session.run(sum, []).unwrap(), 27.0);
    // What does not fit changes nothing.
    session.set_variable("layer/w", &value).unwrap_err();
    session.set_variable("w", &value).unwrap_err();
    session.set_variable("layer/w", &value.t().mapv(f64::from)).unwrap_err();
    assert_eq!(session.run(sum, []).unwrap(), 27.0);
    // Setting is no step.
    assert_eq!(session.step(), 2);
}

#[test]
fn sessions_of_one_graph_have_variables_of_their_own() {
    let g = Graph::new();
    let w = g.variable("w", 0i64);
    let step = w.assign_add(1);
    let (one, two) = (session(&g), session(&g));
    one.run(step, []).unwrap();
    one.run(step, []).unwrap();
    two.run(step, []).unwrap();
    assert_eq!((number::<i64>(&one, "w"), number::<i64>(&two, "w")), (2, 1));
}

// ---- seeds --------------------------------------------------------------------------------------

/// First values of three variables, with others before and between them if asked for.
fn first_values(seed: u64, others: bool) -> Vec<ArrayD<f32>> {
    let g = Graph::new();
    let other = |name: &str| {
        if others {
            g.variable::<f32>(name, random_normal(dims![17], 0.0, 1.0));
        }
    };
    other("before");
    g.variable::<f32>("normal", random_normal(dims![5, 3], 1.0, 2.0));
    other("between");
    g.variable::<f32>("truncated", truncated_normal(dims![100], 0.0, 0.1));
    g.variable::<f32>("uniform", random_uniform(dims![100], -1.0, 3.0));
    other("behind");
    let session = session_on(&g, seed, 1);
    ["normal", "truncated", "uniform"].map(|name| session.variable(name).unwrap()).into()
}

#[test]
fn random_first_values_depend_on_the_seed_and_the_name_alone() {
    let values = first_values(7, false);
    assert_eq!(values, first_values(7, false));
    assert_eq!(values, first_values(7, true));
    let others = first_values(8, false);
    for (a, b) in values.iter().zip(&others) {
        assert!(a.iter().zip(b).all(|(a, b)| a != b));
    }
    assert!(values[1].iter().all(|x| x.abs() <= 0.2));
    assert!(values[2].iter().all(|x| (-1.0..3.0).contains(x)));
    // Two of one kind and size differ by their names.
    let g = Graph::new();
    g.variable::<f32>("a", random_uniform(dims![100], -1.0, 3.0));
    g.variable::<f32>("uniform", random_uniform(dims![100], -1.0, 3.0));
    let session = session_on(&g, 7, 1);
    assert_eq!(session.variable::<f32>("uniform").unwrap(), values[2]);
    assert_ne!(session.variable::<f32>("a").unwrap(), values[2]);
}

#[test]
fn random_tensors_differ_from_run_to_run_and_repeat_with_the_seed() {
    let g = Graph::new();
    let x = g.random_normal::<f32>(dims![8], 0.0, 1.0);
    let y = g.random_normal::<f32>(dims![8], 0.0, 1.0);
    let kept = g.variable::<f32>("kept", zeros(dims![8]));
    let keep = kept.assign(x);
    let runs = |seed: u64| -> Vec<ArrayD<f32>> {
        let session = session_on(&g, seed, 1);
        let mut values = Vec::new();
        for _ in 0..3 {
            let (a, b, again) = session.run((x, y, x), []).unwrap();
            assert_eq!(a, again, "one node has one value in a run");
            values.extend([a, b, session.run(keep, []).unwrap()]);
        }
        values
    };
    let values = runs(1);
    assert_eq!(values, runs(1));
    for (index, a) in values.iter().enumerate() {
        assert!(values[..index].iter().all(|b| a != b), "run {index}");
    }
    let others = runs(2);
    assert!(others.iter().all(|other| !values.contains(other)));
}

/// A small network that trains with dropout.
fn dropout_network(g: &Graph) -> (Tensor<'_, f32>, Scalar<'_, f32>, Operation<'_>) {
    let x = g.placeholder::<f32>("x", dims![_, 6]);
    let w = g.variable("w", random_normal(dims![6, 4], 0.0, 1.0));
    let loss = x.matmul(w).tanh().dropout_keeping(0.5).square().reduce_mean(..);
    let train_step = Momentum::new(0.1, 0.9).minimize(loss);
    (x, loss, train_step)
}

#[test]
fn watching_a_training_does_not_change_it() {
    let g = Graph::new();
    let (x, loss, train_step) = dropout_network(&g);
    let batch = |step: usize| ndarray::Array2::from_elem((5, 6), 0.1 * step as f32);
    let train = |watch: usize| -> (Vec<ArrayD<f32>>, Vec<f32>) {
        let session = session_on(&g, 3, 1);
        let mut losses = Vec::new();
        let weights = (0..6)
            .map(|step| {
                for _ in 0..watch * step {
                    losses.push(session.run(loss, feeds![x => &batch(9)]).unwrap());
                }
                session.run(train_step, feeds![x => &batch(step)]).unwrap();
                session.variable("w").unwrap()
            })
            .collect();
        (weights, losses)
    };
    let (alone, _) = train(0);
    let (watched, losses) = train(1);
    assert_eq!(alone, watched);
    assert_eq!(alone, train(2).0);
    // Each look dropped others.
    assert!(losses[1..].iter().all(|loss| *loss != losses[0]));
}

#[test]
fn the_step_counts_runs_that_wrote() {
    let g = Graph::new();
    let (x, loss, train_step) = dropout_network(&g);
    let session = session(&g);
    let fed = array![[1.0; 6]];
    for step in 0..5 {
        assert_eq!(session.step(), step);
        session.run(loss, feeds![x => &fed]).unwrap();
        session.run((train_step, loss), feeds![x => &fed]).unwrap();
    }
    assert_eq!(session.step(), 5);
}

// ---- many threads -------------------------------------------------------------------------------

#[test]
fn inference_on_many_threads_sees_whole_steps_of_a_training() {
    // Whatever step a run sees, all variables are of that step.
    const N: usize = 5_000;
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    let count = g.variable("count", 0i64);
    let large = g.variable::<f64>("large", zeros(dims![N]));
    let other = g.variable::<f64>("other", zeros(dims![N]));
    let train_step = g.group([
        Operation::from(count.assign_add(1)),
        large.assign_add(g.ones(dims![N])).into(),
        other.assign(large - 1.0).into(),
    ]);
    let (low, high) = (large.reduce_min(..), large.reduce_max(..));
    let (below, seen) = (other.reduce_max(..), (count.cast::<f64>() + x).scalar());
    let session = session_on(&g, 0, 2);
    let watch = session.prepare((low, high, below, seen)).unwrap();
    let x = TensorRef::from(x);
    let train = session.prepare(train_step).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (watch, session, done) = (&watch, &session, &done);
            scope.spawn(move || {
                let mut last = 0.0;
                while !done.load(Ordering::SeqCst) {
                    let (low, high, below, seen) = watch.run(feeds![x => 0.0]).unwrap();
                    assert_eq!((low, high), (seen, seen));
                    assert_eq!(below, if seen == 0.0 { 0.0 } else { seen - 2.0 });
                    assert!(seen >= last, "thread {thread} went back from {last} to {seen}");
                    last = seen;
                    let value = session.variable::<f64>("large").unwrap();
                    assert!(value.iter().all(|x| *x == value[0] && *x >= last));
                }
            });
        }
        // Two that train, whose steps take turns.
        let trainers = [(); 2].map(|()| {
            scope.spawn(|| {
                for _ in 0..150 {
                    train.run([]).unwrap();
                }
            })
        });
        for trainer in trainers {
            trainer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(session.step(), 300);
    assert_eq!(number::<i64>(&session, "count"), 300);
}

// ---- operators of a user's own ------------------------------------------------------------------

/// An operator of a test: its operand's shape, and a kernel that calls `run` with the operand and
/// what it is to fill.
struct Custom<F> {
    signature: Signature,
    run: Arc<F>,
}

const ONE: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];

impl<F: Fn(&mut [f32]) -> Result<(), Failure> + Send + Sync + 'static> Operator for Custom<F> {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let run = self.run.clone();
        let kernel = Kernel::single(1, cx.result.bytes(), Cost::default(), move |call| {
            let input = call.input::<f32>(0);
            call.output::<f32>().copy_from_slice(input);
            run(call.output())
        });
        Ok(kernel.into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

#[track_caller]
fn custom<'g>(
    g: &'g Graph,
    x: Tensor<'g, f32>,
    name: &'static str,
    effect: Effect,
    run: impl Fn(&mut [f32]) -> Result<(), Failure> + Send + Sync + 'static,
) -> Tensor<'g, f32> {
    let operator = Custom {
        signature: Signature::new(name, "a test", ONE)
            .effect(effect)
            .differentiability(Differentiability::None("is a test")),
        run: Arc::new(run),
    };
    let operator = OperatorRef::Shared(Arc::new(operator));
    let id = g.build(|ir| ir.add(operator, &[x.id()], Attributes::none()));
    g.any(id).assume()
}

#[test]
fn a_kernel_that_panics_is_an_error_that_names_its_node_and_the_session_goes_on() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let total = g.variable("total", 0.0f32);
    let (risky, line) = (
        custom(&g, x, "risky", Effect::None, |out| {
            assert!(out[0] >= 0.0, "a negative number");
            Ok(())
        }),
        line!() - 4,
    );
    let step = total.assign_add(risky.reduce_sum(..)).scalar();
    for threads in [1, 3] {
        let session = session_on(&g, 0, threads);
        for round in 1..4 {
            let error = session.run(step, feeds![x => &[-1.0, 2.0]]).unwrap_err();
            let Error::Panic(diagnostic) = &error else {
                panic!("{error:?}");
            };
            assert_eq!(diagnostic.node.as_deref(), Some("risky"));
            let message = error.to_string();
            assert!(
                message.starts_with("error: risky: its kernel panicked: a negative number\n"),
                "{message}"
            );
            let place = format!("--> tests/variables.rs:{line}:");
            assert!(message.contains(&place), "{message}");
            assert!(message.contains("x : f32[N]"), "{message}");
            let total = session.run(step, feeds![x => &[1.0, 2.0]]).unwrap();
            assert_eq!(total, 3.0 * round as f32);
        }
        assert_eq!(session.step(), 3);
    }
}

#[test]
fn an_operator_of_ones_own_computes_fails_and_prints_as_any_other() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let twice = custom(&g, x, "twice", Effect::None, |out| {
        for x in out.iter_mut() {
            *x *= 2.0;
        }
        match out.first() {
            Some(first) if first.is_nan() => Err(Failure("the first is not a number".to_owned())),
            _ => Ok(()),
        }
    });
    assert!(g.to_string().contains("twice = twice(x)"));
    let session = session(&g);
    let value = session.run(twice, feeds![x => &[1.0, 2.0]]).unwrap();
    assert_eq!(value.as_slice(), Some(&[2.0, 4.0][..]));
    let error = session.run(twice, feeds![x => &[f32::NAN]]).unwrap_err().to_string();
    assert!(error.starts_with("error: twice: the first is not a number\n"));
    // Its derivative is missing for the reason it gave.
    let _ = gradients(twice, [x]);
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains("which is a test"), "{message}");
}

/// An operator that is lowered to what a test says.
struct LoweredTo {
    signature: Signature,
    lowered: fn() -> Lowered,
}

impl Operator for LoweredTo {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok((self.lowered)())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

fn lowered_to<'g>(
    g: &'g Graph,
    operands: &[Tensor<'g, f32>],
    effect: Effect,
    lowered: fn() -> Lowered,
) -> Tensor<'g, f32> {
    const TWO: &[OperandSpec] =
        &[OperandSpec::new("variable", DTypes::FLOAT), OperandSpec::new("values", DTypes::FLOAT)];
    let operator = LoweredTo {
        signature: Signature::new("custom", "a test", TWO).variadic().effect(effect),
        lowered,
    };
    let ids: Vec<_> = operands.iter().map(|operand| operand.id()).collect();
    let operator = OperatorRef::Shared(Arc::new(operator));
    g.any(g.build(|ir| ir.add(operator, &ids, Attributes::none()))).assume()
}

#[test]
fn a_write_lands_also_if_its_value_is_there_already() {
    let g = Graph::new();
    let a = g.variable("a", array![1.0f32, 2.0]);
    let b = g.variable("b", array![5.0f32, 6.0]);
    let copied = lowered_to(&g, &[a, b], Effect::Write, || Lowered::Alias(1));
    let fixed = lowered_to(&g, &[a], Effect::Write, || {
        Lowered::Constant([7.0f32, 8.0].iter().flat_map(|x| x.to_le_bytes()).collect())
    });
    let session = session(&g);
    let list = |value: ArrayD<f32>| value.into_raw_vec_and_offset().0;
    assert_eq!(list(session.run(copied, []).unwrap()), [5.0, 6.0]);
    assert_eq!(list(session.variable("a").unwrap()), [5.0, 6.0]);
    assert_eq!(list(session.run(fixed, []).unwrap()), [7.0, 8.0]);
    assert_eq!(list(session.variable("a").unwrap()), [7.0, 8.0]);
    assert_eq!(list(session.variable("b").unwrap()), [5.0, 6.0]);
}

#[test]
fn an_operator_that_is_lowered_wrongly_is_named() {
    let cases: [fn() -> Lowered; 5] = [
        || Lowered::Alias(1),
        || Lowered::Alias(9),
        || Lowered::Constant(vec![0; 3]),
        || Kernel::single(7, 4, Cost::default(), |_| Ok(())).into(),
        || Kernel::default().into(),
    ];
    for (index, lowered) in cases.into_iter().enumerate() {
        let g = Graph::new();
        let a = g.variable("a", array![1.0f32, 2.0]);
        let b = g.variable("b", array![5.0f32, 6.0, 7.0]);
        let wrong = lowered_to(&g, &[a, b], Effect::None, lowered);
        let session = session(&g);
        let error = session.run(wrong, []).unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{index}: {error:?}");
        let message = error.to_string();
        assert!(message.starts_with("error: custom: "), "{index}: {message}");
        // The rest of the graph runs.
        session.run((a, b), []).unwrap();
    }
}

#[test]
fn what_a_graph_is_made_of_can_be_appended_by_hand() {
    // The functions under the handles' methods, on the untyped graph.
    let g = Graph::new();
    let a = g.variable("a", 1.0f32);
    let one = g.constant(1.0f32);
    let step = g.build(|ir| {
        abeyance::graph::Expr::with(ir, a.id(), |a| {
            let set = a.assign(a.at(one.id()));
            let add = a.assign_add(set);
            a.group(&[a.assign_sub(add)]).id()
        })
    });
    let step = Operation::from(g.any(step));
    let session = session(&g);
    session.run(step, []).unwrap();
    // 1, then 1 + 1, then 2 - 2.
    assert_eq!(number::<f32>(&session, "a"), 0.0);
}

//! Versions made of graphs in memory: what a batch does when a node fails or a kernel panics, and
//! that plans are made beforehand.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Graph, Tensor, dims};
use abeyance_ir::{
    Attributes, Concrete, DTypes, Fault, Inference, Lowered, Lowering, OperandSpec, Operator,
    OperatorRef, Sample, Signature, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_session::{Session, SessionOptions, Value};
use ndarray::array;

use super::{ServedSignature, Statistics, TensorSpec, Version, compute, planned_sizes};
use crate::executor::{Batching, Executor, Job};
use crate::request_error::ErrorKind;

/// An operator that gives its operand. Its kernel panics on numbers below zero.
struct Positive;

const SIGNATURE: Signature =
    Signature::new("positive", "a test", &[OperandSpec::new("x", DTypes::FLOAT)]);

impl Operator for Positive {
    fn signature(&self) -> &Signature {
        &SIGNATURE
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let result: Concrete<'_> = cx.result;
        let kernel = Kernel::single(1, result.bytes(), Cost::default(), |call| {
            let input = call.input::<f32>(0);
            assert!(input.iter().all(|x| *x >= 0.0), "a number below zero");
            call.output::<f32>().copy_from_slice(input);
            Ok(())
        });
        Ok(kernel.into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// A version of a graph in memory.
pub(crate) fn version(g: &Graph, mixes: Option<&str>) -> Version {
    let session = Session::with_options(g, SessionOptions::new().threads(1)).unwrap();
    let ir = g.ir();
    let signatures = ir.signatures().iter().map(|signature| ServedSignature {
        name: signature.name.clone(),
        inputs: signature
            .inputs
            .iter()
            .map(|(name, node)| TensorSpec::new(&ir, name, *node))
            .collect(),
        outputs: signature
            .outputs
            .iter()
            .map(|(name, node)| TensorSpec::new(&ir, name, *node))
            .collect(),
        mixes: mixes.map(str::to_owned),
    });
    Version {
        model: "test".into(),
        number: 1,
        id: Version::next_id(),
        signatures: signatures.collect(),
        session,
        default: 0,
        statistics: Statistics::new(),
        cases: 0,
        parameters: 0,
        since: SystemTime::now(),
    }
}

/// Twice what `positive` gives.
fn positive() -> Version {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let operator = OperatorRef::Shared(Arc::new(Positive));
    let id = g.build(|ir| ir.add(operator, &[x.id()], Attributes::none()));
    let y: Tensor<'_, f32> = g.any(id).assume();
    g.signature("predict").input("x", x).output("y", y + y);
    version(&g, None)
}

fn row(one: f32, two: f32) -> Vec<Value> {
    vec![array![[one, two]].into()]
}

#[test]
fn a_kernel_that_panics_fails_its_request_and_no_other_of_the_batch() {
    let version = positive();
    let requests = [row(1.0, 2.0), row(-1.0, 0.0), row(3.0, 4.0)];
    let batch: Vec<&[Value]> = requests.iter().map(Vec::as_slice).collect();
    for _ in 0..3 {
        let outcomes = compute(&version, 0, &batch, 64);
        assert_eq!(outcomes[0].as_ref().unwrap(), &row(2.0, 4.0));
        let error = outcomes[1].as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(error.message.contains("positive"), "{}", error.message);
        assert_eq!(outcomes[2].as_ref().unwrap(), &row(6.0, 8.0));
    }
}

#[test]
fn values_that_a_node_refuses_fail_their_request_and_no_other_of_the_batch() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![_]);
    let y = g.placeholder::<i32>("y", dims![_]);
    g.signature("predict").input("x", x).input("y", y).output("quotient", x / y);
    let version = version(&g, None);
    let request = |x: i32, y: i32| -> Vec<Value> { vec![array![x].into(), array![y].into()] };
    let requests = [request(6, 3), request(1, 0), request(8, 2)];
    let batch: Vec<&[Value]> = requests.iter().map(Vec::as_slice).collect();
    let outcomes = compute(&version, 0, &batch, 64);
    assert_eq!(outcomes[0].as_ref().unwrap(), &[Value::from(array![2i32])]);
    assert_eq!(outcomes[1].as_ref().unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(outcomes[2].as_ref().unwrap(), &[Value::from(array![4i32])]);
}

#[test]
fn a_version_that_is_warm_makes_no_plan_for_a_batch() {
    let version = positive();
    version.warm(16, 2).unwrap();
    let plans = version.session.memory().plans;
    assert_eq!(plans, planned_sizes(16).len());
    for rows in 1..=40 {
        let x = ndarray::Array2::from_shape_fn((rows, 2), |(row, _)| row as f32);
        let outcomes = compute(&version, 0, &[&[x.clone().into()]], 16);
        let y = (&x + &x).into_dyn();
        assert_eq!(outcomes[0].as_ref().unwrap(), &[Value::F32(y)], "{rows} rows");
    }
    assert_eq!(version.session.memory().plans, plans);
}

fn job(version: &Arc<Version>, one: f32) -> Job {
    Job { version: version.clone(), signature: 0, inputs: row(one, 1.0), deadline: None }
}

fn batching(delay: Duration) -> Batching {
    Batching { most: 4, delay, queue: 5 }
}

#[test]
fn what_waits_runs_together_up_to_the_most_rows() {
    let version = Arc::new(positive());
    let executor = Executor::start(1, batching(Duration::from_secs(60))).unwrap();
    let waiting: Vec<_> =
        (0..4).map(|n| executor.submit(job(&version, n as f32)).unwrap()).collect();
    for (n, receiver) in waiting.into_iter().enumerate() {
        let outcome = receiver.blocking_recv().unwrap();
        assert_eq!(outcome.unwrap(), row(2.0 * n as f32, 2.0));
    }
    let measured = version.statistics.measured();
    assert_eq!(measured.batches, 1);
    assert_eq!(measured.sizes.first().map(|(rows, count, _)| (*rows, *count)), Some((4, 1)));
}

#[test]
fn requests_that_cannot_run_together_run_alone_and_at_once() {
    let mut apart = positive();
    apart.signatures[0].mixes = Some("a test".to_owned());
    let version = Arc::new(apart);
    let executor = Executor::start(2, batching(Duration::from_secs(60))).unwrap();
    let waiting: Vec<_> =
        (0..5).map(|n| executor.submit(job(&version, n as f32)).unwrap()).collect();
    for receiver in waiting {
        assert!(receiver.blocking_recv().unwrap().is_ok());
    }
    assert_eq!(version.statistics.measured().batches, 5);
}

#[test]
fn models_take_turns() {
    let (one, other) = (Arc::new(positive()), Arc::new(positive()));
    let executor = Executor::start(1, batching(Duration::from_millis(200))).unwrap();
    let first = executor.submit(job(&one, 1.0)).unwrap();
    let second = executor.submit(job(&other, 2.0)).unwrap();
    assert_eq!(first.blocking_recv().unwrap().unwrap(), row(2.0, 2.0));
    assert_eq!(second.blocking_recv().unwrap().unwrap(), row(4.0, 2.0));
    assert_eq!(one.statistics.measured().batches, 1);
    assert_eq!(other.statistics.measured().batches, 1);
}

#[test]
fn a_full_queue_refuses_and_an_abandoned_request_makes_room() {
    let version = Arc::new(positive());
    let lonely = Batching { most: 64, ..batching(Duration::from_secs(60)) };
    let executor = Executor::start(1, lonely).unwrap();
    let mut waiting: Vec<_> =
        (0..5).map(|n| executor.submit(job(&version, n as f32)).unwrap()).collect();
    let error = executor.submit(job(&version, 9.0)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    drop(waiting.pop());
    // Whoever asks next finds the place of whoever went away.
    let late = executor.submit(job(&version, 9.0));
    assert!(late.is_ok(), "{late:?}");
    drop(executor);
    for receiver in waiting {
        assert!(receiver.blocking_recv().unwrap().is_ok());
    }
    assert_eq!(late.unwrap().blocking_recv().unwrap().unwrap(), row(18.0, 2.0));
    assert_eq!(version.statistics.measured().rows, 0);
}

#[test]
fn what_is_too_late_is_dropped() {
    let version = Arc::new(positive());
    let executor = Executor::start(1, batching(Duration::from_secs(60))).unwrap();
    let late =
        Job { deadline: Some(Instant::now() + Duration::from_millis(20)), ..job(&version, 1.0) };
    let receiver = executor.submit(late).unwrap();
    assert!(receiver.blocking_recv().is_err());
    assert_eq!(executor.waiting(), 0);
    assert!(executor.is_idle());
    assert_eq!(version.statistics.measured().batches, 0);
}

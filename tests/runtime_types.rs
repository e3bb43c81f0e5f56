//! Element types that are known only when the program runs: placeholders, constants and feeds from
//! values.

use abeyance::ir::{Array, DType};
use abeyance::prelude::*;
use abeyance::session::{TensorRef, Value};
use ndarray::{arr1, arr2};

fn of_every_type() -> [Value; 6] {
    [
        Value::from(arr1(&[1.5f32, -2.0])),
        Value::from(arr1(&[1.5f64, -2.0])),
        Value::from(arr1(&[1i32, -2])),
        Value::from(arr1(&[1i64, -2])),
        Value::from(arr1(&[1u8, 2])),
        Value::from(arr1(&[true, false])),
    ]
}

#[test]
fn values_of_every_type_go_in_and_come_out_as_they_are() {
    for value in of_every_type() {
        let g = Graph::new();
        let x = g.placeholder_of("x", value.dtype(), dims![_]);
        let c = g.constant_of(&value);
        assert_eq!((x.dtype(), c.dtype()), (Some(value.dtype()), Some(value.dtype())));
        let session = Session::new(&g).unwrap();
        let (fed, part) = session.run((x, c), feeds![x => &value]).unwrap();
        assert_eq!((&fed, &part), (&value, &value));
        // The text says what a typed program would.
        let copy = Graph::parse(&g.to_string()).unwrap();
        assert_eq!(copy.to_string(), g.to_string());
    }
}

#[test]
fn a_handle_of_a_known_type_is_had_from_one_that_is_not() {
    let value = Value::from(arr2(&[[1.0f32, 2.0]]));
    let g = Graph::new();
    let x = g.placeholder_of("x", value.dtype(), dims![_, 2]);
    assert!(x.typed::<f64>().is_none());
    let doubled = x.typed::<f32>().unwrap() * 2.0;
    let session = Session::new(&g).unwrap();
    // A typed tensor takes a value, too, and a `TensorRef` does without the graph.
    let out = session.run(doubled, feeds![x => &value]).unwrap();
    assert_eq!(out, arr2(&[[2.0, 4.0]]).into_dyn());
    let typed = x.typed::<f32>().unwrap();
    assert_eq!(session.run(doubled, feeds![typed => &value]).unwrap(), out);
    let (from, to): (TensorRef<Value>, TensorRef<Value>) = (x.into(), doubled.erase().into());
    assert_eq!(session.run(to, feeds![from => &value]).unwrap(), Value::from(out));
}

#[test]
fn a_value_of_another_type_is_refused_by_the_run() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let any = x.erase();
    let step = g.no_op();
    let session = Session::new(&g).unwrap();
    let value = Value::from(arr1(&[1i64]));
    for error in [
        session.run(x, feeds![x => &value]).unwrap_err().to_string(),
        session.run(any, feeds![any => &value]).unwrap_err().to_string(),
    ] {
        assert!(error.contains("`x` cannot hold the i64 it is fed"), "{error}");
    }
    let node: abeyance::graph::AnyTensor<'_> = step.into();
    let error = session.run(x, feeds![x => &[1.0], node => &value]).unwrap_err().to_string();
    assert!(error.contains("cannot hold the i64 it is fed"), "{error}");
    let error = session.run(any, feeds![any => &Value::from(1.0f32)]).unwrap_err().to_string();
    assert!(error.contains('x'), "{error}");
}

#[test]
fn numbers_are_values_and_arrays_of_a_file_are_constants() {
    let g = Graph::new();
    let x = g.placeholder_of("x", DType::I32, dims![]);
    let c = g.constant_of(Array::new(DType::I32, &[2], &[3i32, 4]));
    let sum = c.typed::<i32>().unwrap() + x.typed::<i32>().unwrap();
    let session = Session::new(&g).unwrap();
    let five = Value::from(5i32);
    assert_eq!(session.run(sum, feeds![x => &five]).unwrap(), arr1(&[8, 9]).into_dyn());
    // One whose bytes do not fill its sizes is a mistake, at the user's line.
    g.constant_of(Array { dtype: DType::F32, dims: [3].as_slice().into(), bytes: vec![0; 8] });
    let line = line!() - 1;
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains("8 bytes are not an array of f32 with sizes [3]"), "{message}");
    assert!(message.contains(&format!("tests/runtime_types.rs:{line}:")), "{message}");
}

#[test]
fn a_feed_can_be_cloned() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let y = g.placeholder::<f64>("y", dims![]);
    let sum = (x * y).reduce_sum(..);
    let session = Session::new(&g).unwrap();
    let rows = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    // Not in row-major order, so copied once.
    let turned = rows.t();
    let usual: Vec<Feed<'_>> = feeds![x => turned].into();
    for factor in [1.0, 10.0] {
        let mut feeds = usual.clone();
        feeds.extend(feeds![y => factor].clone());
        assert_eq!(session.run(sum, feeds).unwrap(), 21.0 * factor);
    }
}

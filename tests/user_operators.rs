//! Operators and gradients that users bring: closures on arrays, gradients of their own,
//! implementations of the trait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use abeyance::graph::Rule;
use abeyance::graph::ops::closure::closure;
use abeyance::graph::raw::GraphExt;
use abeyance::ir::launch::{Cost, Kernel};
use abeyance::ir::{
    AttributeSet, Attributes, Concrete, Cotangents, DTypes, Derivation, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, OperatorRef, Registry, Sample, Signature, Type,
};
use abeyance::prelude::*;
use ndarray::{ArrayD, ArrayViewD, array};

mod places;

fn session(graph: &Graph) -> Session {
    Session::new(graph).unwrap_or_else(|error| panic!("{graph}\n{error}"))
}

fn mistakes(graph: &Graph) -> String {
    readable(&graph.check().unwrap_err())
}

/// A message with lines of this file in place of their numbers.
fn readable(message: &impl std::fmt::Display) -> String {
    places::readable(message, file!(), include_str!("user_operators.rs"))
}

// ---- gradients of one's own ---------------------------------------------------------------------

#[test]
fn a_gradient_of_ones_own_takes_the_place_of_the_rules() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_]);
    let scale = g.variable("scale", 3.0f64);
    // What goes forward is rounded; what comes back is scaled by a captured variable.
    let y = g.custom_gradient(x, |x| x.floor(), |_, _, dy| dy * scale);
    let [dx] = gradients((y * y).reduce_sum(..), [x]);
    let (y, dx) = session(&g).run((y, dx), feeds![x => &[1.5, -0.5]]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [1.0, -1.0]);
    assert_eq!(dx.as_slice().unwrap(), [6.0, -6.0]);
    let text = g.to_text();
    assert_eq!(Graph::parse(&text).unwrap().to_string(), text);
    insta::assert_snapshot!(text);
}

#[test]
fn a_gradient_of_ones_own_may_use_the_arguments_and_the_result_and_be_differentiated_again() {
    let g = Graph::new();
    let [a, b] = ["a", "b"].map(|name| g.placeholder::<f64>(name, dims![]));
    // log(exp(a) + exp(b)), whose derivatives are best written with the result.
    let y = g.custom_gradient(
        (a, b),
        |(a, b)| {
            let most = a.maximum(b);
            most + ((a - most).exp() + (b - most).exp()).log()
        },
        |(a, b), y, dy| (dy * (a - y).exp(), dy * (b - y).exp()),
    );
    let [da, db] = gradients(y, [a, b]);
    let [daa, dab] = gradients(da, [a, b]);
    let fetches = [y, da, db, daa, dab].map(Tensor::scalar);
    let [y, da, db, daa, dab] = session(&g).run(fetches, feeds![a => 1.0, b => 2.0]).unwrap();
    let p = 1.0 / (1.0 + 1f64.exp());
    for (found, expected) in [
        (y, 2.0 + (1.0 + (-1f64).exp()).ln()),
        (da, p),
        (db, 1.0 - p),
        (daa, p * (1.0 - p)),
        (dab, -p * (1.0 - p)),
    ] {
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }
}

#[test]
fn a_gradient_of_ones_own_works_inside_of_a_loop() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims![_]);
    let (last, ()) = g.scan(g.constant(0.0f64), xs, |h, x| {
        let inner = x.graph();
        // The derivative is cut off at 1.
        let y = inner.custom_gradient(x, |x| x * 5.0, |_, _, dy| (dy * 5.0).minimum(1.0));
        ((h + y).scalar(), ())
    });
    let [dxs] = gradients(last, [xs]);
    let (last, dxs) = session(&g).run((last, dxs), feeds![xs => &[1.0, 2.0]]).unwrap();
    assert_eq!(last, 15.0);
    assert_eq!(dxs.as_slice().unwrap(), [1.0, 1.0]);
}

#[test]
fn a_cotangent_of_the_wrong_shape_is_a_mistake() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2, 3]);
    g.custom_gradient(x, |x| x.exp(), |_, _, dy| dy.reduce_sum(0));
    insta::assert_snapshot!(mistakes(&g));
}

// ---- closures -----------------------------------------------------------------------------------

#[test]
fn a_closure_computes_on_views_of_the_arguments() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let flags = g.placeholder::<bool>("flags", dims![_]);
    let y = g.from_fn("rows", (x, flags), dims![x.dim(0)], |(x, flags)| {
        let sums =
            x.outer_iter().zip(flags).map(|(row, &flag)| if flag == 1 { row.sum() } else { 0.0 });
        Ok(sums.collect::<ndarray::Array1<f64>>().into_dyn())
    });
    let x_ = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let feeds = feeds![x => &x_, flags => &[true, false, true]];
    let double = y * 2.0;
    let y = session(&g).run(double, feeds).unwrap();
    assert_eq!(y.as_slice().unwrap(), [6.0, 0.0, 22.0]);
}

#[test]
fn what_goes_wrong_in_a_closure_names_its_node_and_line() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![2]);
    let w = g.state("w", 1i64);
    let fails = g.from_fn("fails", x, dims![2], |x| {
        if x[0] > 0.0 {
            Err::<ArrayD<f64>, _>(format!("{} is above 0", x[0]))
        } else {
            panic!("a panic about {}", x[0])
        }
    });
    let wrong = g.from_fn("wrong", x, dims![2], |_| Ok(ArrayD::<f64>::zeros(vec![3])));
    let step = g.group([fails.into(), Operation::from(w.assign_add(1))]);
    let session = session(&g);
    let errors = [
        session.run(step, feeds![x => &[1.0, 2.0]]).unwrap_err(),
        session.run(step, feeds![x => &[-1.0, 2.0]]).unwrap_err(),
        session.run(wrong, feeds![x => &[1.0, 2.0]]).unwrap_err(),
    ];
    let errors = errors.map(|error| readable(&error));
    insta::assert_snapshot!(errors.join("\n\n"));
    assert_eq!(session.run(w.scalar(), []).unwrap(), 1);
}

#[test]
fn only_the_branch_taken_calls_its_closure() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let g = Graph::new();
    let x = g.placeholder::<i64>("x", dims![]);
    let y = g.cond(
        x.greater(0),
        x,
        |x| {
            x.graph().from_fn("count", x, dims![], |x| {
                CALLS.fetch_add(1, Ordering::Relaxed);
                Ok(x.to_owned())
            })
        },
        |x| x,
    );
    let session = session(&g);
    for x_ in [-1, 5, 0, 7] {
        assert_eq!(session.run(y.scalar(), feeds![x => x_]).unwrap(), x_);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

#[test]
fn a_closure_has_the_gradient_that_one_gives_it_and_no_other() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_]);
    let cube = |x: Tensor<'_, f64>| {
        x.graph().from_fn("cube", x, x.shape(), |x| Ok(x.mapv(|x| x.powi(3)))).id()
    };
    let y = g.custom_gradient(
        x,
        |x| g.any(cube(x)).typed::<f64>().unwrap(),
        |x, _, dy| dy * x * x * 3.0,
    );
    let [dx] = gradients(y.reduce_sum(..), [x]);
    let (y, dx) = session(&g).run((y, dx), feeds![x => &[2.0, -1.0]]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [8.0, -1.0]);
    assert_eq!(dx.as_slice().unwrap(), [12.0, 3.0]);
    let bare = g.from_fn("bare", x, x.shape(), |x| Ok(x.to_owned()));
    gradients(bare.reduce_sum(..), [x]);
    insta::assert_snapshot!(mistakes(&g));
}

fn double(x: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>, String> {
    Ok(&x * 2.0)
}

#[test]
fn a_graph_with_a_closure_is_read_back_with_the_closure_registered() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    g.from_fn("double", x, x.shape(), double).named("y");
    let text = g.to_text();
    let error = Graph::parse(&text).unwrap_err();
    insta::assert_snapshot!(format!("{text}\n\n{error}"));
    let mut registry = Registry::default();
    registry.register(closure::<f32, f32, _>("double", double));
    let bytes = g.ir().to_bytes().unwrap();
    assert!(Graph::from_bytes(&bytes).is_err());
    let parsed = Graph::parse_with_operators(&text, &registry).unwrap();
    assert_eq!(parsed.to_string(), text);
    let again = Graph::from_bytes_with_operators(&bytes, &registry).unwrap();
    assert_eq!(again.to_text(), text);
    assert!(again.ir().to_bytes().unwrap() == bytes);
    let (x, y) = (again.tensor::<f32>("x").unwrap(), again.tensor::<f32>("y").unwrap());
    let y = session(&again).run(y, feeds![x => &[1.0, 2.0]]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [2.0, 4.0]);
    // One for other types does not do.
    let mut registry = Registry::default();
    registry.register(closure::<f64, f32, _>("double", |x| Ok(x.mapv(|x| x as f32))));
    let error = Graph::parse_with_operators(&text, &registry).unwrap_err().to_string();
    assert!(error.contains("the closure makes f32 of (f64), not f32 of (f32)"), "{error}");
}

#[test]
fn a_closure_without_a_name_is_a_mistake() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    g.from_fn("no name", x, dims![], |x| Ok(x.to_owned()));
    g.from_fn("fine", x, dims![_], |x| Ok(x.to_owned()));
    insta::assert_snapshot!(mistakes(&g));
}

// ---- the trait ----------------------------------------------------------------------------------

/// a x² with a from an attribute. Gradient: 2 a x dy, as nodes.
struct ScaledSquare;

abeyance::ir::attributes! {
    struct ScaledSquareAttributes {
        /// The factor a.
        scale: f64,
    }
}

impl Operator for ScaledSquare {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
        const {
            &Signature::new("scaled_square", "scale x squared", OPERANDS)
                .attributes(ScaledSquareAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ScaledSquareAttributes { scale } = cx.attributes();
        if !scale.is_finite() {
            return Err(Fault::new("the scale is not finite"));
        }
        cx.tensor(cx.dtype(0), cx.shape(0))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let ScaledSquareAttributes { scale } = cx.attributes();
        Ok(cx.only(cx.cotangent() * (cx.operand(0) * (2.0 * scale))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let ScaledSquareAttributes { scale } = cx.attributes();
        let Concrete { dtype, .. } = cx.result;
        let cost =
            Cost { flops: 2.0 * cx.result.len() as f64, bytes: 2.0 * cx.result.bytes() as f64 };
        if dtype != abeyance::ir::DType::F64 {
            return Err(Fault::new(format!("there is no loop for {dtype}")));
        }
        let kernel = Kernel::single(1, 8 * 4096, cost, move |call| {
            let (start, x) = (call.start::<f64>(), call.input::<f64>(0));
            for (y, x) in call.output::<f64>().iter_mut().zip(&x[start..]) {
                *y = scale * x * x;
            }
            Ok(())
        });
        Ok(kernel.into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

fn scale(scale: f64) -> ScaledSquareAttributes {
    ScaledSquareAttributes { scale }
}

#[test]
fn an_operator_of_ones_own_trains_prints_and_is_read_back() {
    let g = Graph::new();
    let w = g.variable("w", &array![3.0, -4.0]);
    let y = g.apply(&ScaledSquare, &[w.erase()], scale(0.5));
    let loss = y.typed::<f64>().unwrap().reduce_sum(..).named("loss");
    let [dw] = gradients(loss, [w]);
    let [ddw] = gradients(dw.square().reduce_sum(..), [w]);
    let train_step = GradientDescent::new(0.25).minimize(loss);
    let session = session(&g);
    let (first, dw, ddw) = session.run((loss, dw, ddw), []).unwrap();
    assert_eq!(first, 12.5);
    assert_eq!(dw.as_slice().unwrap(), [3.0, -4.0]);
    assert_eq!(ddw.as_slice().unwrap(), [6.0, -8.0]);
    for _ in 0..60 {
        session.run(train_step, []).unwrap();
    }
    assert!(session.run(loss, []).unwrap() < 1e-9);

    let text = g.to_text();
    assert!(text.contains("scaled_square(w) scale=0.5"), "{text}");
    assert!(
        Graph::parse(&text)
            .unwrap_err()
            .to_string()
            .contains("there is no operator `scaled_square`")
    );
    let mut registry = Registry::default();
    registry.register(OperatorRef::from(Arc::new(ScaledSquare)));
    let bytes = g.ir().to_bytes().unwrap();
    assert!(Graph::from_bytes(&bytes).is_err());
    let parsed = Graph::parse_with_operators(&text, &registry).unwrap();
    assert_eq!(parsed.to_string(), text);
    let again = Graph::from_bytes_with_operators(&bytes, &registry).unwrap();
    assert_eq!(again.to_text(), text);
    assert!(again.ir().to_bytes().unwrap() == bytes);
    let loss = again.tensor::<f64>("loss").unwrap().scalar();
    assert_eq!(Session::new(&again).unwrap().run(loss, []).unwrap(), 12.5);
}

#[test]
fn an_operator_of_ones_own_works_in_a_body_and_with_its_checks() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_]);
    let (y, ()) = g.scan(g.constant(1.0f64), x, |h, x| {
        let y = x.graph().apply(&ScaledSquare, &[h.erase()], scale(2.0));
        ((y.typed::<f64>().unwrap() + x).scalar(), ())
    });
    let [dx] = gradients(y, [x]);
    let (value, dx) = session(&g).run((y, dx), feeds![x => &[1.0, 2.0]]).unwrap();
    // 2 (2 + 1)² + 2, and by x₀ 4 (2 + 1).
    assert_eq!(value, 20.0);
    assert_eq!(dx.as_slice().unwrap(), [12.0, 1.0]);

    let n = g.placeholder::<i64>("n", dims![]);
    g.apply(&ScaledSquare, &[n.erase()], scale(1.0));
    g.apply(&ScaledSquare, &[x.erase(), x.erase()], scale(1.0));
    g.apply(&ScaledSquare, &[x.erase()], scale(f64::NAN));
    g.apply(&ScaledSquare, &[x.erase()], Attributes::none());
    insta::assert_snapshot!(mistakes(&g));
}

//! An operator of one's own, used in training: swish, x / (1 + exp(-β x)) (Ramachandran, Zoph, Le: *Searching for
//! activation functions*, 2017), with β a number in the graph.
//!
//! `cargo run --release --example user_defined_operator`

use abeyance::ir::launch::{Cost, Kernel};
use abeyance::ir::{
    Attribute, AttributeKind, AttributeSpec, Attributes, Cotangents, DTypes, Derivation, Fault,
    Inference, Lowered, Lowering, OperandSpec, Operator, Registry, Sample, Signature, Split,
    Splitting, Type,
};
use abeyance::prelude::*;

/// An operator is its signature and three rules. It has no state: what differs from node to node is an attribute.
struct Swish;

impl Operator for Swish {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
        const ATTRIBUTES: &[AttributeSpec] =
            &[AttributeSpec::required("beta", AttributeKind::Real)];
        const { &Signature::new("swish", "x times sigmoid(beta x)", OPERANDS).attributes(ATTRIBUTES) }
    }

    /// The shape rule: the result is like the operand. Dimensions may still be unknown.
    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        cx.tensor(cx.dtype(0), cx.shape(0))
    }

    /// The gradient rule appends nodes: dy (s + β y (1 - s)), where s = sigmoid(β x). Since they are ordinary nodes, second
    /// derivatives need no more than this.
    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        use abeyance::graph::ops::{binary, scalar_like, unary};
        let (x, y, dy) = (cx.operand(0), cx.result(), cx.cotangent());
        let beta = cx.old_attributes().real(0);
        let graph = cx.graph();
        let (beta, one) = (scalar_like(graph, x, beta), scalar_like(graph, x, 1.0));
        let scaled = binary::mul(graph, x, beta);
        let s = unary::sigmoid(graph, scaled);
        let rest = binary::sub(graph, one, s);
        let right = binary::mul(graph, y, rest);
        let right = binary::mul(graph, right, beta);
        let slope = binary::add(graph, s, right);
        let dx = binary::mul(graph, dy, slope);
        Ok(cx.only(dx))
    }

    /// The loop, for sizes that are known by now. It may be run in parts, each of which fills its piece of the output.
    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if cx.result.dtype != abeyance::ir::DType::F32 {
            return Err(Fault::new(format!("there is no loop for {}", cx.result.dtype)));
        }
        let beta = cx.attributes.real(0) as f32;
        let cost =
            Cost { flops: 25.0 * cx.result.len() as f64, bytes: 2.0 * cx.result.bytes() as f64 };
        let kernel = Kernel::single(1, 16 * 1024, cost, move |call| {
            let (start, x) = (call.start::<f32>(), call.input::<f32>(0));
            for (y, x) in call.output::<f32>().iter_mut().zip(&x[start..]) {
                *y = x / (1.0 + (-beta * x).exp());
            }
            Ok(())
        });
        Ok(kernel.into())
    }

    /// Each element depends on nothing but the operand's at its place, so the rows of a batch stay apart: a server may put requests
    /// together in one run.
    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    /// Uses for tables of checks; this one has none.
    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// A function, so that it reads like the built-in ones.
fn swish<'g>(x: Tensor<'g, f32>, beta: f64) -> Tensor<'g, f32> {
    let attributes = Attributes::of([Attribute::Real(beta)]);
    x.graph().apply(&Swish, &[x.erase()], attributes).assume()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A small network learns the sine.
    let g = Graph::named("swish");
    let x = g.placeholder::<f32>("x", dims![_, 1]);
    let w1 = g.variable("w1", random_normal(dims![1, 16], 0.0, 1.0));
    let b1 = g.variable("b1", random_normal(dims![16], 0.0, 1.0));
    let w2 = g.variable("w2", random_normal(dims![16, 1], 0.0, 0.25));
    let y = swish(x.matmul(w1) + b1, 1.5).matmul(w2);
    let y_ = g.placeholder::<f32>("y_", dims![_, 1]);
    let loss = (y - y_).square().reduce_mean(..).named("loss");
    let train_step = Adam::new(0.02).minimize(loss);

    let session = Session::new(&g)?;
    let xs = ndarray::Array::linspace(-3.0f32, 3.0, 100).into_shape_with_order((100, 1))?;
    let ys = xs.mapv(f32::sin);
    let feeds = feeds![x => &xs, y_ => &ys];
    for step in 0..=1000 {
        if step % 200 == 0 {
            println!("{step:5}: mean squared error {:.6}", session.run(loss, &feeds)?);
        }
        session.run(train_step, &feeds)?;
    }

    // The printed graph names the operator; who reads it back has to know it.
    let mut operators = Registry::default();
    operators.register((&Swish).into());
    let again = Graph::parse_with(&g.to_text(), &operators)?;
    println!("read back: {} nodes", again.ir().len());
    Ok(())
}

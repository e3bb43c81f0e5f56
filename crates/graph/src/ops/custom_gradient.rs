//! A gradient that the user gives.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Fault, Inference, Lowered, Lowering, NodeId,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};

use super::control::{give, invariant};
use crate::tensor_tuple::listed;
use crate::{Float, Graph, Rule, Tensor, TensorTuple};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&CustomGradient];

abeyance_ir::attributes! {
    /// The gradient that the user gives.
    pub struct CustomGradientAttributes {
        /// The body that computes the cotangents of the xs, as [`CustomGradient`] says.
        gradient: BodyRef,
    }
}

/// Its first operand, with a gradient of its own.
///
/// Operands: y, the xs that it is a function of, what the gradient captured. The body `gradient`
/// takes the xs, y, the cotangent of y and what it captured, and gives the cotangents of the xs;
/// its nodes are copied to where a gradient is asked for. Nothing flows back through y itself.
pub struct CustomGradient;

/// The operand for an input of the gradient of so many xs; `None` for the cotangent.
fn operand(xs: usize, place: usize) -> Option<usize> {
    match place {
        _ if place < xs => Some(1 + place),
        _ if place == xs => Some(0),
        _ if place == xs + 1 => None,
        _ => Some(place - 1),
    }
}

impl Operator for CustomGradient {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::apart("y", DTypes::FLOAT), OperandSpec::apart("xs", DTypes::ANY)];
        const {
            &Signature::new(
                "custom_gradient",
                "its first operand, with a gradient of its own",
                OPERANDS,
            )
            .attributes(CustomGradientAttributes::SPECS)
            .variadic()
            .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let CustomGradientAttributes { gradient } = cx.attributes();
        let xs = gradient.outputs().len();
        if gradient.inputs().len() != cx.operands() + 1 || cx.operands() < 1 + xs {
            return Err(Fault::new(format!(
                "a gradient of {} inputs and {xs} outputs does not fit {} operands",
                gradient.inputs().len(),
                cx.operands()
            )));
        }
        for place in 0..gradient.inputs().len() {
            let given = cx.operand(operand(xs, place).unwrap_or(0));
            give(cx, &gradient, place, &given)?;
        }
        for place in 0..xs {
            let x = cx.operand(1 + place);
            if x.dtype.is_float() {
                invariant(cx, &gradient, place, &x).map_err(|_| {
                    let given = gradient.output(place).map(|ty| cx.display_type(&ty));
                    Fault::new(format!(
                        "the cotangent of `{}`, which is {}, is {}",
                        gradient.input_name(place),
                        cx.display_type(&x),
                        given.unwrap_or_default()
                    ))
                    .help("a cotangent has the shape and element type of what it belongs to")
                })?;
            }
        }
        cx.tensor(cx.dtype(0), cx.shape(0))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let CustomGradientAttributes { gradient } = cx.attributes();
        let xs = gradient.outputs().len();
        let input = |place| match operand(xs, place) {
            Some(0) => cx.result().id(),
            Some(operand) => cx.operand(operand).id(),
            None => cx.cotangent().id(),
        };
        let inputs: Vec<NodeId> = (0..gradient.inputs().len()).map(input).collect();
        let outputs = cx.result().graph(|graph| graph.inline(&gradient, &inputs));
        // The first operand is y, through which nothing flows back.
        Ok(cx.each_wanted(|place| Some(cx.expr(*outputs.get(place.checked_sub(1)?)?))))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.operand(0)
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl Graph {
    /// The result of `forward` for `xs`, with `gradient` for its gradient: TensorFlow's
    /// `tf.custom_gradient`. `gradient` is given `xs`, the result y and the cotangent of y (the
    /// derivative of the loss with respect to it), and gives the cotangents of `xs`: for floats in
    /// their shapes, for others anything, such as the tensor itself.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// // Rounds, and lets the gradient through as if it did not.
    /// let y = g.custom_gradient(x, |x| (x + 0.5).floor(), |_, _, dy| dy);
    /// assert_eq!(y.to_string(), "custom_gradient : f32[N]");
    /// ```
    ///
    /// Nothing flows back through `forward`'s own nodes: a tensor that is not among `xs` receives
    /// nothing through y. Second derivatives are those of what `gradient` computes.
    #[track_caller]
    pub fn custom_gradient<'g, X: TensorTuple<'g>, T: Float>(
        &'g self,
        xs: X,
        forward: impl FnOnce(X) -> Tensor<'g, T>,
        gradient: impl FnOnce(X, Tensor<'g, T>, Tensor<'g, T>) -> X,
    ) -> Tensor<'g, T> {
        let list = listed(xs);
        let home = self.innermost(&list);
        let mut operands = home.import_all(&list);
        let scope = home.build(|graph| graph.unique_scope("custom_gradient"));
        let y = forward(X::rebuild(home, &mut operands.iter().copied()));
        let y = home.import(y.erase());
        operands.extend([y, y]);
        let traced = home.trace(
            &format!("{scope}gradient"),
            &operands,
            |_, ty| ty,
            |(xs, (y, dy)): (X, (Tensor<'g, T>, Tensor<'g, T>))| gradient(xs, y, dy),
            listed,
        );
        operands.truncate(list.len());
        operands.insert(0, y);
        operands.extend(traced.captures);
        let attributes = CustomGradientAttributes { gradient: traced.body };
        let names = ["0".to_owned()].into_iter();
        let _call = self.call("custom_gradient");
        home.control(&scope, &CustomGradient, &operands, attributes, names)
    }
}

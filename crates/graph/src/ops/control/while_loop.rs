//! A loop that runs as long as a condition holds.

use std::sync::Arc;

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Domain, Fault, Inference, LoopMemory,
    Lowered, Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting,
    TensorType, Type,
};
use abeyance_kernels::launch::Kernel;
use smallvec::SmallVec;

use super::condition::{Loop, Parts, WhileLoopAttributes};
use super::derive::{Derived, answer, operands, type_of};
use super::while_gradient::{WhileGradient, WhileGradientAttributes};
use super::{carried, sample_body, short};
use crate::tensor_tuple::listed;
use crate::{Expr, Graph, Rule, Tensor, TensorTuple};

/// Runs a body as long as a condition holds.
///
/// Operands: the first values of what the loop carries, what the condition captured, what the body
/// captured. Gradient: see [`WhileGradient`].
pub struct WhileLoop;

impl Operator for WhileLoop {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("inputs", DTypes::ANY)];
        const {
            &Signature::new(
                "while_loop",
                "what a loop carries when its condition does not hold any more",
                OPERANDS,
            )
            .attributes(WhileLoopAttributes::SPECS)
            .differentiability(abeyance_ir::Differentiability::Once)
            .variadic()
            .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let parts = Parts::new(cx.attributes())?;
        let results = parts.infer(cx, 0)?;
        if cx.operands() == parts.carried + parts.tested + parts.captured {
            Ok(Type::of_items(results))
        } else {
            Err(Fault::new(format!("{} operands are more than its bodies take", cx.operands())))
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let attributes: WhileLoopAttributes = cx.attributes();
        let parts = Parts::new(attributes.clone())?;
        let body = &*parts.body;
        let operands = operands(cx);
        let is_float = |place: &usize| body.input(*place).is_some_and(|ty| ty.dtype.is_float());
        let floats: Vec<usize> = (0..parts.carried).filter(is_float).collect();
        let first = parts.carried + parts.tested;
        let wanted: Vec<usize> =
            (0..parts.captured).filter(|place| cx.wanted(first + place)).collect();

        // The body once more, and backwards.
        let derived = Derived::new(cx, body);
        let mut inputs: Vec<Expr<'_>> =
            (0..parts.carried).map(|place| derived.keep(body, place)).collect();
        let mut cotangents = Vec::new();
        for &place in &floats {
            let ty = type_of(body.graph(), body.inputs()[place])?;
            cotangents.push(derived.add("cotangent", ty));
        }
        inputs.extend((parts.carried..body.inputs().len()).map(|place| derived.keep(body, place)));
        let outputs = derived.rest(body);
        let seeds: Vec<_> = floats
            .iter()
            .zip(&cotangents)
            .map(|(&place, &cotangent)| (outputs[place], cotangent))
            .collect();
        let captured = wanted.iter().map(|place| parts.carried + place);
        let places: Vec<usize> = floats.iter().copied().chain(captured).collect();
        let xs: Vec<Expr<'_>> = places.iter().map(|&place| inputs[place]).collect();
        let found = derived.differentiate(cx, &seeds, &xs)?.into_iter().zip(&xs);
        let outputs = found.map(|(found, x)| found.unwrap_or_else(|| x.fill_like(0.0)).id());
        let outputs = outputs.collect();
        derived.tell(cx);
        let derived = derived.finish(outputs);
        let common = parts.carried + floats.len();
        let behind: Vec<Expr<'_>> = (0..parts.captured)
            .filter(|place| derived.uses(common + place))
            .map(|place| operands[first + place])
            .collect();
        let derived = derived.pruned(|place| place >= common);

        let given = cx.cotangents();
        let mut all: Vec<Expr<'_>> = operands[..parts.carried].to_vec();
        for &place in &floats {
            let cotangent = given.get(place).copied().flatten();
            all.push(cotangent.unwrap_or_else(|| operands[place].fill_like(0.0)));
        }
        all.extend_from_slice(&operands[parts.carried..]);
        all.extend(behind);
        let attributes = WhileGradientAttributes { of: attributes, gradient: Arc::new(derived) };
        let node = cx.result().apply_to(&WhileGradient, &all, attributes);
        let names: Vec<String> = (0..places.len()).map(|index| index.to_string()).collect();
        let operand =
            |place: usize| if place < parts.carried { place } else { place + parts.tested };
        Ok(answer(cx, places.into_iter().map(operand).zip(node.items(&names))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let parts = Parts::new(cx.attributes())?;
        let each = Loop::new(&parts, cx, 0)?;
        let bytes = each.carried().bytes();
        Ok(Kernel::single(cx.operands.len(), bytes, each.cost(), move |call| {
            let run = call.run_counter();
            let (inputs, out) = call.inputs_and_output::<u8>();
            each.memory().lend(|LoopMemory { carried, .. }| {
                each.run(inputs, carried, run, |_, _| Ok(()))?;
                out.copy_from_slice(&carried.current.bytes()[..bytes]);
                Ok(())
            })
        })
        .into())
    }

    fn splits(&self, cx: &Splitting<'_>) -> SmallVec<[Split; 1]> {
        let mixed = SmallVec::from_elem(Split::Mixed, cx.results().len());
        let Ok(parts) = Parts::new(cx.attributes()) else {
            return mixed;
        };
        let captured = |first: usize, count: usize| {
            (first..first + count).map(|place| cx.operand(place)).collect::<Vec<Split>>()
        };
        let tested = captured(parts.carried, parts.tested);
        let mut inputs = captured(0, parts.carried);
        inputs.extend(captured(parts.carried + parts.tested, parts.captured));
        let outputs = carried(&mut inputs, parts.carried, |inputs| cx.body(&parts.body, inputs));
        let tested = [&outputs, &tested[..]].concat();
        // Otherwise the rows decide how often the body is run, all of them together.
        match cx.body(&parts.condition, &tested)[..] {
            [Split::Whole] => outputs.into(),
            _ => mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        // While the sum of |x| is below 20, x grows: to 1.5 x + tanh(w x) / 8.
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 5], &[0, 3], &[7]];
        shapes.map(sample).into()
    }
}

fn sample(dims: &[usize]) -> Sample {
    let shape: Shape = dims.iter().map(|&dim| dim.into()).collect();
    let ty = TensorType::new(DType::F64, shape);
    let test = sample_body("while_loop/while", ["x"], &ty, |[x]| x.abs().reduce_sum(..).less(20.0));
    let step =
        sample_body("while_loop/body", ["x", "w"], &ty, |[x, w]| x * 1.5 + (w * x).tanh() * 0.125);
    Sample::new(WhileLoopAttributes {
        r#while: Arc::new(test),
        body: Arc::new(step),
        max_iterations: 50,
    })
    .float(dims, Domain::AwayFromZero)
    .float(dims, Domain::Between(-1.0, 1.0))
}

impl Graph {
    /// Repeats `body` as long as `condition` holds: TensorFlow's `tf.while_loop`. The loop carries
    /// `first`; both closures are given what it carries, and the body gives what it carries on
    /// with, in the same element types and shapes. Other tensors that they use are captured (see
    /// [`control`](crate::ops::control)).
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 4]);
    /// let w = g.variable("w", 0.5);
    /// let (_, y) = g.while_loop(
    ///     (g.constant(0i64), x),
    ///     |(i, _)| i.less(10),
    ///     |(i, x)| (i + 1, (x * w).tanh()),
    /// );
    /// assert_eq!(y.to_string(), "while_loop/x : f32[N, 4]");
    /// ```
    ///
    /// Gradient: the loop runs once more and keeps what each iteration starts from, then its body
    /// runs backwards; what captured tensors receive is summed over the iterations, latest first.
    /// It can be differentiated once; where second derivatives are needed, and the number of
    /// iterations is known, use [`scan`](Graph::scan).
    ///
    /// A loop that does not end does not end: see [`Graph::while_loop_at_most`]. It is a mistake if
    /// what is carried changes its shape, or if a body has an effect.
    #[track_caller]
    pub fn while_loop<'g, C: TensorTuple<'g>, P: Into<Tensor<'g, bool>>>(
        &'g self,
        first: C,
        condition: impl FnOnce(C) -> P,
        body: impl FnOnce(C) -> C,
    ) -> C {
        self.repeat_while("while_loop", 0, first, condition, body)
    }

    /// Runs a loop with a bound: if the condition still holds after `max_iterations`, the run
    /// fails. 0 is no bound.
    #[track_caller]
    pub fn while_loop_at_most<'g, C: TensorTuple<'g>, P: Into<Tensor<'g, bool>>>(
        &'g self,
        max_iterations: u32,
        first: C,
        condition: impl FnOnce(C) -> P,
        body: impl FnOnce(C) -> C,
    ) -> C {
        self.repeat_while("while_loop_at_most", max_iterations, first, condition, body)
    }

    #[track_caller]
    fn repeat_while<'g, C: TensorTuple<'g>, P: Into<Tensor<'g, bool>>>(
        &'g self,
        name: &'static str,
        max_iterations: u32,
        first: C,
        condition: impl FnOnce(C) -> P,
        body: impl FnOnce(C) -> C,
    ) -> C {
        let list = listed(first);
        let home = self.innermost(&list);
        let first = home.import_all(&list);
        let scope = home.build(|graph| graph.unique_scope("while_loop"));
        let whole = |_, ty| ty;
        let holds = |carried: C| condition(carried).into();
        let condition = home.trace(&format!("{scope}while"), &first, whole, holds, listed);
        let body = home.trace(&format!("{scope}body"), &first, whole, body, listed);
        let names: Vec<String> =
            first.iter().map(|&id| short(&home.ir().node(id).name).to_owned()).collect();
        let mut operands = first;
        operands.extend(condition.captures);
        operands.extend(body.captures);
        let attributes = WhileLoopAttributes {
            r#while: condition.body,
            body: body.body,
            max_iterations: max_iterations.into(),
        };
        let _call = self.call(name);
        home.control(&scope, &WhileLoop, &operands, attributes, names.into_iter())
    }
}

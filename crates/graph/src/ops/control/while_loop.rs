//! A loop that runs as long as a condition holds.

use std::sync::Arc;

use abeyance_ir::{
    Array, Attribute, AttributeKind, AttributeSpec, Attributes, Body, Concrete, Cotangents, DType,
    DTypes, DefaultAttribute, Derivation, Domain, Fault, Graph as Ir, Inference, Lowered, Lowering,
    NodeId, OperandSpec, Operator, Packing, RunBody, Sample, Shape, Signature, TensorType, Type,
};
use abeyance_kernels::launch::{Cost, Failure, Inputs, Kernel};

use super::derive::{Derived, type_of, zeros};
use super::repeat::{Carried, Pool, draw, within};
use super::while_gradient::WHILE_GRADIENT;
use super::{give, invariant, short};
use crate::handles::listed;
use crate::ops::tuple::items;
use crate::ops::{binary, comparison, reduce, source, unary};
use crate::{Graph, Handles, Tensor};

/// Runs a body as long as a condition holds.
///
/// Operands: the first values of what the loop carries, what the condition captured, what the body captured. Gradient:
/// see [`WHILE_GRADIENT`].
pub struct WhileLoop;

/// See [`WhileLoop`].
pub static WHILE_LOOP: WhileLoop = WhileLoop;

/// Attributes of a loop and of its gradient.
pub(super) const ATTRIBUTES: [AttributeSpec; 3] = [
    AttributeSpec::required("while", AttributeKind::Body),
    AttributeSpec::required("body", AttributeKind::Body),
    AttributeSpec::optional("max_iterations", AttributeKind::Integer, DefaultAttribute::Integer(0)),
];

/// The two bodies of a loop and how many operands each part of it has.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) condition: Arc<Body>,
    pub(super) body: Arc<Body>,
    pub(super) carried: usize,
    /// What the condition captured.
    pub(super) tested: usize,
    /// What the body captured.
    pub(super) captured: usize,
    /// The most iterations; 0 for any number.
    pub(super) most: usize,
}

impl Parts {
    pub(super) fn new(attributes: &Attributes) -> Result<Self, Fault> {
        let (Some(condition), Some(body)) = (attributes.body(0), attributes.body(1)) else {
            return Err(Fault::new("a body is missing"));
        };
        let carried = body.outputs().len();
        let captured = |of: &Body| {
            of.inputs().len().checked_sub(carried).ok_or_else(|| {
                Fault::new(format!(
                    "the body `{}` takes {} of the {carried} carried values",
                    of.graph().name(),
                    of.inputs().len()
                ))
            })
        };
        if carried == 0 {
            return Err(Fault::new("the loop carries nothing, so it never changes"));
        }
        Ok(Self {
            carried,
            tested: captured(condition)?,
            captured: captured(body)?,
            condition: condition.clone(),
            body: body.clone(),
            most: usize::try_from(attributes.integer(2))
                .map_err(|_| Fault::new("max_iterations is negative"))?,
        })
    }

    /// Checks operands that begin with the carried values and end with what the bodies captured, with `between` others
    /// in between; tells the types of the carried values.
    pub(super) fn infer(
        &self,
        cx: &mut Inference<'_>,
        between: usize,
    ) -> Result<Vec<TensorType>, Fault> {
        let least = self.carried + between + self.tested + self.captured;
        if cx.operands() < least {
            return Err(Fault::new(format!("takes {least} operands, not {}", cx.operands())));
        }
        let first = self.carried + between;
        for (body, behind) in [(&self.condition, first), (&self.body, first + self.tested)] {
            for place in 0..body.inputs().len() {
                let operand = match place.checked_sub(self.carried) {
                    None => place,
                    Some(captured) => behind + captured,
                };
                let given = cx.operand(operand);
                give(cx, body, place, &given)?;
            }
        }
        match (self.condition.outputs().len(), self.condition.output(0)) {
            (1, Some(ty)) if ty.dtype == DType::Bool && ty.shape.is_empty() => {}
            (1, Some(ty)) => {
                return Err(Fault::new(format!(
                    "the condition is {}, not a scalar of bool",
                    cx.display_type(&ty)
                ))
                .help("reduce it: `x.less(1.0).reduce_all(..)`"));
            }
            (count, _) => {
                return Err(Fault::new(format!("the condition gives {count} values, not one")));
            }
        }
        (0..self.carried)
            .map(|place| {
                let first = cx.operand(place);
                invariant(cx, &self.body, place, &first)
            })
            .collect()
    }

    /// The sizes of a body's inputs among operands as of [`Parts::infer`].
    pub(super) fn sizes<'a>(
        &self,
        operands: &[Concrete<'a>],
        first: usize,
        captured: usize,
    ) -> Vec<Concrete<'a>> {
        let carried = operands.iter().take(self.carried);
        let captured = operands.iter().skip(first).take(captured);
        carried.chain(captured).copied().collect()
    }
}

/// A loop ready to run.
pub(super) struct Loop {
    condition: Box<dyn RunBody>,
    body: Box<dyn RunBody>,
    carried: Packing,
    /// Where operands begin that the condition and the body captured.
    behind: [usize; 2],
    most: usize,
}

impl Loop {
    pub(super) fn new(parts: &Parts, cx: &Lowering<'_>, between: usize) -> Result<Self, Fault> {
        let first = parts.carried + between;
        let behind = [first, first + parts.tested];
        let sizes = |captured, first| parts.sizes(cx.operands, first, captured);
        Ok(Self {
            condition: cx.bodies.compile(&parts.condition, &sizes(parts.tested, behind[0]))?,
            body: cx.bodies.compile(&parts.body, &sizes(parts.captured, behind[1]))?,
            carried: pack(&cx.operands[..parts.carried])?,
            behind,
            most: parts.most,
        })
    }

    pub(super) fn carried(&self) -> &Packing {
        &self.carried
    }

    /// The work of a guessed number of iterations.
    pub(super) fn cost(&self) -> Cost {
        const GUESS: f64 = 16.0;
        let (test, body) = (self.condition.cost(), self.body.cost());
        Cost { flops: GUESS * (test.flops + body.flops), bytes: GUESS * (test.bytes + body.bytes) }
    }

    /// Runs it, and tells the number of iterations; what it carries is in `memory.current` then. `before` is told, before each
    /// iteration, its number and what it starts from.
    pub(super) fn run(
        &self,
        inputs: Inputs<'_>,
        memory: &mut Carried,
        run: u64,
        mut before: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let carried = self.carried.len();
        memory.grow(self.carried.bytes())?;
        for place in 0..carried {
            let to = &mut memory.current.bytes_mut()[self.carried.range(place)];
            to.copy_from_slice(inputs.get(place));
        }
        let mut iteration = 0;
        loop {
            let draw = draw(run, iteration);
            let Carried { current, next } = &mut *memory;
            let current = current.bytes();
            let input = |behind: usize| {
                move |place: usize| match place.checked_sub(carried) {
                    None => &current[self.carried.range(place)],
                    Some(captured) => inputs.get(behind + captured),
                }
            };
            let mut is_on = false;
            let tested = self.condition.run(
                &input(self.behind[0]),
                &mut |_, bytes| is_on = bytes != [0],
                draw,
            );
            within(iteration, tested)?;
            if !is_on {
                return Ok(iteration);
            }
            if iteration == self.most && self.most > 0 {
                return Err(Failure(format!(
                    "the condition still holds after max_iterations = {}",
                    self.most
                )));
            }
            before(iteration, current)?;
            let next = next.bytes_mut();
            let done = self.body.run(
                &input(self.behind[1]),
                &mut |place, bytes| next[self.carried.range(place)].copy_from_slice(bytes),
                draw,
            );
            within(iteration, done)?;
            memory.step();
            iteration += 1;
        }
    }
}

/// The places of these in one buffer.
pub(super) fn pack(items: &[Concrete<'_>]) -> Result<Packing, Fault> {
    Packing::new(items).ok_or_else(|| Fault::new("what it holds is larger than any memory"))
}

impl Operator for WhileLoop {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("inputs", DTypes::ANY)];
        const {
            &Signature::new(
                "while_loop",
                "what a loop carries when its condition does not hold any more",
                OPERANDS,
            )
            .attributes(&ATTRIBUTES)
            .calculus(abeyance_ir::Calculus::Once)
            .variadic()
            .masking()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let parts = Parts::new(cx.attributes())?;
        let results = parts.infer(cx, 0)?;
        match cx.operands() == parts.carried + parts.tested + parts.captured {
            true => Ok(Type::of_items(results)),
            false => {
                Err(Fault::new(format!("{} operands are more than its bodies take", cx.operands())))
            }
        }
    }

    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        let attributes = cx.attributes().clone();
        let parts = Parts::new(&attributes)?;
        let body = &*parts.body;
        let operands: Vec<NodeId> = (0..cx.operands()).map(|place| cx.operand(place)).collect();
        let is_float = |place: &usize| body.input(*place).is_some_and(|ty| ty.dtype.is_float());
        let floats: Vec<usize> = (0..parts.carried).filter(is_float).collect();
        let first = parts.carried + parts.tested;
        let wanted: Vec<usize> =
            (0..parts.captured).filter(|place| cx.wanted(first + place)).collect();

        // The body once more, and backwards.
        let mut derived = Derived::new(cx.graph(), body);
        let mut inputs: Vec<NodeId> =
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
        let xs: Vec<NodeId> = places.iter().map(|&place| inputs[place]).collect();
        let found = derived.differentiate(cx, &seeds, &xs)?;
        let mut outputs = Vec::new();
        for (found, &x) in found.into_iter().zip(&xs) {
            let ty = type_of(&derived.graph, x)?;
            outputs.push(found.unwrap_or_else(|| zeros(&mut derived.graph, &ty)));
        }
        cx.graph().adopt(&derived.graph);
        let derived = Body::new(derived.graph, outputs);
        let common = parts.carried + floats.len();
        let behind: Vec<NodeId> = (0..parts.captured)
            .filter(|place| derived.uses(common + place))
            .map(|place| operands[first + place])
            .collect();
        let derived = derived.pruned(|place| place >= common);

        let given = cx.cotangents();
        let mut all: Vec<NodeId> = operands[..parts.carried].to_vec();
        for &place in &floats {
            let ty = type_of(cx.graph(), operands[place])?;
            let cotangent = given.get(place).copied().flatten();
            all.push(cotangent.unwrap_or_else(|| zeros(cx.graph(), &ty)));
        }
        all.extend_from_slice(&operands[parts.carried..]);
        all.extend(behind);
        let attributes = Attributes::of([
            Attribute::Body(parts.condition.clone()),
            Attribute::Body(parts.body.clone()),
            Attribute::Integer(attributes.integer(2)),
            Attribute::Body(Arc::new(derived)),
        ]);
        let node = cx.add(&WHILE_GRADIENT, &all, attributes);
        let names: Vec<String> = (0..places.len()).map(|index| index.to_string()).collect();
        let found = items(cx.graph(), node, &names);
        let mut cotangents = Cotangents::from_elem(None, operands.len());
        for (place, cotangent) in places.into_iter().zip(found) {
            let operand = match place < parts.carried {
                true => place,
                false => place + parts.tested,
            };
            cotangents[operand] = Some(cotangent);
        }
        Ok(cotangents)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let parts = Parts::new(cx.attributes)?;
        let each = Loop::new(&parts, cx, 0)?;
        let bytes = each.carried.bytes();
        let pool = Pool::<Carried>::new();
        Ok(Kernel::single(cx.operands.len(), bytes, each.cost(), move |call| {
            let run = call.draw();
            let (inputs, out) = call.inputs_and_output::<u8>();
            pool.lend(|memory| {
                each.run(inputs, memory, run, |_, _| Ok(()))?;
                out.copy_from_slice(&memory.current.bytes()[..bytes]);
                Ok(())
            })
        })
        .into())
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
    let number = |graph: &mut Ir, value| source::constant(graph, Array::scalar(DType::F64, value));
    let mut test = Ir::default().for_body("while_loop/while");
    let x = test.input("x", ty.clone());
    let size = unary::abs(&mut test, x);
    let axes: Vec<i64> = (0..dims.len() as i64).collect();
    let sum = reduce::sum(&mut test, size, &axes, false);
    let most = number(&mut test, 20.0);
    let is_less = comparison::less(&mut test, sum, most);
    let mut step = Ir::default().for_body("while_loop/body");
    let [x, w] = ["x", "w"].map(|name| step.input(name, ty.clone()));
    let (factor, eighth) = (number(&mut step, 1.5), number(&mut step, 0.125));
    let grown = binary::mul(&mut step, x, factor);
    let product = binary::mul(&mut step, w, x);
    let tanh = unary::tanh(&mut step, product);
    let more = binary::mul(&mut step, tanh, eighth);
    let next = binary::add(&mut step, grown, more);
    Sample::new(Attributes::of([
        Attribute::Body(Arc::new(Body::new(test, vec![is_less]))),
        Attribute::Body(Arc::new(Body::new(step, vec![next]))),
        Attribute::Integer(50),
    ]))
    .float(dims, Domain::AwayFromZero)
    .float(dims, Domain::Between(-1.0, 1.0))
}

impl Graph {
    /// Repeats `body` as long as `condition` holds: TensorFlow's `tf.while_loop`. The loop carries `first`; both closures are
    /// given what it carries, and the body gives what it carries on with, in the same element types and shapes. Other
    /// tensors that they use are captured (see [`control`](crate::ops::control)).
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
    /// Gradient: the loop runs once more and keeps what each iteration starts from, then its body runs backwards; what
    /// captured tensors receive is summed over the iterations, latest first. It can be differentiated once; where second
    /// derivatives are needed, and the number of iterations is known, use [`scan`](Graph::scan).
    ///
    /// A loop that does not end does not end: see [`Graph::while_loop_at_most`]. It is a mistake if what is carried changes
    /// its shape, or if a body has an effect.
    #[track_caller]
    pub fn while_loop<'g, C: Handles<'g>, P: Into<Tensor<'g, bool>>>(
        &'g self,
        first: C,
        condition: impl FnOnce(C) -> P,
        body: impl FnOnce(C) -> C,
    ) -> C {
        self.while_loop_at_most(0, first, condition, body)
    }

    /// The same with a bound: if the condition still holds after `max_iterations`, the run fails. 0 is no bound.
    #[track_caller]
    pub fn while_loop_at_most<'g, C: Handles<'g>, P: Into<Tensor<'g, bool>>>(
        &'g self,
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
        let attributes = Attributes::of([
            Attribute::Body(condition.body),
            Attribute::Body(body.body),
            Attribute::Integer(max_iterations.into()),
        ]);
        home.control(&scope, &WHILE_LOOP, &operands, attributes, names.into_iter())
    }
}

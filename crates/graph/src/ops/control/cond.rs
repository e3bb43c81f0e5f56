//! One of two branches.

use std::sync::Arc;

use abeyance_ir::{
    Array, AttributeSet, Body, Cotangents, DType, DTypes, Derivation, Domain, Fault, Inference,
    Lowered, Lowering, OperandSpec, Operator, Packing, Sample, Signature, Split, Splitting,
    TensorType, Type, attributes,
};
use abeyance_kernels::launch::{Cost, Kernel};
use smallvec::SmallVec;

use super::derive::{Derived, answer, operands, type_of};
use super::{give, output, sample_body, unify};
use crate::tensor_tuple::listed;
use crate::{Expr, Graph, Operand, Rule, TensorTuple};

attributes! {
    /// The branches of a [`Cond`].
    pub struct CondAttributes {
        /// Body that runs if the predicate holds.
        then: BodyRef,
        /// Body that runs if it does not.
        r#else: BodyRef,
    }
}

/// Runs one of two bodies, and only that one.
///
/// Operands: the predicate, what both bodies are given, what only `then` is given, what only `else`
/// is given. Gradient: the branch taken is run again, and then backwards; the other adds exact
/// zeros.
pub struct Cond;

/// How many inputs the branches have in common, from the numbers of inputs of each and of operands.
fn shared(bodies: [&Body; 2], operands: usize) -> Option<usize> {
    let [then, other] = bodies.map(|body| body.inputs().len());
    let shared = (then + other).checked_sub(operands.checked_sub(1)?)?;
    (shared <= then && shared <= other).then_some(shared)
}

/// The operand for an input of a branch (0 or 1).
fn operand(bodies: [&Body; 2], shared: usize, branch: usize, place: usize) -> usize {
    if branch == 1 && place >= shared {
        1 + bodies[0].inputs().len() + place - shared
    } else {
        1 + place
    }
}

/// The body that computes, of the cotangents `given` for the results of a branch, those of the
/// operands `wanted`. Its first inputs are the shared ones and the cotangents.
fn backward_branch(
    cx: &Derivation<'_>,
    bodies: [&Body; 2],
    branch: usize,
    shared: usize,
    given: &[(usize, Expr<'_>)],
    wanted: &[usize],
    operands: &[Expr<'_>],
) -> Result<Body, Fault> {
    let ty = |x: Expr<'_>| x.graph(|graph| type_of(graph, x.id()));
    let body = bodies[branch];
    let backward = Derived::new(cx, body);
    let count = body.inputs().len();
    let mut inputs: Vec<Expr<'_>> = (0..shared).map(|place| backward.keep(body, place)).collect();
    let mut seeds = Vec::new();
    for &(_, cotangent) in given {
        seeds.push(backward.add("cotangent", ty(cotangent)?));
    }
    inputs.extend((shared..count).map(|place| backward.keep(body, place)));
    let results = backward.rest(body);
    let seeds: Vec<_> =
        given.iter().zip(seeds).map(|(&(item, _), seed)| (results[item], seed)).collect();
    let input_of = |wanted: usize| {
        let mut places = 0..count;
        places.find(|&place| operand(bodies, shared, branch, place) == wanted)
    };
    let own: Vec<Option<usize>> = wanted.iter().map(|&place| input_of(place)).collect();
    let xs: Vec<Expr<'_>> = own.iter().flatten().map(|&place| inputs[place]).collect();
    let mut found = backward.differentiate(cx, &seeds, &xs)?.into_iter();
    let zeros = |ty: TensorType| results[0].fill(Array::scalar(ty.dtype, 0.0), ty.shape);
    let mut outputs = Vec::new();
    for (own, &place) in own.iter().zip(wanted) {
        let cotangent = own.and_then(|_| found.next().flatten());
        let ty = ty(operands[place])?;
        outputs.push(cotangent.unwrap_or_else(|| zeros(ty)).id());
    }
    backward.tell(cx);
    Ok(backward.finish(outputs))
}

impl Operator for Cond {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::apart("predicate", DTypes::BOOL),
            OperandSpec::apart("inputs", DTypes::ANY),
        ];
        const {
            &Signature::new("cond", "one of two branches", OPERANDS)
                .attributes(CondAttributes::SPECS)
                .variadic()
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        if cx.rank(0) != 0 {
            return Err(Fault::new(format!(
                "the predicate is {}, not a scalar",
                cx.display_type(&cx.operand(0))
            ))
            .help("`select` chooses element by element"));
        }
        let CondAttributes { then, r#else } = cx.attributes();
        let bodies: [&Body; 2] = [&then, &r#else];
        let Some(shared) = shared(bodies, cx.operands()) else {
            return Err(Fault::new(format!(
                "{} operands are not what branches of {} and {} inputs take",
                cx.operands(),
                bodies[0].inputs().len(),
                bodies[1].inputs().len()
            )));
        };
        for (branch, body) in bodies.into_iter().enumerate() {
            for place in 0..body.inputs().len() {
                let given = cx.operand(operand(bodies, shared, branch, place));
                give(cx, body, place, &given)?;
            }
        }
        let counts = bodies.map(|body| body.outputs().len());
        if counts[0] != counts[1] || counts[0] == 0 {
            return Err(Fault::new(format!(
                "one branch has {} results, the other {}",
                counts[0], counts[1]
            )));
        }
        let mut results = Vec::new();
        for place in 0..counts[0] {
            let [then, other] = [output(cx, bodies[0], place)?, output(cx, bodies[1], place)?];
            results.push(unify(cx, &then, &other).map_err(|[then, other]| {
                Fault::new(format!(
                    "result {place} is {then} of one branch and {other} of the other"
                ))
                .help("both branches give the same element types and shapes")
            })?);
        }
        Ok(Type::of_items(results))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let CondAttributes { then, r#else } = cx.attributes();
        let bodies: [&Body; 2] = [&then, &r#else];
        let Some(shared) = shared(bodies, cx.operands()) else {
            return Err(Fault::new("a body does not fit"));
        };
        let wanted: Vec<usize> = (1..cx.operands()).filter(|&place| cx.wanted(place)).collect();
        let operands = operands(cx);
        let given: Vec<(usize, Expr<'_>)> = cx
            .cotangents()
            .into_iter()
            .enumerate()
            .filter_map(|(item, cotangent)| Some((item, cotangent?)))
            .collect();
        let backward =
            |branch: usize| backward_branch(cx, bodies, branch, shared, &given, &wanted, &operands);
        let derived = [backward(0)?, backward(1)?];
        // What neither branch needs for its gradient is not given.
        let common = shared + given.len();
        let used = |branch: usize, place: usize| derived[branch].uses(place);
        let either = |place: usize| used(0, place) || used(1, place);
        let [then, r#else] = [0, 1].map(|branch| {
            let body = &derived[branch];
            Arc::new(body.pruned(|place| place >= common || !either(place)))
        });
        let mut inputs = vec![operands[0]];
        let shared_operands = operands[1..=shared].iter().copied();
        let all = shared_operands.chain(given.iter().map(|&(_, cotangent)| cotangent));
        inputs.extend(all.enumerate().filter(|&(place, _)| either(place)).map(|(_, x)| x));
        for branch in 0..2 {
            for place in shared..bodies[branch].inputs().len() {
                if used(branch, place + given.len()) {
                    inputs.push(operands[operand(bodies, shared, branch, place)]);
                }
            }
        }
        let node = cx.result().apply_to(&Cond, &inputs, CondAttributes { then, r#else });
        let names: Vec<String> = (0..wanted.len()).map(|index| index.to_string()).collect();
        Ok(answer(cx, wanted.into_iter().zip(node.items(&names))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let CondAttributes { then, r#else } = cx.attributes();
        let bodies: [&Body; 2] = [&then, &r#else];
        let count = cx.operands.len();
        let shared = shared(bodies, count).ok_or_else(|| Fault::new("a body does not fit"))?;
        let packing = Packing::new(cx.results)
            .ok_or_else(|| Fault::new("its results are larger than any memory"))?;
        let mut branches = Vec::new();
        for (branch, body) in [&then, &r#else].into_iter().enumerate() {
            let places: Vec<usize> = (0..body.inputs().len())
                .map(|place| operand(bodies, shared, branch, place))
                .collect();
            let inputs: Vec<_> = places.iter().map(|&place| cx.operands[place]).collect();
            branches.push((cx.bodies.compile(body, &inputs)?, places));
        }
        let costs = [0, 1].map(|branch| branches[branch].0.cost());
        let cost = Cost {
            flops: costs[0].flops.max(costs[1].flops),
            bytes: costs[0].bytes.max(costs[1].bytes),
        };
        Ok(Kernel::single(count, packing.bytes(), cost, move |call| {
            let draw = call.run_counter();
            let (inputs, out) = call.inputs_and_output::<u8>();
            let is_false = inputs.get::<u8>(0) == [0];
            let (body, places) = &branches[usize::from(is_false)];
            body.run(
                &|place| inputs.get(places[place]),
                &mut |place, bytes| out[packing.range(place)].copy_from_slice(bytes),
                draw,
            )
        })
        .into())
    }

    fn splits(&self, cx: &Splitting<'_>) -> SmallVec<[Split; 1]> {
        let mixed = SmallVec::from_elem(Split::Mixed, cx.results().len());
        let CondAttributes { then, r#else } = cx.attributes();
        let bodies: [&Body; 2] = [&then, &r#else];
        let Some(shared) = shared(bodies, cx.operands()).filter(|_| cx.operand(0) == Split::Whole)
        else {
            return mixed;
        };
        let [then, other] = [0, 1].map(|branch| {
            let places = 0..bodies[branch].inputs().len();
            let inputs: Vec<Split> =
                places.map(|place| cx.operand(operand(bodies, shared, branch, place))).collect();
            cx.body(bodies[branch], &inputs)
        });
        let same = |(then, other): (Split, Split)| if then == other { then } else { Split::Mixed };
        then.into_iter().zip(other).map(same).collect()
    }

    fn samples(&self) -> Vec<Sample> {
        // x y, or |x| + tanh y.
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 5], &[0, 3], &[33]];
        let cases = shapes.into_iter().flat_map(|dims| [(dims, 1.0), (dims, 0.0)]);
        cases
            .map(|(dims, predicate)| {
                let ty = TensorType::new(
                    DType::F64,
                    dims.iter().map(|&dim| dim.into()).collect::<abeyance_ir::Shape>(),
                );
                let inputs = ["x", "y"];
                let then = sample_body("cond/then", inputs, &ty, |[x, y]| x * y);
                let other = sample_body("cond/else", inputs, &ty, |[x, y]| x.abs() + y.tanh());
                let domain = Domain::AwayFromZero;
                let predicates: &'static [f64] = if predicate > 0.0 { &[1.0] } else { &[0.0] };
                Sample::new(CondAttributes { then: Arc::new(then), r#else: Arc::new(other) })
                    .operand(DType::Bool, &[], Domain::Values(predicates))
                    .float(dims, domain.clone())
                    .float(dims, domain)
            })
            .collect()
    }
}

impl Graph {
    /// One of two branches, of which only the one taken runs: TensorFlow's `tf.cond`. Both closures
    /// are given `args`, and give results of the same element types and shapes; other tensors that
    /// they use are captured (see [`control`](crate::ops::control)).
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let w = g.variable("w", 2.0);
    /// let small = x.reduce_max(..).less(1.0);
    /// let y = g.cond(small, x, |x| x * w, |x| x.sqrt());
    /// assert_eq!(y.to_string(), "cond : f32[N]");
    /// ```
    ///
    /// Gradient: that of the branch taken; the other leaves no trace, even if it would divide by
    /// zero.
    ///
    /// It is a mistake if the predicate is not a scalar, if the branches' results differ in shape,
    /// or if a branch has an effect: variables, placeholders and `assign` stand outside.
    #[track_caller]
    pub fn cond<'g, A: TensorTuple<'g>, Y: TensorTuple<'g>>(
        &'g self,
        predicate: impl Operand<'g, bool>,
        args: A,
        then: impl FnOnce(A) -> Y,
        otherwise: impl FnOnce(A) -> Y,
    ) -> Y {
        let mut home = self.innermost(&listed(args));
        if let Some(other) = predicate.home().filter(|other| home.encloses(other)) {
            home = other;
        }
        let predicate = predicate.node(home);
        let args = home.import_all(&listed(args));
        let scope = home.build(|graph| graph.unique_scope("cond"));
        let whole = |_, ty| ty;
        let then = home.trace(&format!("{scope}then"), &args, whole, then, listed);
        let otherwise = home.trace(&format!("{scope}else"), &args, whole, otherwise, listed);
        let mut operands = vec![predicate];
        operands.extend(args);
        operands.extend(then.captures);
        operands.extend(otherwise.captures);
        let count = then.body.outputs().len();
        let attributes = CondAttributes { then: then.body, r#else: otherwise.body };
        let _call = self.call("cond");
        home.control(&scope, &Cond, &operands, attributes, (0..count).map(|i| i.to_string()))
    }
}

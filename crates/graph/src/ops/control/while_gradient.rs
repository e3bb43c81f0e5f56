//! The gradient of a loop that runs as long as a condition holds.

use std::ops::Range;

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Differentiability, DoubleBuffer, Fault,
    Inference, LoopMemory, Lowered, Lowering, OperandSpec, Operator, Packing, Sample, Signature,
    Type, attributes,
};
use abeyance_kernels::launch::{Cost, Failure, Inputs, Kernel};

use super::condition::{Loop, Parts, WhileLoopAttributes, pack};
use super::repeat::{draw, within};
use super::{give, output};

attributes! {
    /// The loop that a gradient is of, and the derivative of its body.
    pub struct WhileGradientAttributes {
        ..of: WhileLoopAttributes,
        /// Body that goes back over an iteration, from cotangents of its end to those of its start.
        gradient: BodyRef,
    }
}

/// The cotangents of a loop's operands.
///
/// The loop runs again and keeps what each iteration starts from, in memory that grows and lasts
/// for later runs. Then, from the last iteration to the first, the body `gradient` makes the
/// cotangents of what the iteration started from of those of what it gave; what it gives for
/// captured tensors is added up in that order.
///
/// Operands: the loop's carried values, the cotangents of its results that are floats, what its
/// condition and its body captured, what `gradient` needs of the latter. Results: the cotangents of
/// the carried floats, then of captured tensors.
pub struct WhileGradient;

/// The number of carried floats, which have cotangents.
fn floats(parts: &Parts) -> usize {
    (0..parts.carried)
        .filter(|&place| {
            let ty = parts.body.output(place);
            ty.is_some_and(|ty| ty.dtype.is_float())
        })
        .count()
}

impl Operator for WhileGradient {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("inputs", DTypes::ANY)];
        const {
            &Signature::new("while_gradient", "the gradient of a while_loop", OPERANDS)
                .attributes(WhileGradientAttributes::SPECS)
                .differentiability(Differentiability::Missing)
                .variadic()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let WhileGradientAttributes { of, gradient } = cx.attributes();
        let parts = Parts::new(of)?;
        let floats = floats(&parts);
        let carried = parts.infer(cx, floats)?;
        let common = parts.carried + floats;
        let first = common + parts.tested + parts.captured;
        let count = gradient.inputs().len();
        if count < common || cx.operands() != first + count - common {
            return Err(Fault::new(format!(
                "{} operands are not what its bodies take",
                cx.operands()
            )));
        }
        for place in 0..count {
            let operand = match place.checked_sub(common) {
                None => place,
                Some(captured) => first + captured,
            };
            let given = cx.operand(operand);
            give(cx, &gradient, place, &given)?;
        }
        let mut results = Vec::new();
        for place in 0..gradient.outputs().len() {
            let result = output(cx, &gradient, place)?;
            if !result.dtype.is_float() {
                return Err(Fault::new(format!("{} is not a cotangent", result.dtype)));
            }
            results.push(result);
        }
        let of = carried.iter().filter(|ty| ty.dtype.is_float());
        for (place, ty) in of.enumerate() {
            super::invariant(cx, &gradient, place, ty)?;
        }
        if results.is_empty() {
            Err(Fault::new("gives nothing"))
        } else {
            Ok(Type::of_items(results))
        }
    }

    fn gradient(&self, _: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Err(Fault::new(
            "a while_loop can be differentiated once, and this is the derivative of its gradient",
        )
        .help(
            "where the number of iterations is known, `scan` can be differentiated again and again",
        ))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let WhileGradientAttributes { of, gradient } = cx.attributes();
        let parts = Parts::new(of)?;
        let floats = floats(&parts);
        let each = Loop::new(&parts, cx, floats)?;
        let common = parts.carried + floats;
        let first = common + parts.tested + parts.captured;
        let (before, behind) = (cx.operands.iter().take(common), cx.operands.iter().skip(first));
        let sizes: Vec<_> = before.chain(behind).copied().collect();
        let backward = cx.bodies.compile(&gradient, &sizes)?;
        let packing = pack(cx.results)?;
        // The carried cotangents come first among the results, so they lie in both at the same
        // place.
        let cotangents = pack(&cx.results[..floats])?;
        let dtypes: Vec<DType> = cx.results.iter().map(|result| result.dtype).collect();
        let cost = cost(&each, backward.cost());
        let carried = parts.carried;
        let stride = each.carried().bytes().next_multiple_of(8);
        Ok(Kernel::single(cx.operands.len(), packing.bytes(), cost, move |call| {
            let run = call.run_counter();
            let (inputs, out) = call.inputs_and_output::<u8>();
            backward.memory().lend(|memory| {
                let LoopMemory { carried: values, history, cotangents: flow } = memory;
                let kept = each.carried().bytes();
                let count = each.run(inputs, values, run, |iteration, current| {
                    let at = iteration * stride;
                    history.grow(at + stride)?;
                    history.bytes_mut()[at..at + kept].copy_from_slice(&current[..kept]);
                    Ok(())
                })?;
                load(flow, &cotangents, inputs, carried..carried + floats)?;
                out.fill(0);
                for iteration in (0..count).rev() {
                    let start = &history.bytes()[iteration * stride..];
                    let DoubleBuffer { current, next } = &mut *flow;
                    let (current, next) = (current.bytes(), next.bytes_mut());
                    let done = backward.run(
                        &|place| match place.checked_sub(carried) {
                            None => &start[each.carried().range(place)],
                            Some(float) if float < floats => &current[cotangents.range(float)],
                            Some(other) => inputs.get(first + other - floats),
                        },
                        &mut |place, bytes| {
                            if place < floats {
                                return next[cotangents.range(place)].copy_from_slice(bytes);
                            }
                            let sum = &mut out[packing.range(place)];
                            accumulate(dtypes[place], sum, bytes, iteration + 1 == count);
                        },
                        draw(run, iteration),
                    );
                    within(iteration, done)?;
                    flow.swap();
                }
                let bytes = cotangents.bytes();
                out[..bytes].copy_from_slice(&flow.current.bytes()[..bytes]);
                Ok(())
            })
        })
        .into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// Loads what is carried from these inputs.
fn load(
    carried: &mut DoubleBuffer,
    packing: &Packing,
    inputs: Inputs<'_>,
    places: Range<usize>,
) -> Result<(), Failure> {
    carried.grow(packing.bytes())?;
    for (index, place) in places.enumerate() {
        let to = &mut carried.current.bytes_mut()[packing.range(index)];
        to.copy_from_slice(inputs.get(place));
    }
    Ok(())
}

/// Adds the part of an iteration to a sum of floats, which begins with the part of the first.
fn accumulate(dtype: DType, sum: &mut [u8], part: &[u8], is_first: bool) {
    if is_first { sum.copy_from_slice(part) } else { add(dtype, sum, part) }
}

/// The cost of as many iterations forth and back as a loop is expected to have.
fn cost(each: &Loop, backward: Cost) -> Cost {
    let mut cost = each.cost();
    cost.flops += 16.0 * backward.flops;
    cost.bytes += 16.0 * backward.bytes;
    cost
}

/// `sum += more`, elements of floats.
fn add(dtype: DType, sum: &mut [u8], more: &[u8]) {
    fn add<T: bytemuck::Pod + std::ops::AddAssign>(sum: &mut [u8], more: &[u8]) {
        let sum: &mut [T] = bytemuck::cast_slice_mut(sum);
        for (sum, &more) in sum.iter_mut().zip(bytemuck::cast_slice::<u8, T>(more)) {
            *sum += more;
        }
    }
    match dtype {
        DType::F64 => add::<f64>(sum, more),
        _ => add::<f32>(sum, more),
    }
}

//! A loop over the first dimension of tensors.

use std::sync::Arc;

use abeyance_ir::{
    AttributeSet, Body, Concrete, Cotangents, DType, DTypes, Derivation, Dim, Domain, DoubleBuffer,
    Fault, Inference, LoopMemory, Lowered, Lowering, OperandSpec, Operator, Sample, Shape,
    Signature, Split, Splitting, TensorType, Type, attributes,
};
use abeyance_kernels::launch::{Cost, Kernel};
use smallvec::SmallVec;

use super::condition::pack;
use super::repeat::{draw, within};
use super::{carried, give, invariant, output, sample_body, short};
use crate::tensor_tuple::listed;
use crate::{Graph, TensorTuple};

attributes! {
    /// The body of a scan, and what its inputs are.
    pub struct ScanAttributes {
        /// Body that runs for each slice.
        body: BodyRef,
        /// Number of leading inputs and outputs of the body that are carried on.
        carried: i64,
        /// Number of inputs behind those that are slices of what is gone over, at least 1.
        sequences: i64,
        /// True if the last slice comes first.
        reverse: bool = false,
    }
}

impl ScanAttributes {
    pub(super) fn new(body: Body, carried: usize, sequences: usize, reverse: bool) -> Self {
        let (carried, sequences) = (carried as i64, sequences as i64);
        Self { body: Arc::new(body), carried, sequences, reverse }
    }
}

/// Runs a body for each slice of some tensors along their first dimension.
///
/// Operands: the first values of what the loop carries, the tensors it goes over, what the body
/// captured. Results: what is carried at the end, then what each iteration gave, stacked. Gradient:
/// a scan in the other direction that carries the cotangents, over what the iterations started
/// from; a second scan like this one collects that.
pub struct Scan;

/// How many inputs of each kind the body has.
pub(super) struct Parts {
    pub(super) body: Arc<Body>,
    pub(super) carried: usize,
    pub(super) sequences: usize,
    pub(super) reverse: bool,
}

impl Parts {
    pub(super) fn new(attributes: ScanAttributes, operands: usize) -> Result<Self, Fault> {
        let ScanAttributes { body, carried, sequences, reverse } = attributes;
        let (Ok(carried), Ok(sequences)) = (usize::try_from(carried), usize::try_from(sequences))
        else {
            return Err(Fault::new("the body or a count is missing"));
        };
        let known = carried.checked_add(sequences);
        if sequences == 0 {
            return Err(Fault::new("there is nothing to go over")
                .help("give at least one tensor; `while_loop` counts"));
        }
        if body.inputs().len() != operands
            || known.is_none_or(|known| known > operands)
            || body.outputs().len() < carried.max(1)
        {
            return Err(Fault::new(format!(
                "a body of {} inputs and {} outputs does not fit {operands} operands, of which {carried} are carried and {sequences} gone over",
                body.inputs().len(),
                body.outputs().len()
            )));
        }
        Ok(Self { body, carried, sequences, reverse })
    }

    pub(super) fn is_sequence(&self, place: usize) -> bool {
        (self.carried..self.carried + self.sequences).contains(&place)
    }

    /// The operands as one iteration takes them: a slice of each sequence.
    fn of_an_iteration<'c>(&self, operands: &[Concrete<'c>]) -> Vec<Concrete<'c>> {
        let of = |(place, operand): (usize, &Concrete<'c>)| match operand.dims {
            [_, rest @ ..] if self.is_sequence(place) => Concrete::new(operand.dtype, rest),
            _ => *operand,
        };
        operands.iter().enumerate().map(of).collect()
    }
}

/// The bytes of one slice along the first dimension; 0 of a scalar.
fn slice_bytes(whole: &Concrete<'_>) -> usize {
    match whole.dims {
        [] => 0,
        [_, rest @ ..] => rest.iter().product::<usize>() * whole.dtype.size(),
    }
}

impl Operator for Scan {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("inputs", DTypes::ANY)];
        const {
            &Signature::new(
                "scan",
                "a loop over the first dimension of tensors, with what its iterations give",
                OPERANDS,
            )
            .attributes(ScanAttributes::SPECS)
            .variadic()
            .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let parts = Parts::new(cx.attributes(), cx.operands())?;
        let body = &*parts.body;
        let mut length: Option<Dim> = None;
        for place in 0..cx.operands() {
            let mut given = cx.operand(place);
            if parts.is_sequence(place) {
                if given.shape.is_empty() {
                    return Err(Fault::new(format!(
                        "`{}` is a scalar, which has no dimension to go over",
                        body.input_name(place)
                    )));
                }
                let own = given.shape.remove(0);
                length = Some(match length {
                    None => own,
                    Some(length) => cx.unify(length, own).ok_or_else(|| {
                        Fault::new(format!(
                            "`{}` has {} slices where those before have {}",
                            body.input_name(place),
                            cx.display(&[own]).trim_matches(['[', ']']),
                            cx.display(&[length]).trim_matches(['[', ']'])
                        ))
                        .help("what a scan goes over has one size in the first dimension")
                    })?,
                });
            }
            give(cx, body, place, &given)?;
        }
        let Some(length) = length else {
            return Err(Fault::new("there is nothing to go over"));
        };
        let mut results = Vec::new();
        for place in 0..body.outputs().len() {
            if place < parts.carried {
                let first = cx.operand(place);
                results.push(invariant(cx, body, place, &first)?);
            } else {
                let mut result = output(cx, body, place)?;
                result.shape.insert(0, cx.resolve(length));
                results.push(result);
            }
        }
        Ok(Type::of_items(results))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        super::scan_gradient::gradient(cx)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let parts = Parts::new(cx.attributes(), cx.operands.len())?;
        let length = match cx.operands[parts.carried].dims {
            [length, ..] => *length,
            [] => return Err(Fault::new("a scalar has no dimension to go over")),
        };
        let body = cx.bodies.compile(&parts.body, &parts.of_an_iteration(cx.operands))?;
        let packing = pack(cx.results)?;
        let (carried, behind) = (parts.carried, parts.carried + parts.sequences);
        let state = pack(&cx.results[..carried])?;
        let read: Vec<usize> = cx.operands.iter().map(slice_bytes).collect();
        let written: Vec<usize> = cx.results.iter().map(slice_bytes).collect();
        let (reverse, each) = (parts.reverse, body.cost());
        let cost = Cost { flops: each.flops * length as f64, bytes: each.bytes * length as f64 };
        Ok(Kernel::single(cx.operands.len(), packing.bytes(), cost, move |call| {
            let run = call.run_counter();
            let (inputs, out) = call.inputs_and_output::<u8>();
            body.memory().lend(|LoopMemory { carried: memory, .. }| {
                memory.grow(state.bytes())?;
                for place in 0..carried {
                    let to = &mut memory.current.bytes_mut()[state.range(place)];
                    to.copy_from_slice(inputs.get(place));
                }
                for index in 0..length {
                    // Iterations are counted by the slice they go over, so that a gradient, which
                    // goes the other way, draws the same numbers.
                    let at = if reverse { length - 1 - index } else { index };
                    let DoubleBuffer { current, next } = &mut *memory;
                    let (current, next) = (current.bytes(), next.bytes_mut());
                    let done = body.run(
                        &|place| match place {
                            _ if place < carried => &current[state.range(place)],
                            _ if place < behind => {
                                &inputs.get::<u8>(place)[at * read[place]..][..read[place]]
                            }
                            _ => inputs.get(place),
                        },
                        &mut |place, bytes| {
                            if place < carried {
                                next[state.range(place)].copy_from_slice(bytes)
                            } else {
                                let start = packing.range(place).start + at * written[place];
                                out[start..start + written[place]].copy_from_slice(bytes);
                            }
                        },
                        draw(run, at),
                    );
                    within(at, done)?;
                    memory.swap();
                }
                for place in 0..carried {
                    out[packing.range(place)]
                        .copy_from_slice(&memory.current.bytes()[state.range(place)]);
                }
                Ok(())
            })
        })
        .into())
    }

    fn splits(&self, cx: &Splitting<'_>) -> SmallVec<[Split; 1]> {
        let mixed = SmallVec::from_elem(Split::Mixed, cx.results().len());
        let Ok(parts) = Parts::new(cx.attributes(), cx.operands()) else {
            return mixed;
        };
        let mut inputs: Vec<Split> = (0..cx.operands()).map(|place| cx.operand(place)).collect();
        for slice in &mut inputs[parts.carried..parts.carried + parts.sequences] {
            match slice {
                // The rows are what is gone over.
                Split::Along(rows) if rows.axis == 0 => return mixed,
                Split::Along(rows) => rows.axis -= 1,
                Split::Whole => {}
                // How many slices there are is not known to be the same for each row.
                Split::Mixed => return mixed,
            }
        }
        let mut outputs =
            carried(&mut inputs, parts.carried, |inputs| cx.body(&parts.body, inputs));
        for stacked in outputs.iter_mut().skip(parts.carried) {
            if let Split::Along(rows) = stacked {
                rows.axis += 1;
            }
        }
        outputs.into()
    }

    fn samples(&self) -> Vec<Sample> {
        // h becomes tanh(h) w + x h; given is h x.
        let shapes: [(&[usize], usize); 5] =
            [(&[], 3), (&[3], 2), (&[2, 2], 3), (&[0, 3], 2), (&[3], 0)];
        let whole = shapes.map(|(dims, length)| sample(dims, length, false));
        let reversed = shapes.map(|(dims, length)| sample(dims, length, true));
        whole.into_iter().chain(reversed).collect()
    }
}

fn sample(dims: &[usize], length: usize, reverse: bool) -> Sample {
    let shape: Shape = dims.iter().map(|&dim| dim.into()).collect();
    let ty = TensorType::new(DType::F64, shape);
    // Without stacked results it has one result, which the checks can look at.
    let inputs = ["h", "x", "w"];
    let body = sample_body("scan/body", inputs, &ty, |[h, x, w]| h.tanh() * w + x * h);
    let domain = Domain::Between(-1.0, 1.0);
    let long: Vec<usize> = [length].into_iter().chain(dims.iter().copied()).collect();
    Sample::new(ScanAttributes::new(body, 1, 1, reverse))
        .float(dims, domain.clone())
        .float(&long, domain.clone())
        .float(dims, domain)
}

impl Graph {
    /// Goes over `xs` along their first dimension: `body` is given what the loop carries, at first
    /// `first`, and one slice of each of `xs`; it gives what is carried on, in the same element
    /// types and shapes, and what is collected. The results are what is carried at the end and the
    /// collected values, stacked along a new first dimension. Other tensors that the body uses are
    /// captured (see [`control`](crate::ops::control)). TensorFlow's `tf.scan`, with the signature
    /// of JAX's `lax.scan`.
    ///
    /// A recurrent cell, with time as the first dimension:
    ///
    /// ```
    /// use abeyance_graph::{dims, truncated_normal, Graph};
    /// let g = Graph::new();
    /// let xs = g.placeholder::<f32>("xs", dims!["T", "N", 3]);
    /// let wx = g.variable("wx", truncated_normal(dims![3, 5], 0.0, 0.1));
    /// let wh = g.variable("wh", truncated_normal(dims![5, 5], 0.0, 0.1));
    /// let h0 = g.zeros::<f32>(dims![xs.dim(1), 5]);
    /// let (last, all) = g.scan(h0, xs, |h, x| {
    ///     let h = (x.matmul(wx) + h.matmul(wh)).tanh();
    ///     (h, h)
    /// });
    /// assert_eq!(last.shape()[..], h0.shape()[..]);
    /// assert_eq!(all.to_string(), "scan/0 : f32[T, N, 5]");
    /// ```
    ///
    /// Gradient: the loop runs once more to collect what its iterations start from, then goes over
    /// that the other way. It is made of scans, so it can be differentiated again.
    ///
    /// It is a mistake if there are no `xs`, if their first dimensions differ, if what is carried
    /// changes its shape, or if the body has an effect. Without slices what is carried at the end
    /// is `first`.
    #[track_caller]
    pub fn scan<'g, C: TensorTuple<'g>, X: TensorTuple<'g>, Y: TensorTuple<'g>>(
        &'g self,
        first: C,
        xs: X,
        body: impl FnOnce(C, X) -> (C, Y),
    ) -> (C, Y::Stacked) {
        self.scan_in("scan", false, first, xs, body)
    }

    /// Runs a body for each slice from the last to the first; what is collected stands where its
    /// slice stood. Otherwise as [`Graph::scan`].
    #[track_caller]
    pub fn scan_reverse<'g, C: TensorTuple<'g>, X: TensorTuple<'g>, Y: TensorTuple<'g>>(
        &'g self,
        first: C,
        xs: X,
        body: impl FnOnce(C, X) -> (C, Y),
    ) -> (C, Y::Stacked) {
        self.scan_in("scan_reverse", true, first, xs, body)
    }

    #[track_caller]
    fn scan_in<'g, C: TensorTuple<'g>, X: TensorTuple<'g>, Y: TensorTuple<'g>>(
        &'g self,
        name: &'static str,
        reverse: bool,
        first: C,
        xs: X,
        body: impl FnOnce(C, X) -> (C, Y),
    ) -> (C, Y::Stacked) {
        let (first, xs) = (listed(first), listed(xs));
        let (carried, sequences) = (first.len(), xs.len());
        let all = [first, xs].concat();
        let home = self.innermost(&all);
        let mut operands = home.import_all(&all);
        let scope = home.build(|graph| graph.unique_scope("scan"));
        let slice = |place: usize, mut ty: TensorType| {
            if place >= carried && !ty.shape.is_empty() {
                ty.shape.remove(0);
            }
            ty
        };
        let traced = home.trace(
            &format!("{scope}body"),
            &operands,
            slice,
            |(carried, slices): (C, X)| body(carried, slices),
            listed,
        );
        let names: Vec<String> = operands[..carried]
            .iter()
            .map(|&id| short(&home.ir().node(id).name).to_owned())
            .chain(
                (carried..traced.body.outputs().len()).map(|place| (place - carried).to_string()),
            )
            .collect();
        operands.extend(traced.captures);
        let attributes = ScanAttributes {
            body: traced.body,
            carried: carried as i64,
            sequences: sequences as i64,
            reverse,
        };
        let _call = self.call(name);
        home.control(&scope, &Scan, &operands, attributes, names.into_iter())
    }
}

//! The gradient of a scan, made of scans: one that collects the values from which iterations
//! started, as far as those are needed, and one that goes the other way and carries the cotangents.

use abeyance_ir::{Body, Cotangents, Derivation, Fault, NodeId};

use super::derive::{Derived, answer, operands, type_of};
use super::scan::{Parts, Scan, ScanAttributes};
use super::short;
use crate::{Expr, Rule};

/// Appends the two scans.
pub(super) fn gradient(cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
    let parts = Parts::new(cx.attributes(), cx.operands())?;
    let places = Places::new(cx, &parts);
    let operands = operands(cx);
    let given = cx.cotangents();
    let cotangent = |place: usize| given.get(place).copied().flatten();
    let results = parts.carried..parts.body.outputs().len();
    let (collected, stacked): (Vec<usize>, Vec<Expr<'_>>) =
        results.filter_map(|place| Some((place, cotangent(place)?))).unzip();
    let backward = backward_body(cx, &parts.body, &places, &collected)?;
    let (backward, reads) = Reads::of(backward, &parts, &places, collected.len());
    let starts = starts(cx, &parts, &operands, &reads.starts);

    let zeros = |place: usize| operands[place].fill_like(0.0);
    let flow = places.floats.iter().map(|&place| cotangent(place).unwrap_or_else(|| zeros(place)));
    let mut all: Vec<Expr<'_>> =
        flow.chain(places.captured.iter().map(|&place| zeros(place))).collect();
    let over = starts.len() + reads.slices.len() + reads.stacked.len();
    all.extend(starts);
    all.extend(reads.slices.iter().map(|&place| operands[place]));
    all.extend(reads.stacked.iter().map(|&index| stacked[index]));
    all.extend(reads.constants.iter().map(|&place| operands[place]));
    let attributes = ScanAttributes::new(backward, places.carried(), over, !parts.reverse);
    let node = cx.result().apply_to(&Scan, &all, attributes);
    let places = places.all();
    let names: Vec<String> =
        places.iter().map(|&place| parts.body.input_name(place).to_owned()).collect();
    Ok(answer(cx, places.into_iter().zip(node.items(&names))))
}

/// The operands of a scan whose cotangents are computed, by their places.
struct Places {
    /// Carried floats: their cotangents flow from iteration to iteration.
    floats: Vec<usize>,
    /// Captured tensors: their cotangents are sums over the iterations.
    captured: Vec<usize>,
    /// Sequences: their cotangents are collected, a slice an iteration.
    sequences: Vec<usize>,
    /// Place of the first captured tensor.
    behind: usize,
}

impl Places {
    fn new(cx: &Derivation<'_>, parts: &Parts) -> Self {
        let behind = parts.carried + parts.sequences;
        let is_float =
            |place: &usize| parts.body.input(*place).is_some_and(|ty| ty.dtype.is_float());
        let wanted = |range: std::ops::Range<usize>| -> Vec<usize> {
            range.filter(|&place| cx.wanted(place)).collect()
        };
        Self {
            floats: (0..parts.carried).filter(is_float).collect(),
            captured: wanted(behind..cx.operands()),
            sequences: wanted(parts.carried..behind),
            behind,
        }
    }

    /// The places in the order of the backward scan's results.
    fn all(&self) -> Vec<usize> {
        [&self.floats[..], &self.captured, &self.sequences].concat()
    }

    /// The number of cotangents that the backward scan carries.
    fn carried(&self) -> usize {
        self.floats.len() + self.captured.len()
    }
}

/// The body of the backward scan. It carries the cotangents of what is carried and the sums for
/// what is captured, and goes over the values from which iterations started, the slices, and the
/// cotangents of the results `collected`.
fn backward_body(
    cx: &Derivation<'_>,
    body: &Body,
    places: &Places,
    collected: &[usize],
) -> Result<Body, Fault> {
    let Places { floats, captured, behind, .. } = places;
    let derived = Derived::new(cx, body);
    let cotangents = |of: Vec<NodeId>| -> Result<Vec<Expr<'_>>, Fault> {
        of.into_iter()
            .map(|of| {
                let name = format!("cotangent/{}", short(&body.graph().node(of).name));
                Ok(derived.add(&name, type_of(body.graph(), of)?))
            })
            .collect()
    };
    let of = |places: &[usize]| places.iter().map(|&place| body.inputs()[place]).collect();
    let flow = cotangents(of(floats))?;
    let sums = cotangents(of(captured))?;
    let mut inputs: Vec<Expr<'_>> = (0..*behind).map(|place| derived.keep(body, place)).collect();
    let slices = cotangents(collected.iter().map(|&place| body.outputs()[place]).collect())?;
    inputs.extend((*behind..cx.operands()).map(|place| derived.keep(body, place)));
    let outputs = derived.rest(body);
    let from = floats.iter().chain(collected).map(|&place| outputs[place]);
    let seeds: Vec<_> = from.zip(flow.iter().chain(&slices).copied()).collect();
    let xs: Vec<Expr<'_>> = places.all().into_iter().map(|place| inputs[place]).collect();
    let found = derived.differentiate(cx, &seeds, &xs)?;
    let mut outputs = Vec::new();
    for (index, (found, &x)) in found.into_iter().zip(&xs).enumerate() {
        let sum = index.checked_sub(floats.len()).and_then(|index| sums.get(index));
        let output = match (found, sum) {
            (Some(found), Some(&sum)) => sum + found,
            (None, Some(&sum)) => sum,
            (Some(found), None) => found,
            (None, None) => x.fill_like(0.0),
        };
        outputs.push(output.id());
    }
    derived.tell(cx);
    Ok(derived.finish(outputs))
}

/// The inputs that a backward body reads besides what it carries.
struct Reads {
    /// Carried places whose values at the start of each iteration are read.
    starts: Vec<usize>,
    /// Places of sequences whose slices are read.
    slices: Vec<usize>,
    /// Indices of the collected results whose cotangents are read.
    stacked: Vec<usize>,
    /// Places of captured tensors that are read.
    constants: Vec<usize>,
}

impl Reads {
    /// Gives the body without the inputs that it does not read, and those that it does. `collected`
    /// is the number of results with cotangents.
    fn of(backward: Body, parts: &Parts, places: &Places, collected: usize) -> (Body, Self) {
        let (carried, behind) = (places.carried(), places.behind);
        let is_used = |place: usize| backward.uses(carried + place);
        let starts: Vec<usize> = (0..parts.carried).filter(|&place| is_used(place)).collect();
        let mut slices: Vec<usize> =
            (parts.carried..behind).filter(|&place| is_used(place)).collect();
        let stacked: Vec<usize> = (0..collected).filter(|&index| is_used(behind + index)).collect();
        if starts.is_empty() && slices.is_empty() && stacked.is_empty() {
            // Something has to say how often.
            slices.push(parts.carried);
        }
        let constants = (behind..parts.body.inputs().len())
            .filter(|&place| is_used(place + collected))
            .collect();
        let kept = slices.first().copied().filter(|&place| !is_used(place));
        let pruned = backward
            .pruned(|place| place >= carried && kept.is_none_or(|kept| place != carried + kept));
        (pruned, Self { starts, slices, stacked, constants })
    }
}

/// The values from which iterations started at the carried places `saved`, stacked: results of a
/// scan like the one that is differentiated.
fn starts<'c>(
    cx: &'c Derivation<'_>,
    parts: &Parts,
    operands: &[Expr<'c>],
    saved: &[usize],
) -> Vec<Expr<'c>> {
    if saved.is_empty() {
        return Vec::new();
    }
    let body = &*parts.body;
    let twin = Derived::new(cx, body);
    let inputs: Vec<Expr<'_>> = (0..operands.len()).map(|place| twin.keep(body, place)).collect();
    let mut outputs = twin.rest(body);
    outputs.truncate(parts.carried);
    outputs.extend(saved.iter().map(|&place| inputs[place]));
    let outputs = outputs.into_iter().map(Expr::id).collect();
    let twin = twin.finish(outputs);
    let is_first = |place: usize| place <= parts.carried;
    let needed: Vec<usize> =
        (0..operands.len()).filter(|&place| is_first(place) || twin.uses(place)).collect();
    let sequences = needed.iter().filter(|&&place| parts.is_sequence(place)).count();
    let twin = twin.pruned(|place| !is_first(place));
    let given: Vec<Expr<'_>> = needed.iter().map(|&place| operands[place]).collect();
    let attributes = ScanAttributes::new(twin, parts.carried, sequences, parts.reverse);
    let node = cx.result().apply_to(&Scan, &given, attributes);
    let names: Vec<String> = (0..parts.carried)
        .map(|index| index.to_string())
        .chain(saved.iter().map(|&place| body.input_name(place).to_owned()))
        .collect();
    node.items(&names).split_off(parts.carried)
}

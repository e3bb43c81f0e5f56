//! The gradient of a scan, made of scans.

use abeyance_ir::{Cotangents, Derivation, Fault, NodeId};

use super::derive::{Derived, answer, operands, type_of};
use super::scan::{Parts, Scan, ScanAttributes};
use super::short;
use crate::{Expr, Rule};

/// Appends a scan that collects what the iterations started from, as far as that is needed, and one
/// that goes over it the other way, carrying the cotangents.
pub(super) fn gradient(cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
    let parts = Parts::new(cx.attributes(), cx.operands())?;
    let body = &*parts.body;
    let operands = operands(cx);
    let given = cx.cotangents();
    let behind = parts.carried + parts.sequences;
    let is_float = |place: &usize| body.input(*place).is_some_and(|ty| ty.dtype.is_float());
    let floats: Vec<usize> = (0..parts.carried).filter(is_float).collect();
    let wanted = |range: std::ops::Range<usize>| -> Vec<usize> {
        range.filter(|&place| cx.wanted(place)).collect()
    };
    let sequences = wanted(parts.carried..behind);
    let captured = wanted(behind..operands.len());
    let stacked: Vec<(usize, Expr<'_>)> = (parts.carried..body.outputs().len())
        .filter_map(|place| Some((place, given.get(place).copied().flatten()?)))
        .collect();

    // The backward body. It carries the cotangents of what is carried and the sums for what is
    // captured, and goes over what the iterations started from, the slices, and the cotangents of
    // what they gave.
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
    let flow = cotangents(of(&floats))?;
    let sums = cotangents(of(&captured))?;
    let mut inputs: Vec<Expr<'_>> = (0..behind).map(|place| derived.keep(body, place)).collect();
    let slices = cotangents(stacked.iter().map(|&(place, _)| body.outputs()[place]).collect())?;
    inputs.extend((behind..operands.len()).map(|place| derived.keep(body, place)));
    let outputs = derived.rest(body);
    let seeds: Vec<_> = floats
        .iter()
        .zip(&flow)
        .map(|(&place, &cotangent)| (outputs[place], cotangent))
        .chain(
            stacked
                .iter()
                .zip(&slices)
                .map(|(&(place, _), &cotangent)| (outputs[place], cotangent)),
        )
        .collect();
    let places = [&floats[..], &captured, &sequences].concat();
    let xs: Vec<Expr<'_>> = places.iter().map(|&place| inputs[place]).collect();
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
    let derived = derived.finish(outputs);
    let carried = floats.len() + captured.len();
    let used = |place: usize| derived.uses(carried + place);
    let saved: Vec<usize> = (0..parts.carried).filter(|&place| used(place)).collect();
    let mut slid: Vec<usize> = (parts.carried..behind).filter(|&place| used(place)).collect();
    let taken: Vec<usize> = (0..stacked.len()).filter(|&place| used(behind + place)).collect();
    if saved.is_empty() && slid.is_empty() && taken.is_empty() {
        // Something has to say how often.
        slid.push(parts.carried);
    }
    let constants: Vec<usize> =
        (behind..operands.len()).filter(|&place| used(place + stacked.len())).collect();
    let keep = slid.first().copied().filter(|&place| !used(place));
    let derived =
        derived.pruned(|place| place >= carried && keep.is_none_or(|keep| place != carried + keep));

    // What the iterations started from.
    let starts = match saved.is_empty() {
        true => Vec::new(),
        false => {
            let twin = Derived::new(cx, body);
            let inputs: Vec<Expr<'_>> =
                (0..operands.len()).map(|place| twin.keep(body, place)).collect();
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
    };

    let zeros = |&place: &usize| operands[place].fill_like(0.0);
    let cotangent = |place: &usize| given.get(*place).copied().flatten();
    let flow = floats.iter().map(|place| cotangent(place).unwrap_or_else(|| zeros(place)));
    let mut all: Vec<Expr<'_>> = flow.chain(captured.iter().map(zeros)).collect();
    let over = starts.len() + slid.len() + taken.len();
    all.extend(starts);
    all.extend(slid.iter().map(|&place| operands[place]));
    all.extend(taken.iter().map(|&place| stacked[place].1));
    all.extend(constants.iter().map(|&place| operands[place]));
    let attributes = ScanAttributes::new(derived, carried, over, !parts.reverse);
    let node = cx.result().apply_to(&Scan, &all, attributes);
    let names: Vec<String> =
        places.iter().map(|&place| body.input_name(place).to_owned()).collect();
    Ok(answer(cx, places.into_iter().zip(node.items(&names))))
}

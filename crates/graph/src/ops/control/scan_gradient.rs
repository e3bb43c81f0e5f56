//! The gradient of a scan, made of scans.

use abeyance_ir::{Body, Cotangents, Derivation, Fault, NodeId};

use super::derive::{Derived, type_of, zeros};
use super::scan::{Parts, Scan, ScanAttributes};
use super::short;
use crate::ops::binary;
use crate::ops::tuple::items;

/// Appends a scan that collects what the iterations started from, as far as that is needed, and one that goes over it the other
/// way, carrying the cotangents.
pub(super) fn gradient(cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
    let parts = Parts::new(cx.attributes(), cx.operands())?;
    let body = &*parts.body;
    let operands: Vec<NodeId> = (0..cx.operands()).map(|place| cx.operand_id(place)).collect();
    let given = cx.cotangent_ids();
    let behind = parts.carried + parts.sequences;
    let is_float = |place: &usize| body.input(*place).is_some_and(|ty| ty.dtype.is_float());
    let floats: Vec<usize> = (0..parts.carried).filter(is_float).collect();
    let wanted = |range: std::ops::Range<usize>| -> Vec<usize> {
        range.filter(|&place| cx.wanted(place)).collect()
    };
    let sequences = wanted(parts.carried..behind);
    let captured = wanted(behind..operands.len());
    let stacked: Vec<(usize, NodeId)> = (parts.carried..body.outputs().len())
        .filter_map(|place| Some((place, given.get(place).copied().flatten()?)))
        .collect();

    // The backward body. It carries the cotangents of what is carried and the sums for what is captured, and goes over what
    // the iterations started from, the slices, and the cotangents of what they gave.
    let mut derived = Derived::new(cx.graph(), body);
    let add = |derived: &mut Derived, of: NodeId| -> Result<NodeId, Fault> {
        let name = format!("cotangent/{}", short(&body.graph().node(of).name));
        Ok(derived.add(&name, type_of(body.graph(), of)?))
    };
    let mut flow = Vec::new();
    for &place in &floats {
        flow.push(add(&mut derived, body.inputs()[place])?);
    }
    let mut sums = Vec::new();
    for &place in &captured {
        sums.push(add(&mut derived, body.inputs()[place])?);
    }
    let mut inputs: Vec<NodeId> = (0..behind).map(|place| derived.keep(body, place)).collect();
    let mut slices = Vec::new();
    for &(place, _) in &stacked {
        slices.push(add(&mut derived, body.outputs()[place])?);
    }
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
    let xs: Vec<NodeId> = places.iter().map(|&place| inputs[place]).collect();
    let found = derived.differentiate(cx, &seeds, &xs)?;
    let mut outputs = Vec::new();
    for (index, (found, &x)) in found.into_iter().zip(&xs).enumerate() {
        let ty = type_of(&derived.graph, x)?;
        let sum = index.checked_sub(floats.len()).and_then(|index| sums.get(index));
        outputs.push(match (found, sum) {
            (Some(found), Some(&sum)) => binary::add(&mut derived.graph, sum, found),
            (None, Some(&sum)) => sum,
            (Some(found), None) => found,
            (None, None) => zeros(&mut derived.graph, &ty),
        });
    }
    cx.graph().adopt(&derived.graph);
    let derived = Body::new(derived.graph, outputs);
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
            let mut twin = Derived::new(cx.graph(), body);
            let inputs: Vec<NodeId> =
                (0..operands.len()).map(|place| twin.keep(body, place)).collect();
            let mut outputs = twin.rest(body);
            outputs.truncate(parts.carried);
            outputs.extend(saved.iter().map(|&place| inputs[place]));
            let twin = Body::new(twin.graph, outputs);
            let is_first = |place: usize| place <= parts.carried;
            let needed: Vec<usize> =
                (0..operands.len()).filter(|&place| is_first(place) || twin.uses(place)).collect();
            let sequences = needed.iter().filter(|&&place| parts.is_sequence(place)).count();
            let twin = twin.pruned(|place| !is_first(place));
            let given: Vec<NodeId> = needed.iter().map(|&place| operands[place]).collect();
            let attributes = ScanAttributes::new(twin, parts.carried, sequences, parts.reverse);
            let node = cx.add(&Scan, &given, attributes);
            let names: Vec<String> = (0..parts.carried)
                .map(|index| index.to_string())
                .chain(saved.iter().map(|&place| body.input_name(place).to_owned()))
                .collect();
            items(cx.graph(), node, &names).split_off(parts.carried)
        }
    };

    let mut all = Vec::new();
    for &place in &floats {
        let ty = type_of(cx.graph(), operands[place])?;
        let cotangent = given.get(place).copied().flatten();
        all.push(cotangent.unwrap_or_else(|| zeros(cx.graph(), &ty)));
    }
    for &place in &captured {
        let ty = type_of(cx.graph(), operands[place])?;
        all.push(zeros(cx.graph(), &ty));
    }
    let over = starts.len() + slid.len() + taken.len();
    all.extend(starts);
    all.extend(slid.iter().map(|&place| operands[place]));
    all.extend(taken.iter().map(|&place| stacked[place].1));
    all.extend(constants.iter().map(|&place| operands[place]));
    let attributes = ScanAttributes::new(derived, carried, over, !parts.reverse);
    let node = cx.add(&Scan, &all, attributes);
    let names: Vec<String> =
        places.iter().map(|&place| body.input_name(place).to_owned()).collect();
    let found = items(cx.graph(), node, &names);
    let mut cotangents = Cotangents::from_elem(None, operands.len());
    for (place, cotangent) in places.into_iter().zip(found) {
        cotangents[place] = Some(cotangent);
    }
    Ok(cotangents)
}

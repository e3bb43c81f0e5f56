//! Files that were in order, damaged everywhere.

use std::panic::{AssertUnwindSafe, catch_unwind};

use abeyance::prelude::*;

use crate::load::{bounded_checkpoint, bounded_graph, guarded, live_with};
use crate::random::Random;
use crate::{checkpoints, forge, seeds, texts};

/// How many bits are flipped at random, one at a time.
const FLIPS: usize = 10_000;

/// Loads each of the files on one thread, and names the first that does harm.
fn each(
    files: impl Iterator<Item = (String, Vec<u8>)> + Send + 'static,
    load: impl Fn(&str, &[u8]) + Send + 'static,
) {
    let outcome = guarded(move || {
        for (what, bytes) in files {
            if catch_unwind(AssertUnwindSafe(|| load(&what, &bytes))).is_err() {
                return Some(what);
            }
        }
        None
    });
    assert_eq!(outcome, Ok(None), "see above");
}

/// The file cut off everywhere.
fn cut(whole: Vec<u8>) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..whole.len()).map(move |len| (format!("cut at {len}"), whole[..len].to_vec()))
}

/// The file with each byte changed to others.
fn changed(whole: Vec<u8>) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..whole.len()).flat_map(move |at| {
        let whole = whole.clone();
        [0x01, 0x10, 0x80, 0xff].map(move |change| {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            (format!("byte {at} changed by {change:#x}"), bytes)
        })
    })
}

/// The file with one bit flipped at random.
fn flipped(whole: Vec<u8>) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut random = Random(1);
    (0..FLIPS).map(move |_| {
        let (at, bit) = (random.below(whole.len()), random.below(8));
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        (format!("bit {bit} of byte {at}"), bytes)
    })
}

fn repaired((what, mut bytes): (String, Vec<u8>)) -> (String, Vec<u8>) {
    forge::repair(&mut bytes);
    (format!("{what}, checksum repaired"), bytes)
}

fn refuse_graph(what: &str, bytes: &[u8]) {
    assert!(bounded_graph(what, bytes).is_err(), "{what}: is accepted");
}

fn refuse_checkpoint(what: &str, bytes: &[u8]) {
    assert!(bounded_checkpoint(what, bytes).is_err(), "{what}: is accepted");
}

fn endure_graph(what: &str, bytes: &[u8]) {
    if let Ok(graph) = bounded_graph(what, bytes) {
        live_with(what, &graph);
    }
}

fn endure_checkpoint(what: &str, bytes: &[u8]) {
    if let Ok(checkpoint) = bounded_checkpoint(what, bytes) {
        let bytes = checkpoint.to_bytes().unwrap_or_else(|error| panic!("{what}: {error}"));
        let again =
            Checkpoint::from_bytes(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            again.variables().eq(checkpoint.variables()),
            "{what}: saved and read, it is another"
        );
    }
}

fn graph_file() -> Vec<u8> {
    seeds::graph().ir().to_bytes().unwrap()
}

#[test]
fn the_files_that_are_damaged_are_in_order() {
    let graph = seeds::graph();
    assert_eq!(live_with("the small graph", &graph), None);
    assert!(bounded_graph("the small graph", &graph_file()).is_ok());
    assert!(bounded_graph("its text", graph.to_text().as_bytes()).is_ok());
    assert!(bounded_checkpoint("the small checkpoint", &checkpoints::whole()).is_ok());
    assert!(bounded_checkpoint("another program's", &seeds::foreign()).is_ok());
}

#[test]
fn a_graph_file_cut_off_anywhere_is_refused() {
    each(cut(graph_file()), refuse_graph);
    each(cut(graph_file()).map(repaired), refuse_graph);
}

#[test]
fn a_graph_file_with_any_byte_changed_is_refused() {
    each(changed(graph_file()), refuse_graph);
}

#[test]
fn a_graph_file_with_any_byte_changed_and_its_checksum_repaired_does_no_harm() {
    each(changed(graph_file()).map(repaired), endure_graph);
}

#[test]
fn a_text_damaged_anywhere_does_no_harm() {
    let text = seeds::graph().to_string().into_bytes();
    each(cut(text.clone()), endure_graph);
    each(changed(text), endure_graph);
}

#[test]
fn a_checkpoint_damaged_anywhere_is_refused() {
    each(cut(checkpoints::whole()), refuse_checkpoint);
    each(changed(checkpoints::whole()), refuse_checkpoint);
}

#[test]
fn values_of_another_program_damaged_anywhere_do_no_harm() {
    each(cut(seeds::foreign()), refuse_checkpoint);
    each(changed(seeds::foreign()), endure_checkpoint);
}

#[test]
fn every_flipped_bit_is_noticed() {
    each(flipped(graph_file()), refuse_graph);
    each(flipped(checkpoints::whole()), refuse_checkpoint);
}

/// In two halves, which run beside each other.
#[test]
fn no_number_makes_an_operator_do_harm() {
    exchange_numbers(0);
}

#[test]
fn no_number_makes_another_operator_do_harm() {
    exchange_numbers(1);
}

fn exchange_numbers(from: usize) {
    let outcome = guarded(move || {
        let mut harm = Vec::new();
        texts::exchanged(from, &mut |what, text| {
            if catch_unwind(AssertUnwindSafe(|| endure_graph(what, &text))).is_err() {
                harm.push(what.to_owned());
            }
        });
        harm
    });
    assert_eq!(outcome, Ok(vec![]));
}

//! Mutation: files that are in order, and those of the corpus, changed at random and loaded.
//! `cargo test` runs a short part that is the same each time; `.ci/fuzz [seconds]` goes on from
//! another seed, and writes what does harm to `files/found_...`, where the corpus keeps it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use abeyance::prelude::*;

use crate::load::{bounded_checkpoint, bounded_graph, guarded, live_with};
use crate::random::Random;
use crate::{checkpoints, corpus, forge, seeds};

/// So many loads without `FUZZ_SECONDS`.
const SHORT: usize = 3_000;
/// A load of a file this small that takes longer does not scale.
const SLOW: Duration = Duration::from_secs(5);
/// No file grows beyond.
const LONGEST: usize = 1 << 16;

/// Numbers at which something ends.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    31,
    33,
    0xff,
    1 << 16,
    (1 << 31) - 1,
    1 << 32,
    1 << 40,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Borderline numbers as words, for texts.
const WORDS: [&str; 22] = [
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e308",
    "nan",
    "inf",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "\"",
    "=",
    ":",
    "fill(1)",
    "f32[N]",
    "operation",
    "after=[x]",
    "of x",
];

/// One change of bytes, whatever they are.
fn change_bytes(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(40)).min(bytes.len());
    match random.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next() as u8,
        2 | 3 if at + 8 <= bytes.len() => {
            bytes[at..at + 8].copy_from_slice(&random.one(&EDGES).to_le_bytes());
        }
        4 if at + 4 <= bytes.len() => {
            bytes[at..at + 4].copy_from_slice(&(*random.one(&EDGES) as u32).to_le_bytes());
        }
        5 if at < bytes.len() => drop(bytes.drain(at..end)),
        6 if at < bytes.len() => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        7 => {
            let other = random.one(others);
            let from = random.below(other.len());
            let part = other[from..(from + random.below(200)).min(other.len())].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let inserted = random.next().to_le_bytes();
            bytes.splice(at..at, inserted[..random.below(8)].iter().copied());
        }
    }
}

/// One change of text: of lines and words.
fn change_text(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(6) {
        0 if !lines.is_empty() => lines.swap(at, other),
        1 if !lines.is_empty() => lines.insert(other, lines[at].clone()),
        2 if !lines.is_empty() => drop(lines.remove(at)),
        3 | 4 if !lines.is_empty() => {
            let mut words: Vec<&str> =
                lines[at].split_inclusive([' ', ',', '[', ']', '(', ')', '=']).collect();
            let word = random.below(words.len());
            if let Some(slot) = words.get_mut(word) {
                *slot = random.one::<&str>(&WORDS);
            }
            lines[at] = words.concat();
        }
        _ => return change_bytes(bytes, others, random),
    }
    *bytes = lines.join("\n").into_bytes();
}

/// A target of the fuzzer: a loader, its seeds, and how they are changed.
struct Target {
    name: &'static str,
    ending: &'static str,
    seeds: Vec<Vec<u8>>,
    change: fn(&mut Vec<u8>, &[Vec<u8>], &mut Random),
    /// Makes what a change need not be found out by agree again.
    repair: fn(&mut Vec<u8>),
    load: fn(&str, &[u8]),
}

fn graph_files() -> Target {
    Target {
        name: "graph",
        ending: "graph",
        seeds: corpus_of(".graph", seeds::graph().ir().to_bytes().unwrap()),
        change: |bytes, others, random| {
            // The container is tested by itself.
            let mut payload =
                bytes.get(24..bytes.len().saturating_sub(4)).unwrap_or_default().to_vec();
            change_bytes(&mut payload, others, random);
            *bytes = forge::with_flags(forge::SUMMARIES, &payload);
        },
        repair: |bytes| forge::repair(bytes),
        load: load_graph,
    }
}

fn texts() -> Target {
    Target {
        name: "text",
        ending: "txt",
        seeds: corpus_of(".txt", seeds::graph().to_string().into_bytes()),
        change: change_text,
        repair: |_| {},
        load: load_graph,
    }
}

fn checkpoint_files() -> Target {
    let mut seeds = corpus_of(".safetensors", checkpoints::whole());
    seeds.push(seeds::foreign());
    Target {
        name: "checkpoint",
        ending: "safetensors",
        seeds,
        change: |bytes, others, random| {
            // Most changes leave the length of the header right.
            match bytes.get(8..) {
                Some(rest) if random.below(8) > 0 => {
                    let mut rest = rest.to_vec();
                    let header = rest.iter().rposition(|&byte| byte == b'}').map_or(0, |at| at + 1);
                    let data = rest.split_off(header);
                    change_bytes(&mut rest, others, random);
                    *bytes = [&(rest.len() as u64).to_le_bytes()[..], &rest, &data].concat();
                }
                _ => change_bytes(bytes, others, random),
            }
        },
        repair: |_| {},
        load: |what, bytes| {
            if let Ok(checkpoint) = bounded_checkpoint(what, bytes) {
                let bytes = checkpoint.to_bytes().unwrap();
                let again = Checkpoint::from_bytes(&bytes).unwrap();
                assert!(again.variables().eq(checkpoint.variables()), "{what}");
            }
        },
    }
}

fn models() -> Target {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/onnx/tests/data/node");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        seeds.extend(std::fs::read(entry.unwrap().path().join("model.onnx")));
    }
    Target {
        name: "onnx",
        ending: "onnx",
        seeds,
        change: change_bytes,
        repair: |_| {},
        load: |_, bytes| {
            let _ = abeyance::onnx::import(bytes);
        },
    }
}

fn load_graph(what: &str, bytes: &[u8]) {
    if let Ok(graph) = bounded_graph(what, bytes) {
        live_with(what, &graph);
    }
}

fn corpus_of(ending: &str, whole: Vec<u8>) -> Vec<Vec<u8>> {
    let files = corpus::files().into_iter();
    let mut seeds: Vec<Vec<u8>> = files
        .filter(|(name, bytes)| {
            name.ends_with(ending) && !bytes.is_empty() && bytes.len() < 8 << 10
        })
        .map(|(_, bytes)| bytes)
        .collect();
    // What holds everything is worth as much as all the others.
    seeds.extend(vec![whole; seeds.len()]);
    seeds
}

fn run(target: fn() -> Target) {
    let seconds: Option<u64> =
        std::env::var("FUZZ_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let seed = match seconds {
        None => 1,
        Some(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
    };
    let started = Instant::now();
    let is_over = move |count: usize| match seconds {
        None => count >= SHORT,
        Some(seconds) => started.elapsed() > Duration::from_secs(seconds),
    };
    let mut random = Random(seed);
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while !is_over(count) {
        // One guarded thread for some seconds, so that what does not end is noticed.
        let batch = random.next();
        let outcome = guarded(move || {
            let target = target();
            let mut random = Random(batch);
            let (mut done, mut slowest) = (0, Duration::ZERO);
            while done < 500 && !is_over(count + done) {
                let mut bytes = random.one(&target.seeds).clone();
                for _ in 0..=random.below(4) {
                    (target.change)(&mut bytes, &target.seeds, &mut random);
                }
                bytes.truncate(LONGEST);
                (target.repair)(&mut bytes);
                let from = Instant::now();
                let load = || (target.load)(target.name, &bytes);
                let is_harmless = catch_unwind(AssertUnwindSafe(load)).is_ok();
                slowest = slowest.max(from.elapsed());
                if !is_harmless || from.elapsed() > SLOW {
                    return Err(keep(&target, &bytes));
                }
                done += 1;
            }
            Ok((done, slowest))
        });
        match outcome {
            Ok(Ok((done, longest))) => {
                count += done;
                slowest = slowest.max(longest);
            }
            Ok(Err(path)) => panic!("does harm: {path}"),
            Err(message) => panic!("batch {batch:#x}: {message}"),
        }
    }
    println!(
        "{}: {count} loads, {:.0} a second, the slowest {slowest:?}",
        target().name,
        count as f64 / started.elapsed().as_secs_f64()
    );
}

/// Writes what does harm to the corpus, whose test then names it.
fn keep(target: &Target, bytes: &[u8]) -> String {
    let name = format!("found_{}_{:08x}.{}", target.name, forge::checksum(bytes), target.ending);
    let path = corpus::folder().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn mutated_graph_files_do_no_harm() {
    run(graph_files);
}

#[test]
fn mutated_texts_do_no_harm() {
    run(texts);
}

#[test]
fn mutated_checkpoints_do_no_harm() {
    run(checkpoint_files);
}

#[test]
fn mutated_models_do_no_harm() {
    run(models);
}

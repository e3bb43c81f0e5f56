//! The files in `files/`: each is refused with a message that helps, or is a graph that does no
//! harm.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use abeyance::prelude::*;

use crate::{checkpoints, graphs, load, texts};

/// Where the corpus is.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/files")
}

/// The files by name, those that were found by mutation too.
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect()
}

fn made() -> BTreeMap<String, Vec<u8>> {
    let all: Vec<_> =
        graphs::all().into_iter().chain(texts::all()).chain(checkpoints::all()).collect();
    let count = all.len();
    let made: BTreeMap<String, Vec<u8>> = all.into_iter().collect();
    assert_eq!(made.len(), count, "two files of one name");
    made
}

#[test]
fn the_corpus_is_what_the_generator_makes() {
    let made = made();
    if std::env::var_os("UPDATE_HOSTILE").is_some() {
        for name in files().keys().filter(|name| !name.starts_with("found_")) {
            std::fs::remove_file(folder().join(name)).unwrap();
        }
        for (name, bytes) in &made {
            std::fs::write(folder().join(name), bytes).unwrap();
        }
    }
    let files = files();
    let stale: Vec<&String> = made
        .iter()
        .filter(|(name, bytes)| files.get(*name) != Some(bytes))
        .map(|(name, _)| name)
        .collect();
    assert!(stale.is_empty(), "write them anew with `UPDATE_HOSTILE=1`: {stale:?}");
    let unknown: Vec<&String> = files
        .keys()
        .filter(|name| !made.contains_key(*name) && !name.starts_with("found_"))
        .collect();
    assert!(unknown.is_empty(), "not of the generator: {unknown:?}");
    assert!(files.len() >= 200, "{} files", files.len());
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

/// Loads a file and describes the result.
fn outcome(name: &str, bytes: Vec<u8>) -> Result<String, String> {
    let what = name.to_owned();
    let is_checkpoint = name.ends_with(".safetensors");
    load::guarded(move || {
        if is_checkpoint {
            match load::bounded_checkpoint(&what, &bytes) {
                Ok(read) => format!("a checkpoint of {} variables", read.variables().len()),
                Err(message) => message,
            }
        } else {
            match load::bounded_graph(&what, &bytes) {
                Ok(graph) => match load::live_with(&what, &graph) {
                    None => "a graph".to_owned(),
                    Some(refused) => format!("a graph without a session: {refused}"),
                },
                Err(message) => message,
            }
        }
    })
}

#[test]
fn every_file_is_refused_with_help_or_does_no_harm() {
    let mut told = String::new();
    let mut harm = Vec::new();
    for (name, bytes) in files() {
        match outcome(&name, bytes) {
            Err(panic) => harm.push(format!("{name}: {panic}")),
            Ok(message) if message.len() > 32 << 10 => {
                harm.push(format!("{name}: a message of {} bytes", message.len()));
            }
            Ok(message) => {
                let _ = writeln!(told, "== {name}\n{}\n", shortened(&message));
            }
        }
    }
    assert!(harm.is_empty(), "{}", harm.join("\n"));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("messages", told);
    });
}

/// The first mistakes of many, and what can be seen of strange letters.
fn shortened(outcome: &str) -> String {
    let lines: Vec<&str> = outcome.lines().collect();
    let shown = lines
        .iter()
        .take(12)
        .map(|line| line.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"));
    let mut text = shown.collect::<Vec<_>>().join("\n");
    if lines.len() > 12 {
        let _ = write!(text, "\n... {} more lines", lines.len() - 12);
    }
    text
}

#[test]
fn a_folder_is_no_file() {
    let folder = folder();
    for refused in [
        Graph::load(&folder).map(drop).unwrap_err().to_string(),
        Checkpoint::load(&folder).map(drop).unwrap_err().to_string(),
    ] {
        assert!(refused.contains("it is a folder"), "{refused}");
    }
    for refused in [
        Graph::load(folder.join("missing")).map(drop).unwrap_err().to_string(),
        Checkpoint::load(folder.join("missing")).map(drop).unwrap_err().to_string(),
    ] {
        assert!(refused.contains("cannot read") && refused.contains("missing"), "{refused}");
    }
}

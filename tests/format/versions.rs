//! `tests/versions/`: files that were written by each version of the form, which load for ever.
//! Beside each stands the text of its graph and, where its arithmetic is the same on every
//! processor, what its signatures gave (`.run`), from the checkpoint if there is one.
//!
//! When the version of the form changes, `KEEP_VERSION=1 cargo test --test format` writes the files
//! of the new one. Those that are there are never written anew.

use std::path::{Path, PathBuf};

use abeyance::ir::VERSION;
use abeyance::prelude::*;

use crate::programs;
use crate::runs::run;

/// The folders of all versions.
pub fn folders() -> Vec<PathBuf> {
    let versions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/versions");
    entries(&versions).into_iter().filter(|path| path.is_dir()).collect()
}

/// The files of a folder with that ending, in the order of their names.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let ending = Some(ending.as_ref());
    entries(folder).into_iter().filter(|path| path.extension() == ending).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A session of a graph where its checkpoint was, if there is one.
fn session(g: &Graph, checkpoint: Option<&Checkpoint>) -> Session {
    let mut options = SessionOptions::new();
    if let Some(checkpoint) = checkpoint {
        options = options.seed(checkpoint.seed());
    }
    let session = Session::with_options(g, options).unwrap_or_else(|error| panic!("{error}"));
    if let Some(checkpoint) = checkpoint {
        checkpoint.restore(&session).unwrap();
    }
    session
}

/// Writes the files of this version that are not there.
fn keep() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/versions")
        .join(format!("{}.{}", VERSION.0, VERSION.1));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, program) in programs::ALL {
        let g = program();
        g.check().unwrap();
        let path = |ending: &str| folder.join(name).with_extension(ending);
        let mut checkpoint = None;
        if name == "line" {
            let trained = session(&g, None);
            run(&trained, &g);
            checkpoint = Some(Checkpoint::of(&trained).note("was passiert", "\"\u{1}é\\\n"));
        }
        if path("graph").exists() {
            continue;
        }
        g.save(path("graph")).unwrap();
        g.save_text(path("txt")).unwrap();
        if let Some(checkpoint) = &checkpoint {
            checkpoint.save(path("safetensors")).unwrap();
        }
        std::fs::write(path("run"), run(&session(&g, checkpoint.as_ref()), &g)).unwrap();
    }
}

#[test]
fn a_file_of_every_version_is_the_graph_it_was_and_runs_to_the_same_bits() {
    if std::env::var_os("KEEP_VERSION").is_some() {
        keep();
    }
    let mut runs = 0;
    for folder in folders() {
        let graphs = files(&folder, "graph");
        assert!(!graphs.is_empty(), "{folder:?} is empty");
        for path in graphs {
            let g = Graph::load(&path).unwrap_or_else(|error| panic!("{error}"));
            let text = Graph::load(path.with_extension("txt")).unwrap();
            assert_eq!(g.to_text(), text.to_text(), "{path:?}");
            let checkpoint = path.with_extension("safetensors");
            let checkpoint = checkpoint.exists().then(|| Checkpoint::load(&checkpoint).unwrap());
            let found = run(&session(&g, checkpoint.as_ref()), &g);
            let recorded = path.with_extension("run");
            if recorded.exists() {
                assert_eq!(found, std::fs::read_to_string(recorded).unwrap(), "{path:?}");
                runs += 1;
            }
        }
    }
    assert!(runs >= programs::ALL.len(), "{runs}");
}

#[test]
fn a_file_of_this_version_is_written_again_byte_for_byte() {
    let version = format!("{}.{}", VERSION.0, VERSION.1);
    let folders = folders();
    let folder = folders.iter().find(|folder| folder.ends_with(&version));
    let folder = folder.unwrap_or_else(|| panic!("no files of version {version} are kept"));
    for path in files(folder, "graph") {
        let bytes = std::fs::read(&path).unwrap();
        assert!(Graph::from_bytes(&bytes).unwrap().ir().to_bytes().unwrap() == bytes, "{path:?}");
    }
    for path in files(folder, "safetensors") {
        let bytes = std::fs::read(&path).unwrap();
        assert!(Checkpoint::from_bytes(&bytes).unwrap().to_bytes().unwrap() == bytes, "{path:?}");
    }
}

//! Models as people keep them: files, and folders with a graph and a checkpoint.

use std::path::Path;

use abeyance_checkpoint::{Checkpoint, Checkpoints};
use abeyance_package::{Error, Package, files};
use abeyance_session::SessionOptions;

use crate::support::{Folder, network, pack, session};

/// The first weight of the model at a path.
fn weight(path: &Path) -> Result<f32, Error> {
    let package = Package::load(path)?;
    let session = package.session(SessionOptions::new())?;
    assert!(package.cases.is_empty() && package.check(&session)?.cases == 0);
    Ok(session.variable::<f32>("w")?[[0, 0]])
}

fn trained(seed: u64) -> f32 {
    session(&network(), seed).variable::<f32>("w").unwrap()[[0, 0]]
}

#[test]
fn a_graph_in_each_of_its_forms_is_a_model() {
    let folder = Folder::new("forms");
    let g = network();
    g.save(folder.path("sums-2.graph")).unwrap();
    g.save_text(folder.path("sums.txt")).unwrap();
    let checkpoint = Checkpoint::of(&session(&g, 5));
    let value = |name: &str| checkpoint.variable(name).cloned();
    let bytes = abeyance_onnx::export(&g, "predict", &value).unwrap();
    std::fs::write(folder.path("sums (1).onnx"), bytes).unwrap();
    for (file, name, is_untrained) in [
        ("sums-2.graph", "sums-2", true),
        ("sums.txt", "sums", true),
        ("sums (1).onnx", "sums__1_", false),
    ] {
        let package = Package::load(&folder.path(file)).unwrap();
        assert_eq!((&*package.name, package.is_untrained()), (name, is_untrained), "{file}");
        assert_eq!(package.signature.as_deref(), Some("predict"), "{file}");
    }
}

#[test]
fn a_folder_with_a_graph_and_a_checkpoint_is_a_model() {
    let folder = Folder::new("loose");
    let g = network();
    g.save(folder.path("sums.graph")).unwrap();
    assert_eq!(weight(&folder.0).unwrap(), trained(0));
    // What is no part of a model is left alone, and so is what is hidden.
    std::fs::write(folder.path("README.txt"), "graph theory is not meant").unwrap();
    std::fs::write(folder.path("notes.txt"), "a note").unwrap();
    std::fs::write(folder.path(".hidden.graph"), "nothing").unwrap();
    std::fs::create_dir(folder.path("logs")).unwrap();
    // A file, or the newest in a folder of them, whose name says nothing.
    Checkpoint::of(&session(&g, 3)).save(folder.path("best.safetensors")).unwrap();
    assert_eq!(weight(&folder.0).unwrap(), trained(3));
    std::fs::remove_file(folder.path("best.safetensors")).unwrap();
    let checkpoints = Checkpoints::open(folder.path("trained")).unwrap();
    let newer = session(&g, 9);
    checkpoints.save(&newer).unwrap();
    newer.signature("train").unwrap();
    assert_eq!(weight(&folder.0).unwrap(), trained(9));
    // Those that a training saves, in the folder itself.
    std::fs::remove_dir_all(folder.path("trained")).unwrap();
    for (step, seed) in [(9, 4), (10, 5)] {
        let file = folder.path(&format!("step-{step}.safetensors"));
        Checkpoint::of(&session(&g, seed)).save(file).unwrap();
    }
    assert_eq!(weight(&folder.0).unwrap(), trained(5));
}

#[test]
fn of_several_none_is_chosen() {
    let folder = Folder::new("several");
    let refused = || Package::load(&folder.0).unwrap_err().to_string();
    let error = refused();
    assert!(
        error.contains("there is no model in the folder") && error.contains("`abeyance export`"),
        "{error}"
    );
    let g = network();
    g.save(folder.path("a.graph")).unwrap();
    g.save(folder.path("b.graph")).unwrap();
    let error = refused();
    assert!(error.contains("2 graphs, and one is wanted: `a.graph`, `b.graph`"), "{error}");
    std::fs::remove_file(folder.path("b.graph")).unwrap();
    for name in ["one.safetensors", "step-3.safetensors"] {
        Checkpoint::of(&session(&g, 1)).save(folder.path(name)).unwrap();
    }
    let error = refused();
    assert!(error.contains("2 checkpoints") && error.contains("`one.safetensors`"), "{error}");
    assert!(error.contains("`step-N.safetensors`"), "{error}");
}

#[test]
fn a_checkpoint_of_another_graph_is_told_as_such() {
    let folder = Folder::new("strange");
    let g = abeyance_graph::Graph::named("other");
    g.variable::<f32>("w", abeyance_graph::zeros(abeyance_graph::dims![2]));
    Checkpoint::of(&session(&g, 1)).save(folder.path("c.safetensors")).unwrap();
    network().save(folder.path("sums.graph")).unwrap();
    let package = Package::load(&folder.0).unwrap();
    let error = package.session(SessionOptions::new()).unwrap_err().to_string();
    assert!(error.contains("it was taken of `other`") && error.contains("f32[3, 2]"), "{error}");
    // The wrong file for a graph.
    let error = Package::load(&folder.path("c.safetensors")).unwrap_err();
    assert!(matches!(error, Error::CheckpointForGraph { .. }), "{error}");
    let error = Package::load(&folder.path("none.graph")).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("none.graph"), "{error}");
}

#[test]
fn a_change_of_any_file_is_seen() {
    let folder = Folder::new("watched");
    let path = folder.path("model");
    pack(&path, 1);
    let before = files(&path).unwrap();
    assert_eq!(before.len(), 4);
    assert_eq!(files(&path).unwrap(), before);
    std::fs::write(path.join("weights.safetensors"), "shorter").unwrap();
    assert_ne!(files(&path).unwrap(), before);
    // In a folder of checkpoints too.
    std::fs::create_dir(path.join("trained")).unwrap();
    std::fs::write(path.join("trained/step-1.safetensors"), "").unwrap();
    assert_eq!(files(&path).unwrap().len(), 5);
    // Of a file itself, and of what is not there.
    assert_eq!(files(&path.join("model.json")).unwrap().len(), 1);
    assert!(files(&folder.path("nowhere")).unwrap_err().to_string().contains("nowhere"));
}

//! Packing a model, checking it, and using the package where a graph is taken.

mod support;

use std::path::PathBuf;

use abeyance::checkpoint::Checkpoint;
use abeyance::prelude::*;
use support::Folder;

/// A network that was trained, in `c`, and its package in `packed`.
fn packed(name: &str) -> Folder {
    let folder = Folder::with_network(name);
    folder.succeed("train net.graph --data data --steps 30 --checkpoint c");
    folder.succeed("export net.graph --checkpoint c -o packed --data data");
    folder
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_packed_is_said() {
    let folder = Folder::with_network("said");
    folder.succeed("train net.graph --data data --steps 30 --checkpoint c");
    let said = folder.succeed("export net.graph --checkpoint c -o packed --data data --cases 3");
    for part in [
        "wrote `packed/model.json`, ",
        "wrote `packed/graph.graph`, ",
        "wrote `packed/weights.safetensors`, ",
        "wrote `packed/cases.safetensors`, ",
        // Two slots for each variable, two powers of decay rates, the step.
        "variables that no signature reads that can be served: ",
        "model `net` answers by signature `predict`",
        // A digit and ten probabilities each.
        "golden cases: 3, 33 numbers, the same bits: the first test images of `data`",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let weights = Checkpoint::load(folder.0.join("packed/weights.safetensors")).unwrap();
    assert_eq!(weights.variables().map(|(name, _)| name).collect::<Vec<_>>(), ["v", "w"]);
    assert_eq!(weights.step(), 30);

    let said = folder.succeed(
        "export net.graph --checkpoint c -o packed --data data --name digits.v2 --signature predict --json",
    );
    let said = json(&said);
    assert_eq!((&said["name"], &said["golden_cases"]), (&"digits.v2".into(), &4.into()));
    let manifest = json(std::str::from_utf8(&folder.read("packed/model.json")).unwrap());
    assert_eq!(
        (&manifest["name"], &manifest["signature"]),
        (&"digits.v2".into(), &"predict".into())
    );
}

#[test]
fn a_package_gives_the_numbers_of_its_graph() {
    let folder = packed("numbers");
    let input = "--input data/t10k-images-idx3-ubyte";
    let graph = folder.succeed(&format!("predict net.graph --checkpoint c {input}"));
    assert_eq!(folder.succeed(&format!("predict packed {input}")), graph);
    let evaluated = folder.succeed("eval net.graph --checkpoint c --data data");
    assert_eq!(folder.succeed("eval packed --data data"), evaluated);
    // Other weights than the package's, if they are asked for.
    folder.succeed("train net.graph --data data --steps 2 --seed 5 --checkpoint other");
    let other = folder.succeed(&format!("predict net.graph --checkpoint other {input}"));
    assert_eq!(folder.succeed(&format!("predict packed --checkpoint other {input}")), other);
    assert_ne!(other, graph);
    // Commands that need no weights.
    assert!(folder.succeed("info packed").contains("2 variables"));
    assert_eq!(folder.succeed("diff packed net.graph").trim_end(), "the same: 101 nodes");
    assert_eq!(folder.succeed("print packed"), folder.succeed("print net.graph"));
    folder.succeed("bench packed --signature predict --batch 2 --threads 1 --seconds 0.01");
    folder.succeed("explain packed --signature predict --batch 2");
    // A package is packed again, from itself.
    folder.succeed("export packed -o again --data data");
    for file in ["graph.graph", "weights.safetensors", "cases.safetensors"] {
        folder.assert_same(&format!("packed/{file}"), &format!("again/{file}"));
    }
}

#[test]
fn weights_of_another_seed_are_refused() {
    let folder = packed("seeds");
    assert!(folder.succeed("check packed").contains("golden cases: 4, 44 numbers, the same bits"));
    assert_eq!(json(&folder.succeed("check packed --json"))["golden_cases"], 4);
    folder.succeed("train net.graph --data data --steps 30 --seed 5 --checkpoint other");
    folder.succeed("export net.graph --checkpoint other -o others --data data");
    std::fs::copy(
        folder.0.join("others/weights.safetensors"),
        folder.0.join("packed/weights.safetensors"),
    )
    .unwrap();
    let ran = folder.run("check packed");
    assert_eq!(ran.code, Some(1));
    assert!(ran.errors.contains("case 0, output `"), "{}", ran.errors);
    assert!(ran.errors.contains("of signature `predict`, element [0"), "{}", ran.errors);
    assert!(ran.errors.contains("abeyance export"), "{}", ran.errors);
}

#[test]
fn tampered_weights_are_refused() {
    let folder = packed("tampered");
    let path = folder.0.join("packed/weights.safetensors");
    // As a whole and with the right checksum: the weights of one class have the other sign. A
    // single one may not reach any output of a few cases, behind a relu.
    let weights = Checkpoint::load(&path).unwrap();
    let changed = weights.variables().map(|(name, array)| {
        let mut array = array.clone();
        if name == "v" {
            array.bytes.chunks_mut(4 * 10).for_each(|row| row[3] ^= 0x80);
        }
        (name.to_owned(), array)
    });
    let changed = Checkpoint::of_arrays(changed);
    let mut damaged = std::fs::read(&path).unwrap();
    changed.save(&path).unwrap();
    let ran = folder.run("check packed");
    assert_eq!(ran.code, Some(1));
    assert!(ran.errors.contains("case 0, output `digit`"), "{}", ran.errors);
    // A flipped bit does not even load.
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let ran = folder.run("predict packed --input data/t10k-images-idx3-ubyte");
    assert_eq!(ran.code, Some(1));
    assert!(ran.errors.contains("its checksum does not agree"), "{}", ran.errors);
}

#[test]
fn cases_come_from_files_or_are_made_up() {
    let folder = packed("inputs");
    let export = |arguments: &str| {
        folder.succeed(&format!("export net.graph --checkpoint c -o packed {arguments}"))
    };
    let said = export("--case data/t10k-images-idx3-ubyte");
    assert!(
        said.contains("golden cases: 100, 1,100 numbers, the same bits: inputs from files"),
        "{said}"
    );
    let one = folder.read("packed/cases.safetensors");
    let said = export("--case data/t10k-images-idx3-ubyte data/t10k-images-idx3-ubyte --invert");
    assert!(said.contains("golden cases: 200,"), "{said}");
    assert_ne!(folder.read("packed/cases.safetensors"), one);
    let said = export("--cases 0");
    assert!(said.contains("no golden cases"), "{said}");
    assert!(!folder.0.join("packed/cases.safetensors").exists());
    // What has no images gets made-up numbers, the same each time.
    let g = Graph::named("plain");
    let x = g.placeholder::<f32>("x", dims![_, "T"]);
    g.signature("predict").input("x", x).output("y", x.reduce_sum(1));
    g.save(folder.0.join("plain.graph")).unwrap();
    let said = folder.succeed("export plain.graph -o plain --size T=5");
    assert!(said.contains("golden cases: 4, 4 numbers, the same bits: made-up inputs"), "{said}");
    let first = folder.read("plain/cases.safetensors");
    folder.succeed("export plain.graph -o plain --size T=5");
    assert_eq!(folder.read("plain/cases.safetensors"), first);
}

#[test]
fn a_model_of_onnx_is_packed_as_it_is() {
    let folder = packed("model");
    folder.succeed("convert net.graph net.onnx --checkpoint c");
    folder.succeed("export net.onnx -o onnx --data data");
    folder.assert_same("net.onnx", "onnx/model.onnx");
    assert!(folder.succeed("check onnx").contains("golden cases: 4, 44 numbers"));
    let input = "--input data/t10k-images-idx3-ubyte";
    assert_eq!(
        folder.succeed(&format!("predict onnx {input}")),
        folder.succeed(&format!("predict packed {input}"))
    );
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let folder = packed("refused");
    std::fs::create_dir(folder.0.join("mine")).unwrap();
    std::fs::write(folder.0.join("mine/letter.txt"), "dear").unwrap();
    let before = folder.read("packed/model.json");
    for (arguments, said) in [
        ("net.graph -o new", "has variables"),
        ("net.graph --checkpoint c -o mine", "it is no package, and is not written over"),
        (
            "net.graph --checkpoint c -o new --signature train",
            "signature `train` writes the variable",
        ),
        ("net.graph --checkpoint c -o new --signature predikt", "no signature `predikt`"),
        ("net.graph --checkpoint c -o new --name a/b", "cannot be the name of a model"),
        (
            "net.graph --checkpoint c -o new --cases 2000",
            "2000 golden cases are more than the 1000",
        ),
        ("net.graph --checkpoint c -o new --data nowhere", "nowhere"),
        ("net.graph --checkpoint c -o new --tolerance -1", "relative tolerance is -1"),
        ("net.graph --checkpoint c -o new --case data/nothing.npy", "nothing.npy"),
        ("packed --checkpoint nowhere -o packed", "nowhere"),
        ("mine -o new", "there is no model in the folder"),
    ] {
        let arguments = arguments.replace("--tolerance -1", "--tolerance=-1");
        let ran = folder.run(&format!("export {arguments}"));
        assert_eq!(ran.code, Some(1), "{arguments}: {}", ran.errors);
        assert!(ran.errors.contains(said), "{arguments}: {}", ran.errors);
    }
    assert!(!folder.0.join("new").exists() && folder.0.join("mine/letter.txt").exists());
    assert_eq!(folder.read("packed/model.json"), before);
}

/// MNIST is in the repository of whoever runs this, or the test says nothing.
#[test]
fn the_graphs_of_the_repository_can_be_packed() {
    let graphs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../graphs");
    let folder = Folder::new("repository");
    let graph = graphs.join("mnist_softmax.graph");
    let graph = graph.to_str().unwrap();
    let loaded = Graph::load(graph).unwrap();
    let session = Session::new(&loaded).unwrap();
    Checkpoint::of(&session).save(folder.0.join("c.safetensors")).unwrap();
    folder.succeed(&format!("export {graph} --checkpoint c.safetensors -o packed"));
    assert!(folder.succeed("check packed").contains("golden cases: 4, 44 numbers"));
}

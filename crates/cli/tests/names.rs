//! Inputs and outputs whose names are not those of nodes, and files whose names are like theirs.

mod support;

use abeyance::prelude::*;
use ndarray::Array1;
use support::Folder;

/// An array of f32 in NumPy's format.
fn npy(folder: &Folder, name: &str, numbers: &[f32]) {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}\n", numbers.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    std::fs::write(folder.0.join(name), bytes).unwrap();
}

/// A graph whose inputs and outputs have such names, in both forms and as a model of ONNX.
fn ports(folder: &Folder) {
    let g = Graph::named("ports");
    let a = g.placeholder::<f32>("x", dims!["N"]);
    let b = g.placeholder::<f32>("y", dims!["N"]);
    g.signature("predict")
        .input("/x", a)
        .input("x", b)
        .output("y:0", a - b)
        .output("y_0", b - a)
        .output("y/0", a * b);
    g.save(folder.0.join("ports.graph")).unwrap();
    folder.succeed("convert ports.graph ports.txt");
    folder.succeed("convert ports.graph ports.onnx");
    let one = Graph::named("one");
    let x = one.placeholder::<f32>("x", dims!["N"]);
    let scale: Array1<f32> = Array1::from_elem(1, 10.0);
    one.signature("predict")
        .input("serving_default_x:0", x)
        .output("y", x * one.constant_array(&scale));
    one.signature("a=b").input("in=1", x).input("in", x + 1.0).output("y", x);
    one.save(folder.0.join("one.graph")).unwrap();
}

#[test]
fn inputs_are_fed_by_the_names_that_the_model_has() {
    let folder = Folder::new("names");
    ports(&folder);
    npy(&folder, "a.npy", &[10.0, 20.0]);
    npy(&folder, "b.npy", &[1.0, 2.0]);
    for file in ["ports.graph", "ports.txt", "ports.onnx"] {
        for inputs in ["/x=a.npy x=b.npy", "x=b.npy /x=a.npy"] {
            let shown = folder.succeed(&format!("predict {file} --input {inputs}"));
            assert_eq!(
                shown,
                "y:0 9.0000   y_0 -9.0000   y/0 10.0000\ny:0 18.0000   y_0 -18.0000   y/0 40.0000\n"
            );
        }
        let json = folder.succeed(&format!("predict {file} --input /x=a.npy x=b.npy --json"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["y:0"][0], &json["y_0"][0]), (&9.0.into(), &(-9.0).into()));
    }
    let shown = folder.succeed("predict one.graph --input serving_default_x:0=a.npy");
    assert_eq!(shown, "y 100.0000\ny 200.0000\n");
}

#[test]
fn an_input_is_named_up_to_the_last_equals_sign_that_makes_sense() {
    let folder = Folder::new("equals");
    ports(&folder);
    npy(&folder, "a=b.npy", &[3.0]);
    npy(&folder, "1=c.npy", &[4.0]);
    // The file has a `=`, with and without the name of the input before it.
    for input in ["a=b.npy", "serving_default_x:0=a=b.npy"] {
        assert_eq!(folder.succeed(&format!("predict one.graph --input {input}")), "y 30.0000\n");
    }
    // Of two inputs that a text may name the longer one is meant.
    let ran = folder.run("predict one.graph --signature a=b --input in=1=a=b.npy in=1=c.npy");
    assert_eq!(ran.code, Some(1), "{}", ran.output);
    assert!(ran.errors.contains("c.npy"), "{}", ran.errors);
    // A name that is none is no file.
    let ran = folder.run("predict one.graph --input serving_default_x=a.npy");
    assert_eq!(ran.code, Some(1));
    assert!(ran.errors.contains("the one input of signature `predict` is `serving_default_x:0`"));
    let ran = folder.run("predict ports.graph --input z=a.npy");
    assert!(ran.errors.contains("`/x=FILE` or `x=FILE`"), "{}", ran.errors);
}

#[test]
fn outputs_whose_names_no_file_can_have_are_files_of_their_own() {
    let folder = Folder::new("outputs");
    ports(&folder);
    npy(&folder, "a.npy", &[10.0]);
    npy(&folder, "b.npy", &[1.0]);
    let shown = folder.succeed("predict ports.graph --input /x=a.npy x=b.npy --output out");
    let last = |name: &str| {
        let bytes = folder.read(&format!("out/{name}.npy"));
        f32::from_le_bytes(bytes[bytes.len() - 4..].try_into().unwrap())
    };
    assert_eq!([last("y_0"), last("y_0_1"), last("y_0_2")], [9.0, -9.0, 10.0]);
    for (line, name) in shown.lines().zip(["y:0", "y_0", "y/0"]) {
        assert!(line.ends_with(&format!("the output `{name}`")), "{line}");
    }
}

#[test]
fn what_is_not_kept_and_what_was_not_learnt_is_noted_at_once() {
    let folder = Folder::with_network("notes");
    let ran = folder.run("train net.graph --data data --steps 2");
    assert_eq!(ran.code, Some(0));
    assert!(ran.errors.contains("the trained variables are lost at the end"), "{}", ran.errors);
    let ran = folder.run("train net.graph --data data --steps 2 --checkpoint c");
    assert_eq!(ran.errors, "");
    // Of zeros too, whose untrained answers look like answers.
    let g = Graph::named("zeros");
    let x = g.placeholder::<f32>("x", dims![_, 6, 6, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let logits = x.reshape(dims![_, 36]).matmul(g.variable("w", zeros(dims![36, 10])));
    let loss = logits.softmax_cross_entropy(y_).reduce_mean(..);
    g.signature("evaluate").input("images", x).input("labels", y_).output("loss", loss);
    g.signature("predict").input("images", x).output("logits", logits);
    g.save(folder.0.join("zeros.graph")).unwrap();
    for arguments in [
        "eval net.graph --data data",
        "eval zeros.graph --data data",
        "predict zeros.graph --input data/t10k-images-idx3-ubyte",
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.errors);
        assert!(ran.errors.contains("note: no --checkpoint"), "{arguments}: {}", ran.errors);
    }
    let ran = folder.run("eval net.graph --data data --checkpoint c");
    assert_eq!(ran.errors, "");
    // What was imported has the values of the model.
    folder.succeed("convert net.graph net.onnx --checkpoint c");
    let ran = folder.run("predict net.onnx --input data/t10k-images-idx3-ubyte");
    assert_eq!(ran.errors, "note: no --checkpoint: variables have the values of the model\n");
}

#[test]
fn a_checkpoint_of_another_graph_is_told_as_that_first_with_slots_in_one_line() {
    let folder = Folder::with_network("another");
    let g = Graph::named("other");
    let x = g.placeholder::<f32>("x", dims![_, 6, 6, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("layer/w", zeros(dims![36, 10]));
    let b = g.variable("layer/b", zeros(dims![10]));
    let loss = (x.reshape(dims![_, 36]).matmul(w) + b).softmax_cross_entropy(y_).reduce_mean(..);
    let step = Momentum::new(0.1, 0.9).minimize(loss);
    g.signature("train").input("images", x).input("labels", y_).output("loss", loss).step(step);
    g.save(folder.0.join("other.graph")).unwrap();
    folder.succeed("train net.graph --data data --steps 3 --checkpoint c");
    let ran = folder.run("train other.graph --data data --steps 9 --checkpoint c --resume");
    assert_eq!(ran.code, Some(1));
    let at = ran.errors.find("error:").unwrap();
    insta::assert_snapshot!("another", &ran.errors[at..]);
}

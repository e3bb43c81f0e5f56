//! Whatever is in a package's files, loading it ends with a model or with an error that names the
//! file.

use std::path::Path;

use abeyance_checkpoint::Checkpoint;
use abeyance_ir::Array;
use abeyance_package::Package;
use abeyance_session::{SessionOptions, Value};

use crate::support::{Folder, contents, numbers, pack};

const FILES: [&str; 4] = ["model.json", "graph.graph", "weights.safetensors", "cases.safetensors"];

fn load(path: &Path) -> Result<(), String> {
    let package = Package::load(path).map_err(|error| error.to_string())?;
    let session =
        package.session(SessionOptions::new().threads(1)).map_err(|error| error.to_string())?;
    package.check(&session).map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_missing_part_is_named() {
    let folder = Folder::new("lacking");
    let path = folder.path("model");
    for (name, said) in [
        ("graph.graph", "the package has no `graph.graph` and no `model.onnx`"),
        ("weights.safetensors", "with variables and no `weights.safetensors`"),
        ("cases.safetensors", "says it has 2 golden cases, and has no `cases.safetensors`"),
    ] {
        pack(&path, 1);
        std::fs::remove_file(path.join(name)).unwrap();
        let error = load(&path).unwrap_err();
        assert!(error.contains(said) && error.contains("copy the folder as a whole"), "{error}");
        // What is left of a package is still one, and can be packed over.
        std::fs::remove_dir_all(&path).unwrap();
    }
    pack(&path, 1);
    std::fs::write(path.join("model.onnx"), "").unwrap();
    assert!(load(&path).unwrap_err().contains("both `graph.graph` and `model.onnx`"));
}

#[test]
fn a_description_that_is_none_is_told_what_is_wrong() {
    let folder = Folder::new("described");
    let path = folder.path("model");
    pack(&path, 1);
    let file = path.join("model.json");
    let right: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = right.clone();
        change(&mut json);
        json.to_string()
    };
    let huge = format!("[{}", "[".repeat(100_000));
    for (text, said) in [
        (String::new(), "no description of a package: EOF"),
        ("{}".to_owned(), "missing field `format`"),
        (huge, "no description of a package"),
        ("\u{feff}{}".to_owned(), "no description of a package"),
        (with(&|json| json["format"] = 2.into()), "of form 2, and this program reads form 1"),
        (with(&|json| json["format"] = (-1).into()), "invalid value"),
        (with(&|json| json["name"] = "../../etc".into()), "cannot be the name of a model"),
        (with(&|json| json["name"] = 3.into()), "invalid type: integer `3`, expected a string"),
        (with(&|json| json["signature"] = "train".into()), "writes the variable `w/Momentum`"),
        (with(&|json| json["signature"] = "nope".into()), "no signature `nope`"),
        (with(&|json| json["cases"] = 3.into()), "it has 2 golden cases"),
        (with(&|json| json["cases"] = u64::MAX.into()), "it has 2 golden cases"),
        (with(&|json| json["cases"] = 1e300.into()), "invalid type: floating point"),
        (with(&|json| json["tolerance"]["relative"] = 5.into()), "relative tolerance is 5"),
        (with(&|json| json["tolerance"]["absolute"] = (-1).into()), "absolute tolerance is -1"),
        (with(&|json| json["tolerence"] = 1.into()), "unknown field `tolerence`"),
        (with(&|json| json["processor"] = serde_json::Value::Null), "invalid type: null"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let error = load(&path).unwrap_err();
        let shown: String = text.chars().take(200).collect();
        assert!(error.contains(said) && error.contains("model"), "{shown}\n{error}");
        assert!(error.len() < 2000, "{shown}");
    }
    // More than there may be.
    std::fs::write(&file, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(load(&path).unwrap_err().contains("1048576"));
}

type Arrays = Vec<(String, Array)>;

/// The arrays, with another value for one of them.
fn replaced(right: &[(String, Array)], at: &str, value: Value) -> Arrays {
    let change = |(name, array): &(String, Array)| {
        (name.clone(), if name == at { value.to_array() } else { array.clone() })
    };
    right.iter().map(change).collect()
}

/// Files of cases that are not of the signature, each with a part of its error.
fn wrong_cases(right: &[(String, Array)]) -> Vec<(Arrays, &'static str)> {
    let renamed = |from: &str, to: &str| -> Arrays {
        let change = |(name, array): &(String, Array)| {
            (if name == from { to.to_owned() } else { name.clone() }, array.clone())
        };
        right.iter().map(change).collect()
    };
    let replaced = |at: &str, value: Value| replaced(right, at, value);
    let half: Arrays = right.iter().filter(|(name, _)| name.starts_with("0/")).cloned().collect();
    let wide = Value::from(ndarray::Array2::<f32>::zeros((1, 4)));
    let flat = Value::from(ndarray::Array1::<f32>::zeros(3));
    let other = Value::from(ndarray::Array2::<f64>::zeros((1, 3)));
    vec![
        (
            renamed("0/input/numbers", "0/input/number"),
            "golden case 0, input `number` of signature `predict`: there is no such input; it has `numbers`",
        ),
        (renamed("1/output/sum", "1/output/largest2"), "golden case 1, output `largest2`"),
        (
            renamed("1/output/sum", "1/input/sum"),
            "golden case 1, input `sum` of signature `predict`: there is no such input",
        ),
        (renamed("0/output/sum", "00/output/sum"), "\"00/output/sum\" is no part of a case"),
        (renamed("0/output/sum", "sum"), "\"sum\" is no part of a case"),
        (renamed("0/output/sum", "0/outputs/sum"), "is no part of a case"),
        (renamed("0/output/sum", "99999999999999999999/output/sum"), "is no part of a case"),
        (
            renamed("0/output/sum", "4294967295/output/sum"),
            "it has 3 golden cases, numbered up to 4294967295",
        ),
        (renamed("0/output/sum", "-1/output/sum"), "is no part of a case"),
        (half, "it has 1 golden cases"),
        (
            replaced("0/input/numbers", wide),
            "golden case 0, input `numbers` of signature `predict`: it is f32[1, 4], and the graph's is f32[N, 3]",
        ),
        (replaced("0/input/numbers", flat), "it is f32[3], and the graph's is f32[N, 3]"),
        (replaced("0/input/numbers", other), "it is f64[1, 3], and the graph's is f32[N, 3]"),
        (replaced("1/output/sum", numbers(2)), "golden case 1, output `sum`"),
    ]
}

#[test]
fn a_case_that_is_not_of_the_signature_is_named() {
    let folder = Folder::new("cases");
    let path = folder.path("model");
    pack(&path, 1);
    let file = path.join("cases.safetensors");
    let right: Arrays = Checkpoint::load(&file)
        .unwrap()
        .variables()
        .map(|(name, array)| (name.to_owned(), array.clone()))
        .collect();
    for (arrays, said) in wrong_cases(&right) {
        Checkpoint::of_arrays(arrays).save(&file).unwrap();
        let error = load(&path).unwrap_err();
        assert!(error.contains(said) && error.contains("cases.safetensors"), "{said}\n{error}");
    }
    // Another number of rows than was recorded is another shape.
    Checkpoint::of_arrays(replaced(&right, "1/input/numbers", numbers(5))).save(&file).unwrap();
    let error = load(&path).unwrap_err();
    assert!(error.contains("it was f32[2, 2] and is f32[5, 2]"), "{error}");
}

#[test]
fn damaged_files_are_errors_and_no_panics() {
    let folder = Folder::new("damaged");
    let path = folder.path("model");
    pack(&path, 1);
    let right = contents(&path).unwrap();
    let mut refused = 0;
    for name in FILES {
        let bytes = &right[name];
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step) {
            std::fs::write(path.join(name), &bytes[..at]).unwrap();
            let error = load(&path).expect_err(name);
            assert!(!error.is_empty());
            for flip in [1u8, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                std::fs::write(path.join(name), &damaged).unwrap();
                // A letter of the name in a description may be another.
                match load(&path) {
                    Ok(()) => assert_eq!(name, "model.json", "byte {at}"),
                    Err(error) => {
                        assert!(!error.is_empty());
                        refused += 1;
                    }
                }
            }
        }
        std::fs::write(path.join(name), bytes).unwrap();
    }
    assert!(refused > 300, "{refused}");
    load(&path).unwrap();
}

#[test]
fn a_folder_or_a_link_in_place_of_a_file_is_an_error() {
    let folder = Folder::new("places");
    let path = folder.path("model");
    for name in FILES {
        pack(&path, 1);
        std::fs::remove_file(path.join(name)).unwrap();
        std::fs::create_dir(path.join(name)).unwrap();
        assert!(load(&path).is_err(), "{name}");
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert!(load(&folder.path("nowhere")).unwrap_err().contains("nowhere"));
}

//! A model that does not give what its golden cases say is refused.

use std::path::Path;

use abeyance_checkpoint::Checkpoint;
use abeyance_graph::{Graph, dims};
use abeyance_ir::Array;
use abeyance_package::{Case, Error, Package, Packing, Tolerance, write};
use abeyance_session::{SessionOptions, Value};

use crate::support::{Folder, network, pack, session};

fn check(path: &Path) -> Result<abeyance_package::Checked, Error> {
    let package = Package::load(path)?;
    let session = package.session(SessionOptions::new().threads(1))?;
    package.check(&session)
}

/// Changes the first number of an output of case 1, which has two rows.
fn change_sum(path: &Path, change: impl Fn(f32) -> f32) {
    let file = path.join("cases.safetensors");
    let read = Checkpoint::load(&file).unwrap();
    let changed = read.variables().map(|(name, array)| {
        let mut array = array.clone();
        if name == "1/output/sum" {
            let last: [u8; 4] = array.bytes[12..].try_into().unwrap();
            array.bytes[12..].copy_from_slice(&change(f32::from_le_bytes(last)).to_le_bytes());
        }
        (name.to_owned(), array)
    });
    Checkpoint::of_arrays(changed).save(&file).unwrap();
}

/// Says that the cases were recorded on another kind of processor.
fn recorded_elsewhere(path: &Path) {
    let file = path.join("model.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    json["processor"]["instructions"] = "x86-64-v9".into();
    std::fs::write(&file, json.to_string()).unwrap();
}

#[test]
fn weights_of_another_training_are_refused() {
    let folder = Folder::new("another");
    let path = folder.path("model");
    pack(&path, 1);
    let g = network();
    Checkpoint::of(&session(&g, 2)).save(path.join("weights.safetensors")).unwrap();
    let error = check(&path).unwrap_err();
    let Error::Difference(difference) = &error else { panic!("{error}") };
    assert_eq!(
        (difference.case, &*difference.output, &*difference.signature),
        (0, "sum", "predict")
    );
    assert_eq!(
        (&*difference.index, difference.differing, difference.elements),
        (&[0, 0][..], 2, 2)
    );
    assert!(difference.largest > 0.0);
    let told = error.to_string();
    assert!(
        told.contains("case 0, output `sum` of signature `predict`, element [0, 0]: it was"),
        "{told}"
    );
    assert!(told.contains("2 of 2 elements differ") && told.contains("recorded on"), "{told}");

    // The same by a checkpoint that is named.
    let other = folder.path("other.safetensors");
    Checkpoint::of(&session(&g, 3)).save(&other).unwrap();
    let package = Package::load(&path).unwrap().with_checkpoint(&other).unwrap();
    let packed = package.session(SessionOptions::new()).unwrap();
    assert!(matches!(package.check(&packed), Err(Error::Difference(_))));
}

#[test]
fn on_the_same_kind_of_processor_the_last_bit_counts() {
    let folder = Folder::new("bits");
    let path = folder.path("model");
    pack(&path, 1);
    change_sum(&path, |sum| f32::from_bits(sum.to_bits() ^ 1));
    let error = check(&path).unwrap_err();
    let Error::Difference(difference) = &error else { panic!("{error}") };
    assert_eq!((difference.case, &*difference.index, difference.differing), (1, &[1, 1][..], 1));
    assert!(error.to_string().contains("the bits must be the same on this kind of processor"));
}

#[test]
fn elsewhere_the_tolerance_counts() {
    let folder = Folder::new("elsewhere");
    let path = folder.path("model");
    pack(&path, 1);
    recorded_elsewhere(&path);
    change_sum(&path, |sum| sum * 1.000_05);
    let checked = check(&path).unwrap();
    assert_eq!(checked.within, Some(Tolerance::default()));
    change_sum(&path, |sum| sum * 1.01);
    let error = check(&path).unwrap_err().to_string();
    assert!(
        error.contains("case 1, output `sum`") && error.contains("by more than 1e-5 and 1e-4"),
        "{error}"
    );
    assert!(error.contains("recorded on x86-64-v9"), "{error}");
}

#[test]
fn nan_and_integers_are_recorded_too() {
    let folder = Folder::new("odd");
    let g = Graph::named("odd");
    let x = g.placeholder::<f32>("x", dims![3]);
    let n = g.placeholder::<i64>("n", dims![]);
    g.signature("predict")
        .input("x", x)
        .input("n", n)
        .output("log", x.log())
        .output("twice", n + n)
        .output("is", n.equal(3));
    let session = session(&g, 0);
    let inputs = vec![
        ("x".to_owned(), Value::from(ndarray::array![-1.0f32, 0.0, 1.0])),
        ("n".to_owned(), Value::from(3i64)),
    ];
    let case = Case::record(&session.signature("predict").unwrap(), inputs).unwrap();
    write(&folder.path("model"), &Packing::new("odd", &g, "predict").case(case)).unwrap();
    assert_eq!(check(&folder.path("model")).unwrap().elements, 5);
    recorded_elsewhere(&folder.path("model"));
    assert_eq!(check(&folder.path("model")).unwrap().elements, 5);
}

#[test]
fn a_case_that_cannot_be_run_is_told_by_its_number() {
    let folder = Folder::new("unrunnable");
    let g = Graph::named("pairs");
    let a = g.placeholder::<f32>("a", dims!["N"]);
    let b = g.placeholder::<f32>("b", dims!["N"]);
    g.signature("predict").input("a", a).input("b", b).output("sum", a + b);
    // Of sizes that do not go together, which only a run finds out.
    let named = |name: &str, size: usize| {
        (name.to_owned(), Value::from(ndarray::Array1::<f32>::zeros(size)))
    };
    let case = Case { inputs: vec![named("a", 2), named("b", 3)], outputs: vec![named("sum", 2)] };
    write(&folder.path("model"), &Packing::new("pairs", &g, "predict").case(case)).unwrap();
    let error = check(&folder.path("model")).unwrap_err();
    assert!(matches!(error, Error::Case { case: 0, .. }), "{error}");
    assert!(error.to_string().starts_with("golden case 0 cannot be run: "), "{error}");
}

#[test]
fn what_only_training_needs_may_miss_and_what_is_served_may_not() {
    let folder = Folder::new("missing");
    let path = folder.path("model");
    pack(&path, 1);
    assert!(check(&path).is_ok());
    let nothing: [(String, Array); 0] = [];
    Checkpoint::of_arrays(nothing).save(path.join("weights.safetensors")).unwrap();
    let error = check(&path).unwrap_err().to_string();
    assert!(error.contains("missing  `w` is not in the checkpoint"), "{error}");
    assert!(!error.contains("Momentum"), "{error}");
}

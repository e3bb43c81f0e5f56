//! Packages are written as a whole or not at all, and nothing is lost with them.

use abeyance_checkpoint::Checkpoint;
use abeyance_graph::{Graph, dims};
use abeyance_package::{Case, Error, Package, Packing, Processor, Tolerance, write, write_on};
use abeyance_session::{SessionOptions, Value};
use abeyance_storage::FaultyDisk;

use crate::support::{Folder, contents, network, numbers, pack, session};

#[test]
fn what_is_packed_is_what_is_loaded() {
    let folder = Folder::new("loaded");
    pack(&folder.path("model"), 7);
    let package = Package::load(&folder.path("model")).unwrap();
    assert_eq!((&*package.name, package.signature.as_deref()), ("sums", Some("predict")));
    assert_eq!(package.graph.to_text(), network().to_text());
    assert_eq!(package.cases.len(), 2);
    assert_eq!(package.processor, Some(Processor::this()));
    assert_eq!(package.tolerance, Tolerance::default());
    assert!(package.made_by.as_deref().unwrap().starts_with("abeyance "));

    let packed = package.session(SessionOptions::new().threads(1)).unwrap();
    let graph = network();
    let trained = session(&graph, 7);
    assert_eq!(packed.variable::<f32>("w").unwrap(), trained.variable::<f32>("w").unwrap());
    let checked = package.check(&packed).unwrap();
    // Rows of two sums and their largest.
    assert_eq!((checked.cases, checked.elements, checked.within), (2, 3 * 3, None));
}

#[test]
fn only_what_is_served_is_packed() {
    let folder = Folder::new("left-out");
    let g = network();
    let session = session(&g, 1);
    let checkpoint = Checkpoint::of(&session).note("batch", 100);
    let packing = Packing::new("sums", &g, "predict").checkpoint(&checkpoint);
    let written = write(&folder.path("model"), &packing).unwrap();
    assert_eq!(written.left_out, ["w/Momentum"]);
    let files: Vec<&str> = written.files.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, ["model.json", "graph.graph", "weights.safetensors"]);
    let packed = Checkpoint::load(folder.path("model/weights.safetensors")).unwrap();
    assert_eq!(packed.variables().map(|(name, _)| name).collect::<Vec<_>>(), ["w"]);
    assert_eq!((packed.noted("batch"), packed.seed()), (Some("100"), 1));
    // Without a variable there are no weights.
    let g = Graph::named("double");
    let x = g.placeholder::<f32>("x", dims![_]);
    g.signature("predict").input("x", x).output("y", x + x);
    let written = write(&folder.path("double"), &Packing::new("double", &g, "predict")).unwrap();
    assert_eq!(written.files.len(), 2);
    let package = Package::load(&folder.path("double")).unwrap();
    let session = package.session(SessionOptions::new()).unwrap();
    assert_eq!(package.check(&session).unwrap().cases, 0);
}

#[test]
fn a_package_is_replaced_as_a_whole() {
    let folder = Folder::new("replaced");
    let path = folder.path("model");
    pack(&path, 1);
    let old = contents(&path).unwrap();
    let g = network();
    let session = session(&g, 2);
    let checkpoint = Checkpoint::of(&session);
    let packing = Packing::new("other", &g, "predict").checkpoint(&checkpoint);
    let mut news = 0;
    for call in 0.. {
        std::fs::remove_dir_all(&path).unwrap();
        pack(&path, 1);
        let storage = FaultyDisk::at(call);
        let written = write_on(&storage, &path, &packing);
        let found = contents(&path).unwrap();
        if !storage.has_failed() {
            written.unwrap();
            // Without cases there is none of the old ones left.
            let names: Vec<&str> = found.keys().map(|name| &**name).collect();
            assert_eq!(names, ["graph.graph", "model.json", "weights.safetensors"]);
            assert_eq!(folder.names(), ["model"]);
            break;
        }
        let error = written.unwrap_err().to_string();
        assert!(error.contains(FaultyDisk::MESSAGE) && error.contains("model"), "{error}");
        if found == old {
            assert_eq!(folder.names(), ["model"], "call {call}");
        } else {
            news += 1;
            assert_eq!(Package::load(&path).unwrap().name, "other", "call {call}");
        }
        for name in folder.names().into_iter().filter(|name| name != "model") {
            std::fs::remove_dir_all(folder.path(&name)).unwrap();
        }
    }
    // The sync of the folder around, and the removal of what was there.
    assert_eq!(news, 2);
}

#[test]
fn what_is_no_package_is_not_written_over() {
    let folder = Folder::new("protected");
    let g = network();
    let session = session(&g, 1);
    let checkpoint = Checkpoint::of(&session);
    let packing = Packing::new("sums", &g, "predict").checkpoint(&checkpoint);
    let refused = |path: &str| write(&folder.path(path), &packing).unwrap_err().to_string();

    std::fs::create_dir(folder.path("photos")).unwrap();
    std::fs::write(folder.path("photos/a.jpg"), "a").unwrap();
    assert!(refused("photos").contains("it is no package, and is not written over"));
    std::fs::write(folder.path("file"), "a").unwrap();
    assert!(refused("file").starts_with("cannot write `"));
    pack(&folder.path("model"), 1);
    std::fs::write(folder.path("model/notes.txt"), "mine").unwrap();
    let error = refused("model");
    assert!(error.contains("`notes.txt` in it") && error.contains("move it away"), "{error}");
    assert!(folder.path("model/notes.txt").exists());
    // An empty folder is as good as none.
    std::fs::create_dir(folder.path("empty")).unwrap();
    write(&folder.path("empty"), &packing).unwrap();
    assert!(Package::load(&folder.path("empty")).is_ok());
}

#[test]
fn what_does_not_go_together_is_not_packed() {
    let folder = Folder::new("refused");
    let path = folder.path("model");
    let g = network();
    let checkpoint = Checkpoint::of(&session(&g, 1));
    let refused = |packing: &Packing<'_>| write(&path, packing).unwrap_err().to_string();
    let packing = |signature| Packing::new("sums", &g, signature).checkpoint(&checkpoint);

    let error = refused(&packing("train"));
    assert!(error.contains("signature `train` writes the variable `w/Momentum`"), "{error}");
    assert!(error.contains("those that write nothing are `predict`, `noisy`"), "{error}");
    let error = refused(&packing("predikt"));
    assert!(error.contains("no signature `predikt`") && error.contains("`predict`"), "{error}");
    let error = refused(&Packing::new("sums", &g, "predict"));
    assert!(error.contains("has variables, `w` among them"), "{error}");
    for name in ["", "a/b", "..", "-x", "a b", "é", &"a".repeat(129)] {
        let error = refused(&Packing::new(name, &g, "predict").checkpoint(&checkpoint));
        assert!(error.contains("cannot be the name of a model"), "{name}: {error}");
    }
    let lacking = checkpoint.only(|name| name != "w");
    let error = refused(&Packing::new("sums", &g, "predict").checkpoint(&lacking));
    assert!(error.contains("no value for the variable `w`"), "{error}");
    let odd = Value::from(ndarray::array![[1.0f32]]).to_array();
    let odd = Checkpoint::of_arrays([("w".to_owned(), odd)]);
    let error = refused(&Packing::new("sums", &g, "predict").checkpoint(&odd));
    assert!(
        error.contains("`w` of graph `sums` is f32[3, 2], and the checkpoint has f32[1, 1]"),
        "{error}"
    );
    let case = Case {
        inputs: vec![("numbers".to_owned(), numbers(1))],
        outputs: vec![("sum".to_owned(), numbers(1))],
    };
    let error = refused(&packing("predict").case(case));
    assert!(
        error.contains("golden case 0, output `sum`") && error.contains("f32[1, 3]"),
        "{error}"
    );
    let vacuous = Tolerance { relative: f64::NAN, absolute: 0.0 };
    assert!(refused(&packing("predict").tolerance(vacuous)).contains("relative tolerance is NaN"));
    assert!(!path.exists());
}

#[test]
fn what_is_drawn_anew_in_each_run_cannot_be_recorded() {
    let g = network();
    let session = session(&g, 1);
    let run = session.signature("noisy").unwrap();
    let inputs = vec![("numbers".to_owned(), numbers(20))];
    let error = Case::record(&run, inputs).unwrap_err();
    assert!(matches!(error, Error::Request { .. }));
    assert!(
        error.to_string().contains("the output `sum` of signature `noisy` is another in each run")
    );
}

#[test]
fn a_model_of_onnx_is_packed_with_its_weights() {
    let folder = Folder::new("onnx");
    let g = network();
    let trained = session(&g, 3);
    let checkpoint = Checkpoint::of(&trained);
    let value = |name: &str| checkpoint.variable(name).cloned();
    let bytes = abeyance_onnx::export(&g, "predict", &value).unwrap();
    let model = abeyance_onnx::import(&bytes).unwrap();
    let imported = session(&model, 0);
    let case = Case::record(
        &imported.signature("predict").unwrap(),
        vec![("numbers".to_owned(), numbers(2))],
    );
    let packing = Packing::new("sums", &model, "predict").onnx(&bytes).case(case.unwrap());
    write(&folder.path("model"), &packing).unwrap();
    let package = Package::load(&folder.path("model")).unwrap();
    assert!(package.is_onnx && !package.is_untrained());
    assert_eq!(std::fs::read(&package.source).unwrap(), bytes);
    let packed = package.session(SessionOptions::new()).unwrap();
    assert_eq!(package.check(&packed).unwrap().elements, 6);
}

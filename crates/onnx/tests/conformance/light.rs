//! Whole networks: those that the Python package has with weights of little size, against
//! onnxruntime on the same inputs.

use std::path::Path;

use abeyance_ir::{Array, DType};
use abeyance_session::{Session, Value};

use crate::runtime::{self, Run};

/// Numbers between -1 and 1, the same in every run.
fn input(dims: &[usize]) -> Array {
    let count: usize = dims.iter().product();
    let elements: Vec<f32> =
        (0..count).map(|place| ((place * 7919 + 13) % 1009) as f32 / 504.0 - 1.0).collect();
    Array::new(DType::F32, dims, &elements)
}

/// Imports and runs a model.
///
/// # Errors
/// It cannot be imported or run.
fn run(path: &Path) -> Result<Run, String> {
    let model = std::fs::read(path).map_err(|error| error.to_string())?;
    let graph = abeyance_onnx::import(&model).map_err(|error| error.to_string())?;
    let session = Session::new(&graph).map_err(|error| error.to_string())?;
    let signature = session.signature("predict").map_err(|error| error.to_string())?;
    let ports = signature.signature().inputs.clone();
    let mut inputs = Vec::new();
    for (name, node) in &ports {
        let shape = graph.ir().shape(*node).unwrap_or_default();
        let dims: Vec<usize> = shape.iter().map(|dim| dim.known().unwrap_or(1)).collect();
        inputs.push((name.to_string(), input(&dims)));
    }
    let values: Vec<Value> = inputs.iter().map(|(_, array)| array.into()).collect();
    let feeds: Result<Vec<_>, _> = inputs
        .iter()
        .zip(&values)
        .map(|((name, _), value)| signature.feed_value(name, value))
        .collect();
    let wanted = feeds.and_then(|feeds| signature.run(feeds)).map_err(|error| error.to_string())?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Run { name, model, inputs, wanted })
}

#[test]
fn whole_networks_give_what_onnxruntime_gives() {
    let light = crate::folder::node_tests().and_then(|node| Some(node.parent()?.join("light")));
    let Some(light) = light.filter(|light| light.is_dir()) else {
        eprintln!("SKIPPED: whole networks, as the Python package onnx==1.22.0 is not there");
        return;
    };
    if !runtime::is_there() {
        return;
    }
    let mut paths: Vec<_> = std::fs::read_dir(light)
        .expect("the networks")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 9);
    let runs: Vec<Run> = paths
        .iter()
        .map(|path| run(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect();
    let faults = runtime::faults(&runs, 1e-4);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

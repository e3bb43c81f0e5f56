//! A node test: a model, inputs and the outputs that belong to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use abeyance_graph::Graph;
use abeyance_ir::{Array, DType};
use abeyance_onnx::{ExportError, ImportError, Importer, ProblemKind};
use abeyance_session::{Session, Value};
use prost::Message;

use crate::proto::tensor_proto::DataType;
use crate::proto::type_proto::Value as TypeValue;
use crate::proto::{ModelProto, ValueInfoProto};

/// How far values may be apart: `|x - y| <= ABSOLUTE + RELATIVE |y|`, as ONNX's own runner has it.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// Beginnings of the names of cases whose outputs come from ONNX's own random numbers.
const RANDOM: [&str; 2] = ["test_bernoulli", "test_training_dropout"];

/// Those of them whose probability leaves nothing to chance.
const CERTAIN: &str = "zero_ratio";

pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub model: Vec<u8>,
    proto: ModelProto,
}

#[derive(Debug)]
pub enum Verdict {
    Passed,
    /// The reason why it is not run.
    LeftOut(String),
    /// The differences.
    Failed(String),
}

impl Case {
    /// The cases of a folder, by name.
    pub fn all(folder: &Path) -> Vec<Case> {
        let mut cases: Vec<Case> = fs::read_dir(folder)
            .expect("a folder of tests")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.join("model.onnx").is_file())
            .map(|folder| {
                let model = fs::read(folder.join("model.onnx")).expect("a model");
                let proto = ModelProto::decode(&model[..]).expect("a model");
                let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
                Case { name, folder, model, proto }
            })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    /// The operator that is tested; models of several nodes are those that ONNX expands operators
    /// to.
    pub fn operator(&self) -> String {
        let graph = self.proto.graph.as_ref().expect("a graph");
        match &graph.node[..] {
            [only] if matches!(only.domain(), "" | "ai.onnx") => only.op_type().to_owned(),
            [only] => format!("{}.{}", only.domain(), only.op_type()),
            _ => "(several nodes)".to_owned(),
        }
    }

    fn ports(&self) -> (&[ValueInfoProto], &[ValueInfoProto]) {
        let graph = self.proto.graph.as_ref().expect("a graph");
        (&graph.input, &graph.output)
    }

    /// True if all inputs and outputs are of element types that the engine has, u8 and f64 among
    /// them.
    pub fn is_plain(&self) -> bool {
        let (inputs, outputs) = self.ports();
        inputs.iter().chain(outputs).all(|port| {
            let ty = port.r#type.as_ref().and_then(|ty| ty.value.as_ref());
            let Some(TypeValue::TensorType(tensor)) = ty else {
                return false;
            };
            matches!(
                DataType::try_from(tensor.elem_type()),
                Ok(DataType::Float
                    | DataType::Int32
                    | DataType::Int64
                    | DataType::Bool
                    | DataType::Double
                    | DataType::Uint8)
            )
        })
    }

    fn arrays(&self, set: &Path, kind: &str, count: usize) -> Result<Vec<Array>, String> {
        let read = |index| {
            let bytes =
                fs::read(set.join(format!("{kind}_{index}.pb"))).map_err(|e| e.to_string())?;
            abeyance_onnx::tensor(&bytes).map_err(|reason| reason.to_string())
        };
        (0..count).map(read).collect()
    }

    pub fn run(&self) -> Verdict {
        let random = RANDOM.iter().any(|random| self.name.starts_with(random));
        if random && !self.name.contains(CERTAIN) {
            return Verdict::LeftOut("draws ONNX's own random numbers".to_owned());
        }
        let mut sets = 0;
        loop {
            let set = self.folder.join(format!("test_data_set_{sets}"));
            if !set.is_dir() {
                break;
            }
            match self.run_set(&set) {
                Verdict::Passed => sets += 1,
                other => return other,
            }
        }
        match sets {
            0 => Verdict::LeftOut("has no data".to_owned()),
            _ => Verdict::Passed,
        }
    }

    fn run_set(&self, set: &Path) -> Verdict {
        let (inputs, outputs) = self.ports();
        let fed = match self.arrays(set, "input", inputs.len()) {
            Ok(fed) => fed,
            Err(error) => return Verdict::Failed(error),
        };
        let wanted = match self.arrays(set, "output", outputs.len()) {
            Ok(wanted) => wanted,
            Err(error) => return Verdict::Failed(error),
        };
        // Inputs whose values a graph needs while it is built are told, the others are fed.
        let mut told: Vec<usize> = Vec::new();
        let graph = loop {
            let importer = told.iter().fold(Importer::new(), |importer, &index| {
                importer.value(inputs[index].name(), fed[index].clone())
            });
            match importer.import(&self.model) {
                Ok(graph) => break graph,
                Err(error) => {
                    let before = told.len();
                    for name in needed(&error) {
                        let index = inputs.iter().position(|input| input.name() == name);
                        told.extend(index.filter(|index| !told.contains(index)));
                    }
                    if told.len() == before {
                        return match &error {
                            ImportError::Refused(refusals)
                                if refusals
                                    .iter()
                                    .all(|r| !matches!(r.reason, ProblemKind::Wrong(_))) =>
                            {
                                let reasons: Vec<String> = refusals
                                    .iter()
                                    .map(|refusal| match &refusal.reason {
                                        ProblemKind::NoCounterpart => format!(
                                            "{} has no counterpart",
                                            refusal.operator.as_deref().unwrap_or_default()
                                        ),
                                        ProblemKind::NeedsValue(_) => {
                                            "a value that is computed has to be known".to_owned()
                                        }
                                        reason => reason.to_string(),
                                    })
                                    .collect::<std::collections::BTreeSet<_>>()
                                    .into_iter()
                                    .collect();
                                Verdict::LeftOut(reasons.join(", "))
                            }
                            ImportError::Opset { .. } => Verdict::LeftOut(error.to_string()),
                            _ => Verdict::Failed(error.to_string()),
                        };
                    }
                }
            }
        };
        let session = match Session::new(&graph) {
            Ok(session) => session,
            Err(error) => return Verdict::Failed(error.to_string()),
        };
        let signature = session.signature("predict").expect("the signature of an import");
        let values: Vec<Value> = fed.iter().map(Value::from).collect();
        let names = signature.signature().inputs.iter().map(|(name, _)| name.to_string());
        let free = (0..inputs.len()).filter(|index| !told.contains(index));
        let feeds: Result<Vec<_>, _> = names
            .zip(free)
            .map(|(name, index)| signature.feed_value(&name, &values[index]))
            .collect();
        let results = match feeds.and_then(|feeds| signature.run(feeds)) {
            Ok(results) => results,
            Err(error) => return Verdict::Failed(error.to_string()),
        };
        for (index, (got, wanted)) in results.iter().zip(&wanted).enumerate() {
            if let Err(difference) = same(got, &Value::from(wanted)) {
                return Verdict::Failed(format!("output {index}: {difference}"));
            }
        }
        if let Err(difference) = exported_again(&graph, &fed, &told, &results) {
            return Verdict::Failed(format!("exported and imported again: {difference}"));
        }
        if results.len() == wanted.len() {
            Verdict::Passed
        } else {
            Verdict::Failed(format!("{} outputs, not {}", results.len(), wanted.len()))
        }
    }
}

/// Exports an import and imports that: the same values have to come out.
///
/// # Errors
/// Others do. That a graph has parts that cannot be exported is none.
fn exported_again(
    graph: &Graph,
    fed: &[Array],
    told: &[usize],
    wanted: &[Value],
) -> Result<(), String> {
    let model = match abeyance_onnx::export(graph, "predict", &|_| None) {
        Ok(model) => model,
        Err(ExportError::Refused(_)) => return Ok(()),
        Err(other) => return Err(other.to_string()),
    };
    let again = abeyance_onnx::import(&model).map_err(|error| error.to_string())?;
    let session = Session::new(&again).map_err(|error| error.to_string())?;
    let signature = session.signature("predict").map_err(|error| error.to_string())?;
    let free = (0..fed.len()).filter(|index| !told.contains(index));
    let values: Vec<Value> = free.map(|index| Value::from(&fed[index])).collect();
    let ports = signature.signature().inputs.clone();
    let feeds: Result<Vec<_>, _> = ports
        .iter()
        .zip(&values)
        .map(|((name, _), value)| signature.feed_value(name, value))
        .collect();
    let results =
        feeds.and_then(|feeds| signature.run(feeds)).map_err(|error| error.to_string())?;
    EXPORTED.fetch_add(1, Ordering::Relaxed);
    results.iter().zip(wanted).try_for_each(|(got, wanted)| same(got, wanted))
}

/// How many data sets went through an export too.
pub static EXPORTED: AtomicUsize = AtomicUsize::new(0);

/// The inputs whose values an import asks for.
fn needed(error: &ImportError) -> Vec<String> {
    let ImportError::Refused(refusals) = error else {
        return Vec::new();
    };
    let named = refusals.iter().filter_map(|refusal| match &refusal.reason {
        ProblemKind::NeedsValue(name) => Some(name.clone()),
        _ => None,
    });
    named.collect()
}

fn same(got: &Value, wanted: &Value) -> Result<(), String> {
    if got.dtype() != wanted.dtype() || got.shape() != wanted.shape() {
        return Err(format!(
            "{}{:?} and not {}{:?}",
            got.dtype(),
            got.shape(),
            wanted.dtype(),
            wanted.shape()
        ));
    }
    let exact = !matches!(wanted.dtype(), DType::F32 | DType::F64);
    for (place, (x, y)) in got.to_f64().into_iter().zip(wanted.to_f64()).enumerate() {
        let near = (x - y).abs() <= ABSOLUTE + RELATIVE * y.abs();
        if !(x == y || x.is_nan() && y.is_nan() || !exact && near) {
            return Err(format!("{x} and not {y} at {place}"));
        }
    }
    Ok(())
}

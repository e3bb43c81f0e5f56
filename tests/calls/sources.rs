//! Which public functions there are: read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Functions without a row, and why.
pub const APART: &[(&str, &str)] = &[
    ("Tensor::graph", "builds nothing"),
    ("Tensor::id", "builds nothing"),
    ("Tensor::erase", "builds nothing"),
    ("Tensor::name", "builds nothing"),
    ("Tensor::named", "gives a name; one that is none or taken is told as that name"),
    ("Tensor::shape", "builds nothing"),
    ("Tensor::rank", "builds nothing"),
    ("Scalar::tensor", "builds nothing"),
    ("Scalar::named", "as Tensor::named"),
    ("Tensor::elementwise", "tells of the operator that it is given"),
    ("AnyTensor::graph", "builds nothing"),
    ("AnyTensor::expr", "builds nothing"),
    ("AnyTensor::id", "builds nothing"),
    ("AnyTensor::name", "builds nothing"),
    ("AnyTensor::dtype", "builds nothing"),
    ("AnyTensor::typed", "builds nothing"),
    ("Operation::name", "builds nothing"),
    ("Operation::named", "as Tensor::named"),
    ("Graph::new", "builds nothing"),
    ("Graph::named", "builds nothing"),
    ("Graph::from_ir", "builds nothing"),
    ("Graph::parse", "tells of lines of a text"),
    ("Graph::parse_with_operators", "tells of lines of a text"),
    ("Graph::name", "builds nothing"),
    ("Graph::seed", "builds nothing"),
    ("Graph::set_seed", "builds nothing"),
    ("Graph::ir", "builds nothing"),
    ("Graph::check", "builds nothing"),
    ("Graph::warnings", "builds nothing"),
    ("Graph::to_dot", "builds nothing"),
    ("Graph::to_text", "builds nothing"),
    ("Graph::scope", "gives names; one that is none is told as that name"),
    ("Graph::tensor", "gives its error back"),
    ("Graph::operation", "gives its error back"),
    ("Graph::within", "tells of what the closure calls, with its lines"),
    ("Graph::free_name", "builds nothing"),
    ("Graph::save", "gives its error back"),
    ("Graph::save_on", "gives its error back"),
    ("Graph::save_text", "gives its error back"),
    ("Graph::load", "gives its error back"),
    ("Graph::load_with_operators", "gives its error back"),
    ("Graph::from_bytes", "gives its error back"),
    ("Graph::from_bytes_with_operators", "gives its error back"),
    ("Graph::summaries", "builds nothing: its methods do"),
    ("Graph::signature", "begins a signature, which tells of itself by its name"),
    ("trainable_variables", "builds nothing"),
];

/// Rows of overloaded operators of Rust, which are no functions of these names.
pub const OVERLOADED: &[&str] =
    &["add", "sub", "mul", "div", "neg", "logical_not", "logical_and", "logical_or", "logical_xor"];

/// The types whose methods build.
const TYPES: &[&str] = &[
    "Tensor",
    "Scalar",
    "AnyTensor",
    "Operation",
    "Graph",
    "Dense",
    "Conv2d",
    "BatchNorm",
    "ExponentialMovingAverage",
    "Averages",
    "Candidates",
    "Optimizer",
    "Summaries",
];

/// Those of whose methods only some build: the others choose settings.
const SETTINGS: &[(&str, &[&str])] = &[
    ("Dense", &["apply"]),
    ("Conv2d", &["apply"]),
    ("BatchNorm", &["apply"]),
    ("ExponentialMovingAverage", &["apply", "apply_after"]),
    ("Averages", &["average", "swap"]),
    (
        "Optimizer",
        &[
            "minimize",
            "minimize_counting",
            "compute_gradients",
            "compute_gradients_of",
            "apply_gradients",
            "apply_gradients_counting",
        ],
    ),
];

/// `Tensor::exp`, `dense`, ..., as they stand in the sources.
pub fn public_functions() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = Vec::new();
    for krate in ["graph", "layers", "train", "session"] {
        for file in files(&root.join(krate).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            // Free functions of operators' files append to untyped graphs, for authors of
            // operators.
            let has_free = match krate {
                "session" => file.ends_with("differentiate.rs") || file.ends_with("jacobian.rs"),
                "layers" | "train" => true,
                _ => false,
            };
            read(&text, has_free, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list.extend(files(&path)) } else { list.push(path) }
    }
    list
}

fn read(text: &str, has_free: bool, found: &mut Vec<String>) {
    let mut of: Option<&str> = None;
    for line in text.lines() {
        if line.starts_with('}') {
            of = None;
        } else if line.starts_with("impl") || line.starts_with("pub trait Optimizer") {
            of = TYPES.iter().copied().find(|ty| line.split(' ').any(|word| is_type(word, ty)));
        }
        let (function, is_method) = match (line.strip_prefix("    pub "), of) {
            (Some(rest), Some(_)) => (rest, true),
            (None, Some("Optimizer")) => (line.strip_prefix("    ").unwrap_or(""), true),
            _ => (line.strip_prefix("pub ").unwrap_or(""), false),
        };
        let function = function.strip_prefix("const ").unwrap_or(function);
        let Some(rest) = function.strip_prefix("fn ") else {
            continue;
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        match (is_method, of) {
            (true, Some(of)) => {
                let some = SETTINGS.iter().find(|(ty, _)| *ty == of);
                if some.is_none_or(|(_, builds)| builds.contains(&name.as_str())) {
                    found.push(format!("{of}::{name}"));
                }
            }
            (false, _) if has_free && name != "differentiate" => found.push(name),
            _ => {}
        }
    }
}

fn is_type(word: &str, ty: &str) -> bool {
    word.strip_prefix(ty).is_some_and(|rest| rest.is_empty() || rest.starts_with('<'))
}

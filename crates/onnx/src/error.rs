//! The errors of import and export, each with all its problems.

use std::fmt;

/// A model could not be imported.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are not an ONNX model, for this reason.
    #[error("not an ONNX model: {0}")]
    NotAModel(String),
    /// The model is of a set of operators that is not read.
    #[error("the model is of opset {found}, and opsets {oldest} to {newest} are read")]
    Opset {
        /// The opset of the model.
        found: i64,
        /// The oldest opset that is read.
        oldest: i64,
        /// The newest opset that is read.
        newest: i64,
    },
    /// Parts of the model have no counterpart or are wrong.
    #[error("the model cannot be imported:{}", Listed(.0))]
    Refused(Vec<ImportProblem>),
}

/// Prints the message, which `unwrap` and a `main` that returns this error show.
impl fmt::Debug for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A part of a model that cannot be imported, and the places where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportProblem {
    /// The operator, with its domain unless that is ONNX's own; `None` for what is about no
    /// operator.
    pub operator: Option<String>,
    /// The nodes, inputs or initializers, by name; a node without a name goes by that of its first
    /// result.
    pub places: Vec<String>,
    /// The reason.
    pub reason: ProblemKind,
}

/// The reason why a part of a model cannot be imported.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The operator has no counterpart.
    NoCounterpart,
    /// The operator is used in a way that has no counterpart.
    Unsupported(String),
    /// The values of this input, which is fed, have to be known: give them to
    /// [`Importer::value`](crate::Importer::value).
    NeedsValue(String),
    /// The model is wrong.
    Wrong(String),
    /// The values are in a file beside the model.
    External(String),
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProblemKind::NoCounterpart => f.write_str("has no counterpart here"),
            ProblemKind::Unsupported(what) => f.write_str(what),
            ProblemKind::NeedsValue(input) => write!(
                f,
                "the values of the input `{input}` have to be known when the model is imported"
            ),
            ProblemKind::Wrong(what) => f.write_str(what),
            ProblemKind::External(file) => write!(
                f,
                "the values are in the file {file:?} beside the model, which is not read: save the model with its values inside"
            ),
        }
    }
}

impl fmt::Display for ImportProblem {
    /// `Resize (2 times: /up1/Resize, /up2/Resize): has no counterpart here`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        let names: Vec<&str> = self.places.iter().take(SHOWN).map(String::as_str).collect();
        let names = names.join(", ");
        let more = if self.places.len() > SHOWN { ", ..." } else { "" };
        match (&self.operator, self.places.len()) {
            (Some(operator), 0) => write!(f, "{operator}: ")?,
            (Some(operator), 1) => write!(f, "{operator} ({names}): ")?,
            (Some(operator), count) => write!(f, "{operator} ({count} times: {names}{more}): ")?,
            (None, 0) => {}
            (None, _) => write!(f, "{names}{more}: ")?,
        }
        write!(f, "{}", self.reason)
    }
}

/// A graph could not be exported.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The graph has no signature of that name.
    #[error("the graph has no signature `{name}`{}", OtherSignatures(.known))]
    NoSignature {
        /// The name that was asked for.
        name: String,
        /// The names of all signatures.
        known: Vec<String>,
    },
    /// Parts of the graph have no counterpart in ONNX.
    #[error("the graph cannot be exported:{}", Listed(.0))]
    Refused(Vec<ExportProblem>),
}

/// Prints the message, which `unwrap` and a `main` that returns this error show.
impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An operator that cannot be exported, and its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportProblem {
    /// The operator.
    pub operator: String,
    /// The nodes, by name.
    pub nodes: Vec<String>,
    /// A sentence that says why.
    pub reason: String,
}

impl fmt::Display for ExportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        let names: Vec<&str> = self.nodes.iter().take(SHOWN).map(String::as_str).collect();
        let more = if self.nodes.len() > SHOWN { ", ..." } else { "" };
        let times = match self.nodes.len() {
            0 | 1 => String::new(),
            count => format!("{count} times: "),
        };
        write!(f, "{} ({times}{}{more}): {}", self.operator, names.join(", "), self.reason)
    }
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|each| write!(f, "\n  {each}"))
    }
}

struct OtherSignatures<'a>(&'a [String]);

impl fmt::Display for OtherSignatures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str(" and no other"),
            known => write!(f, ", only `{}`", known.join("`, `")),
        }
    }
}

//! What stands in the way of an import or export: everything that does, together.

use std::fmt;

/// Why bytes did not become a graph.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are not an ONNX model: how they are not.
    #[error("not an ONNX model: {0}")]
    NotAModel(String),
    /// The model is of a set of operators that is not read.
    #[error("the model is of opset {found}, and opsets {oldest} to {newest} are read")]
    Opset {
        /// What the model says.
        found: i64,
        /// The oldest that is read.
        oldest: i64,
        /// The newest that is read.
        newest: i64,
    },
    /// Parts of the model have no counterpart or are wrong.
    #[error("the model cannot be imported:{}", Listed(.0))]
    Refused(Vec<Refusal>),
}

/// The message: what `unwrap` and a `main` that returns this error show is for reading too.
impl fmt::Debug for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One thing that cannot be imported, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The operator, with its domain unless that is ONNX's own; `None` for what is about no
    /// operator.
    pub operator: Option<String>,
    /// Which nodes, inputs or initializers it is about, by name; a node without a name is called by
    /// its first result.
    pub places: Vec<String>,
    /// Why.
    pub reason: Reason,
}

/// Why something cannot be imported.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The operator has no counterpart.
    NoCounterpart,
    /// It is used in a way that has none.
    Unsupported(String),
    /// The values of this input, which is fed, have to be known: give them to
    /// [`Importer::value`](crate::Importer::value).
    NeedsValue(String),
    /// The model is wrong.
    Wrong(String),
    /// The values are in a file beside the model.
    External(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoCounterpart => f.write_str("has no counterpart here"),
            Reason::Unsupported(what) => f.write_str(what),
            Reason::NeedsValue(input) => write!(
                f,
                "the values of the input `{input}` have to be known when the model is imported"
            ),
            Reason::Wrong(what) => f.write_str(what),
            Reason::External(file) => write!(
                f,
                "the values are in the file {file:?} beside the model, which is not read: save the model with its values inside"
            ),
        }
    }
}

impl fmt::Display for Refusal {
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

/// Why a graph did not become a model.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The graph has no signature of that name.
    #[error("the graph has no signature `{name}`{}", Known(.known))]
    NoSignature {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Parts of the graph cannot be said in ONNX.
    #[error("the graph cannot be exported:{}", Listed(.0))]
    Refused(Vec<Obstacle>),
}

/// The message, as for an import.
impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One thing that cannot be exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// The operator.
    pub operator: String,
    /// The nodes, by name.
    pub nodes: Vec<String>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Obstacle {
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

struct Known<'a>(&'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str(" and no other"),
            known => write!(f, ", only `{}`", known.join("`, `")),
        }
    }
}

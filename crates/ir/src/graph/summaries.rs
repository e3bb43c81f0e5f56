//! Summaries of a graph: how they are found, and what is checked when one is added.

use crate::summary::{Summary, SummaryKind};
use crate::{DType, Diagnostic, Dim, Location, NodeId, Note, TensorType, Type, shorten};

use super::Graph;

/// The prefix of tags of what a recording holds besides summaries.
const RESERVED: &str = "abeyance/";

impl Graph {
    /// The summaries, in the order in which they were made.
    pub fn summaries(&self) -> &[Summary] {
        self.summaries.list()
    }

    /// The summary of that tag.
    pub fn find_summary(&self, tag: &str) -> Option<&Summary> {
        self.summaries().iter().find(|summary| *summary.tag == *tag)
    }

    /// Adds a summary.
    ///
    /// # Errors
    /// Reported with the graph's mistakes, and the summary is left out: a tag that is empty, taken
    /// or begins with `abeyance/`; a summary of a body; tensors that this kind cannot show:
    ///
    /// - a scalar is one number, of any element type but `bool`;
    /// - a histogram is of one or more tensors of any shapes and element types but `bool`, each
    ///   once;
    /// - an image is one tensor `[N, H, W, C]` of 1 (grey), 3 (colours) or 4 channels (and how
    ///   opaque), of `u8`, or of `f32` from 0 to 1.
    pub fn add_summary(&mut self, kind: SummaryKind, tag: &str, nodes: Vec<NodeId>) {
        match self.check_summary(kind, tag, &nodes) {
            Ok(()) => {
                self.summaries.push(Summary { kind, tag: tag.into(), nodes });
            }
            Err(Some(diagnostic)) => {
                let location = self.context().location;
                self.report_call(Diagnostic { location, ..*diagnostic });
            }
            Err(None) => {}
        }
    }

    /// Checks that a summary can be added.
    ///
    /// # Errors
    /// The mistake; none where that has been reported.
    fn check_summary(
        &self,
        kind: SummaryKind,
        tag: &str,
        nodes: &[NodeId],
    ) -> Result<(), Option<Box<Diagnostic>>> {
        self.check_tag(kind, tag)?;
        let shown = shorten::name(tag);
        if nodes.is_empty() || kind != SummaryKind::Histogram && nodes.len() > 1 {
            return Err(mistake(
                format!("the {kind} summary `{shown}` is of {} tensors", nodes.len()),
                match kind {
                    SummaryKind::Histogram => "it is of one or more",
                    _ => "it is of one",
                },
            ));
        }
        for &node in nodes {
            self.check_summarized(kind, &shown, node)?;
        }
        let mut sorted = nodes.to_vec();
        sorted.sort_unstable();
        let twice = sorted.iter().zip(sorted.iter().skip(1)).find(|(node, next)| node == next);
        match twice {
            Some((&node, _)) => Err(mistake(
                format!(
                    "the {kind} summary `{shown}` counts `{}` twice",
                    shorten::name(&self.node(node).name)
                ),
                "name each tensor once",
            )),
            None => Ok(()),
        }
    }

    /// Checks that a summary of this graph can have a tag.
    fn check_tag(&self, kind: SummaryKind, tag: &str) -> Result<(), Option<Box<Diagnostic>>> {
        let shown = shorten::name(tag);
        if tag.is_empty() {
            return Err(mistake(
                format!("a {kind} summary without a tag"),
                "its tag is any text but the empty one, such as `loss` or `layer1/w`",
            ));
        }
        if tag.starts_with(RESERVED) {
            return Err(mistake(
                format!("the tag `{shown}` begins with `{RESERVED}`, which is kept for recordings"),
                "call the summary something else",
            ));
        }
        if self.depth() > 0 {
            return Err(mistake(
                format!(
                    "the summary `{shown}` stands in the body `{}`",
                    shorten::name(self.name())
                ),
                "let the body give the tensor, and make the summary outside of what the branch or loop gives",
            ));
        }
        if self.summaries.has(tag) {
            let mut diagnostic = mistake(
                format!("there is a summary `{shown}` already"),
                "a tag stands once in a graph, whatever the kind of summary",
            );
            let first = self.find_summary(tag).and_then(|first| first.nodes.first().copied());
            if let (Some(first), Some(diagnostic)) = (first, diagnostic.as_mut()) {
                diagnostic.notes.push(self.note_of(first));
            }
            return Err(diagnostic);
        }
        Ok(())
    }

    /// Checks that a tensor can be shown by a summary of this kind.
    ///
    /// # Errors
    /// The mistake; none where that has been reported.
    fn check_summarized(
        &self,
        kind: SummaryKind,
        tag: &str,
        node: NodeId,
    ) -> Result<(), Option<Box<Diagnostic>>> {
        let Some(found) = self.get(node) else {
            return Err(mistake(
                format!("the {kind} summary `{tag}` is of no node of this graph"),
                "make it of a tensor of the same graph",
            ));
        };
        let (fault, help) = match &found.ty {
            Type::Invalid => return Err(None),
            Type::Operation => ("has no value", "make it of a tensor".to_owned()),
            Type::Tuple(_) => ("has several results", "take one of them with `item`".to_owned()),
            Type::Tensor(tensor) => match self.check_shown(kind, tensor) {
                None => return Ok(()),
                Some(fault) => fault,
            },
        };
        let message =
            format!("the {kind} summary `{tag}` is of `{}`, which {fault}", self.describe(node));
        let mut diagnostic = mistake(message, help);
        if let Some(diagnostic) = diagnostic.as_mut() {
            diagnostic.node = Some(shorten::name(&found.name).into());
            diagnostic.notes.push(self.note_of(node));
        }
        Err(diagnostic)
    }

    /// The reason why a tensor cannot be shown so, and the way to mend it; none if it can.
    fn check_shown(
        &self,
        kind: SummaryKind,
        tensor: &TensorType,
    ) -> Option<(&'static str, String)> {
        let shape = self.resolve(&tensor.shape);
        match kind {
            SummaryKind::Scalar | SummaryKind::Histogram if tensor.dtype == DType::Bool => {
                Some(("holds truth values", "make them numbers first: `.cast::<f32>()`".to_owned()))
            }
            SummaryKind::Scalar if !shape.is_empty() => Some((
                "is not one number",
                "reduce it first, as with `.reduce_mean(..)`, or make it a histogram".to_owned(),
            )),
            SummaryKind::Scalar | SummaryKind::Histogram => None,
            SummaryKind::Image => {
                const SHAPE: &str = "an image is a tensor `[N, H, W, C]` of 1, 3 or 4 channels: `.reshape(dims![_, 28, 28, 1])`";
                match (&shape[..], tensor.dtype) {
                    ([_, _, _, Dim::Known(1 | 3 | 4)], DType::U8 | DType::F32) => None,
                    ([_, _, _, Dim::Known(1 | 3 | 4)], _) => Some((
                        "holds neither `u8` nor `f32`",
                        "convert it: `.cast::<f32>()`, with 0 for black and 1 for white".to_owned(),
                    )),
                    ([_, _, _, Dim::Symbol(_)], _) => {
                        Some(("has an unknown number of channels", SHAPE.to_owned()))
                    }
                    ([_, _, _, _], _) => Some(("has another number of channels", SHAPE.to_owned())),
                    _ => Some(("is no batch of images", SHAPE.to_owned())),
                }
            }
        }
    }

    fn note_of(&self, node: NodeId) -> Note {
        Note { text: self.print_call(node), location: self.node(node).location }
    }
}

fn mistake(message: String, help: impl Into<String>) -> Option<Box<Diagnostic>> {
    Some(Box::new(Diagnostic::new(message, Location::Unknown).help(help)))
}

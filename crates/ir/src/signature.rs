//! Signatures: what a graph can be used for by somebody who knows it by its file only.

use std::sync::Arc;

use crate::{Array, Diagnostic, Dim, Graph, Location, NodeId, Type, near, shorten};

/// A use that a graph is made for, under a name such as `train`, `evaluate` or `predict`: which
/// tensors take the inputs, which give the outputs, what else is fed, and which operations a run of
/// it carries out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphSignature {
    /// Its name: any text but the empty one.
    pub name: Box<str>,
    /// Tensors that are fed, under the names that the user of the signature knows. These are any
    /// texts but the empty one, such as `serving_default_x:0`, and need not be names of nodes; each
    /// stands once among the inputs, and once among the outputs.
    pub inputs: Vec<(Box<str>, NodeId)>,
    /// Tensors that are fed the same value in every run.
    pub feeds: Vec<(NodeId, Arc<Array>)>,
    /// Tensors that are fetched, under such names.
    pub outputs: Vec<(Box<str>, NodeId)>,
    /// Nodes that run besides.
    pub steps: Vec<NodeId>,
}

impl GraphSignature {
    /// The tensor of an input.
    pub fn input(&self, name: &str) -> Option<NodeId> {
        self.inputs.iter().find(|(input, _)| **input == *name).map(|(_, node)| *node)
    }

    /// The tensor of an output.
    pub fn output(&self, name: &str) -> Option<NodeId> {
        self.outputs.iter().find(|(output, _)| **output == *name).map(|(_, node)| *node)
    }

    /// All nodes that a run of it fetches or carries out.
    pub fn targets(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.outputs.iter().map(|(_, node)| *node).chain(self.steps.iter().copied())
    }
}

/// A part of a [`GraphSignature`].
#[derive(Clone, Debug)]
pub enum SignaturePart<'a> {
    /// A tensor takes the input of that name.
    Input(&'a str, NodeId),
    /// A tensor is fed this value, which has its element type and a shape that it can have.
    Feed(NodeId, Array),
    /// A tensor gives the output of that name.
    Output(&'a str, NodeId),
    /// A node runs.
    Step(NodeId),
}

impl Graph {
    /// The signature of that name, or else what to say.
    ///
    /// # Errors
    /// There is none.
    pub fn find_signature(&self, name: &str) -> Result<&GraphSignature, Diagnostic> {
        let found = self.signatures().iter().find(|signature| *signature.name == *name);
        found.ok_or_else(|| {
            let message = format!("graph `{}` has no signature `{name}`", self.name());
            let diagnostic = Diagnostic::new(message, Location::Unknown);
            let known = || self.signatures().iter().map(|signature| &*signature.name);
            match near(name, known) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if self.signatures().is_empty() => diagnostic.help(
                    "it has none: name one with `g.signature(\"train\").input(\"images\", x)..` before it is saved",
                ),
                None => {
                    let known: Vec<String> = known().map(|known| format!("`{known}`")).collect();
                    diagnostic.help(format!("its signatures are {}", known.join(", ")))
                }
            }
        })
    }

    /// Adds a signature without parts, if there is none of that name. Any text is a name but the
    /// empty one, which is a mistake.
    pub fn begin_signature(&mut self, name: &str) {
        if name.is_empty() {
            self.report_at_call("a signature needs a name, and this one is empty".to_owned());
        } else if self.find_signature(name).is_err() {
            self.signatures_mut()
                .push(GraphSignature { name: name.into(), ..GraphSignature::default() });
        }
    }

    /// Adds a part to a signature, which is made if it is new. What does not go together is a
    /// mistake.
    pub fn add_to_signature(&mut self, signature: &str, part: SignaturePart<'_>) {
        self.begin_signature(signature);
        if let Err(message) = self.check_part(signature, &part) {
            if let Some(message) = message {
                self.report_at_call(message);
            }
            return;
        }
        let mut signatures = self.signatures_mut().iter_mut();
        let Some(signature) = signatures.find(|known| *known.name == *signature) else {
            return;
        };
        match part {
            SignaturePart::Input(name, node) => signature.inputs.push((name.into(), node)),
            SignaturePart::Feed(node, array) => signature.feeds.push((node, Arc::new(array))),
            SignaturePart::Output(name, node) => signature.outputs.push((name.into(), node)),
            SignaturePart::Step(node) => signature.steps.push(node),
        }
    }

    fn report_at_call(&mut self, message: String) {
        let location = self.context().location;
        self.report(Diagnostic::new(message, location));
    }

    /// What is wrong with a part; `Err(None)` where that has been reported.
    fn check_part(&self, name: &str, part: &SignaturePart<'_>) -> Result<(), Option<String>> {
        let Ok(signature) = self.find_signature(name) else {
            return Err(None);
        };
        let (what, port, node) = match part {
            SignaturePart::Input(port, node) => ("input", *port, *node),
            SignaturePart::Feed(node, _) => ("feed", "", *node),
            SignaturePart::Output(port, node) => ("output", *port, *node),
            SignaturePart::Step(node) => ("step", "", *node),
        };
        let Some(found) = self.get(node) else {
            let name = shorten::name(name);
            return Err(Some(format!("the {what} of signature `{name}` is no node of this graph")));
        };
        let (name, called) = (shorten::name(name), shorten::name(&found.name));
        if matches!(part, SignaturePart::Input(..) | SignaturePart::Output(..)) {
            let ports = match part {
                SignaturePart::Input(..) => &signature.inputs,
                _ => &signature.outputs,
            };
            if port.is_empty() {
                return Err(Some(format!("an {what} of signature `{name}` has an empty name")));
            }
            if ports.iter().any(|(taken, _)| **taken == *port) {
                return Err(Some(format!(
                    "signature `{name}` has two {what}s `{}`",
                    shorten::name(port)
                )));
            }
        }
        let tensor = match (&found.ty, part) {
            (Type::Invalid, _) => return Err(None),
            (_, SignaturePart::Step(_)) => return Ok(()),
            (Type::Tensor(tensor), _) => tensor,
            (Type::Operation | Type::Tuple(_), _) => {
                return Err(Some(format!(
                    "`{called}`, an {what} of signature `{name}`, is not a tensor"
                )));
            }
        };
        if let SignaturePart::Input(..) | SignaturePart::Feed(..) = part {
            let fed = signature.inputs.iter().map(|(_, node)| node);
            if fed.chain(signature.feeds.iter().map(|(node, _)| node)).any(|&fed| fed == node) {
                return Err(Some(format!("signature `{name}` feeds `{called}` twice")));
            }
        }
        if let SignaturePart::Feed(_, array) = part {
            let shape = self.resolve(&tensor.shape);
            let fits = shape.len() == array.dims.len()
                && shape.iter().zip(&array.dims).all(|(dim, &size)| match dim {
                    Dim::Known(known) => *known == size,
                    Dim::Symbol(_) => true,
                });
            if array.dtype != tensor.dtype || !fits {
                return Err(Some(format!(
                    "signature `{name}` feeds `{}` a value of {}{:?}",
                    self.describe(node),
                    array.dtype,
                    array.dims
                )));
            }
        }
        Ok(())
    }
}

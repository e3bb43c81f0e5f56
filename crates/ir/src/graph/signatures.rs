//! Signatures of a graph: how they are found, and what is checked when one gets a part.

use std::sync::Arc;

use crate::signature::{GraphSignature, SignaturePart};
use crate::{Array, Diagnostic, Dim, Location, TensorType, Type, near, shorten};

use super::Graph;

impl Graph {
    /// The signature of that name.
    ///
    /// # Errors
    /// There is none: names the nearest, or all of them.
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

    /// Adds a signature without parts, unless there is one of that name.
    ///
    /// # Errors
    /// An empty name is reported with the graph's mistakes. Any other text is a name.
    pub fn begin_signature(&mut self, name: &str) {
        if name.is_empty() {
            self.report_at_call("a signature needs a name, and this one is empty".to_owned());
        } else if self.find_signature(name).is_err() {
            self.signatures.push(GraphSignature { name: name.into(), ..GraphSignature::default() });
        }
    }

    /// Adds a part to a signature, which is made if it is new.
    ///
    /// # Errors
    /// Reported with the graph's mistakes, and the part is left out: a node of another graph, or
    /// one that is no tensor; an empty name, or one that is taken; a tensor that is fed already; a
    /// fed value of another type.
    pub fn add_to_signature(&mut self, signature: &str, part: SignaturePart<'_>) {
        self.begin_signature(signature);
        if let Err(message) = self.check_part(signature, &part) {
            if let Some(message) = message {
                self.report_at_call(message);
            }
            return;
        }
        let mut signatures = self.signatures.iter_mut();
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

    /// Checks that a part fits its signature and the graph.
    ///
    /// # Errors
    /// The message; none where that has been reported.
    fn check_part(&self, name: &str, part: &SignaturePart<'_>) -> Result<(), Option<String>> {
        let Ok(signature) = self.find_signature(name) else {
            return Err(None);
        };
        let (kind, node, name) = (part.kind(), part.node(), shorten::name(name));
        let Some(found) = self.get(node) else {
            return Err(Some(format!("the {kind} of signature `{name}` is no node of this graph")));
        };
        check_port(signature, part)?;
        let called = shorten::name(&found.name);
        let tensor = match (&found.ty, part) {
            (Type::Invalid, _) => return Err(None),
            (_, SignaturePart::Step(_)) => return Ok(()),
            (Type::Tensor(tensor), _) => tensor,
            (Type::Operation | Type::Tuple(_), _) => {
                return Err(Some(format!(
                    "`{called}`, an {kind} of signature `{name}`, is not a tensor"
                )));
            }
        };
        if let SignaturePart::Input(..) | SignaturePart::Feed(..) = part {
            let mut fed = signature.inputs.iter().map(|(_, node)| node);
            let mut always_fed = signature.feeds.iter().map(|(node, _)| node);
            if fed.any(|&fed| fed == node) || always_fed.any(|&fed| fed == node) {
                return Err(Some(format!("signature `{name}` feeds `{called}` twice")));
            }
        }
        if let SignaturePart::Feed(_, array) = part
            && !self.takes_value(tensor, array)
        {
            return Err(Some(format!(
                "signature `{name}` feeds `{}` a value of {}{:?}",
                self.describe(node),
                array.dtype,
                array.dims
            )));
        }
        Ok(())
    }

    /// True if an array has a tensor's element type, and its sizes as far as they are known.
    fn takes_value(&self, tensor: &TensorType, array: &Array) -> bool {
        let shape = self.resolve(&tensor.shape);
        array.dtype == tensor.dtype
            && shape.len() == array.dims.len()
            && shape.iter().zip(&array.dims).all(|(dim, &size)| match dim {
                Dim::Known(known) => *known == size,
                Dim::Symbol(_) => true,
            })
    }
}

/// Checks that the name of an input or output is none of an input or output that is there.
fn check_port(signature: &GraphSignature, part: &SignaturePart<'_>) -> Result<(), String> {
    let (port, taken) = match part {
        SignaturePart::Input(port, _) => (*port, &signature.inputs),
        SignaturePart::Output(port, _) => (*port, &signature.outputs),
        SignaturePart::Feed(..) | SignaturePart::Step(_) => return Ok(()),
    };
    let (kind, name) = (part.kind(), shorten::name(&signature.name));
    if port.is_empty() {
        return Err(format!("an {kind} of signature `{name}` has an empty name"));
    }
    if taken.iter().any(|(taken, _)| **taken == *port) {
        return Err(format!("signature `{name}` has two {kind}s `{}`", shorten::name(port)));
    }
    Ok(())
}

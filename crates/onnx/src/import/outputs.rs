//! The outputs of a model, and the signature that names inputs and outputs.

use std::collections::HashSet;

use abeyance_graph::raw::GraphExt;
use abeyance_ir::NodeId;

use super::importer::Import;
use super::naming;
use crate::error::ProblemKind;

impl Import<'_, '_> {
    /// The nodes of the outputs, with their names in the model. Each node gets the name of its
    /// output.
    pub(super) fn outputs(&mut self) -> Vec<(String, NodeId)> {
        let mut outputs: Vec<(String, NodeId)> = Vec::new();
        let mut known = HashSet::new();
        for output in &self.model.output {
            let name = output.name();
            if !self.has_unique_name("output", name, &mut known) {
                continue;
            }
            let Some(value) = self.values.get(name) else {
                if !self.is_explained(name) {
                    let reason = ProblemKind::Wrong("nothing gives this output".to_owned());
                    self.refuse(None, format!("output `{name}`"), reason);
                }
                continue;
            };
            let value = value.clone();
            let images = value.is_images().then(|| value.as_images(self.graph));
            let tensor = value.as_plain(self.graph);
            if let Some(images) = images {
                // The name is that of the value as the model has it.
                let own = naming::sanitized(name, "output");
                if self.graph.any(images.id()).name() == own {
                    let other = self.names.free(self.graph, &format!("{own}/nhwc"), "output");
                    self.graph.build(|graph| graph.rename(images.id(), &other));
                }
                let own = self.names.free(self.graph, &own, "output");
                self.graph.build(|graph| graph.rename(tensor.id(), &own));
            }
            outputs.push((name.to_owned(), tensor.id()));
        }
        outputs
    }

    /// Adds the signature `predict`, whose names are the model's.
    pub(super) fn add_signature(
        &mut self,
        inputs: &[(String, NodeId)],
        outputs: &[(String, NodeId)],
    ) {
        let mut signature = self.graph.signature("predict");
        for (name, node) in inputs {
            signature = signature.input(name, self.graph.any(*node));
        }
        for (name, node) in outputs {
            signature = signature.output(name, self.graph.any(*node));
        }
    }
}

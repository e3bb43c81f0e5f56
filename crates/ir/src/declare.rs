//! Nodes that are read from a text or a file: how their declared types are compared with the
//! inferred ones.

use smallvec::SmallVec;

use crate::symbols::Mark;
use crate::{Attributes, Dim, Fault, Graph, NodeId, OperatorRef, Role, Type};

/// The properties of a node that a text or file states besides name, operator, operands and
/// attributes.
pub(crate) struct Declared {
    /// The type that the node had when it was written.
    pub(crate) ty: Type,
    /// The part of the program that it belongs to.
    pub(crate) role: Role,
    /// Nodes that run before it.
    pub(crate) controls: SmallVec<[NodeId; 2]>,
}

impl Graph {
    /// Appends a node that was read, with the checks and the inference of one that is built, and
    /// compares the inferred type with the declared one.
    pub(crate) fn declare(
        &mut self,
        name: &str,
        operator: OperatorRef,
        operands: &[NodeId],
        attributes: Attributes,
        declared: Declared,
    ) {
        let context = self.context_mut();
        context.role = declared.role;
        context.controls = declared.controls;
        let mark = self.symbols().mark();
        let id = self.add_named(Some(name), operator, operands, attributes);
        self.context_mut().controls.clear();
        self.claim_scopes(name);
        self.claim_body_scopes(id);
        let inferred = self.node(id).ty.clone();
        if inferred != Type::Invalid {
            let is_agreed = agree(self, mark, &inferred, &declared.ty);
            self.set_type(id, declared.ty);
            if is_agreed {
                self.set_origins(id);
            } else {
                let wanted = self.display_type(id);
                self.set_type(id, inferred);
                let fault = format!("is declared {wanted}, but gives {}", self.display_type(id));
                let diagnostic = self.diagnose(id, Fault::new(fault));
                self.report(diagnostic);
                self.set_type(id, Type::Invalid);
            }
        }
        // No type mentions a symbol that inference made: the declared ones stand for those, and the
        // names that they took are free again for declarations further down.
        self.symbols_mut().truncate(mark);
    }
}

/// True if a node can have the declared type, which then gives the sizes that inference left open.
///
/// Where inference knows more, the declared type stays. The graph was so when it was printed: the
/// node was made before something further down found two sizes equal, or a size to be a number. A
/// graph that is read is the graph that was printed.
fn agree(graph: &mut Graph, mark: Mark, inferred: &Type, declared: &Type) -> bool {
    if std::mem::discriminant(inferred) != std::mem::discriminant(declared) {
        return false;
    }
    let (inferred, declared) = (inferred.items(), declared.items());
    let symbols = graph.symbols_mut();
    inferred.len() == declared.len()
        && inferred.iter().zip(declared).all(|(inferred, declared)| {
            let mut dims = inferred.shape.iter().zip(&declared.shape);
            inferred.dtype == declared.dtype
                && inferred.shape.len() == declared.shape.len()
                && dims.all(|(&inferred, &declared)| {
                    let is_open =
                        matches!(symbols.resolve(inferred), Dim::Symbol(id) if mark.is_before(id));
                    let is_declared_open = matches!(symbols.resolve(declared), Dim::Symbol(_));
                    is_declared_open && !is_open || symbols.unify(inferred, declared).is_some()
                })
        })
}

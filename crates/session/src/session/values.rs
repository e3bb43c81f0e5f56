//! Values of a session's variables, read and set from outside of runs.

use std::sync::atomic::Ordering;

use abeyance_graph::Element;
use abeyance_ir::{self as ir, Diagnostic, Diagnostics, Location};
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use super::Session;
use crate::Error;
use crate::feed::FeedValue;
use crate::plan::VariableIndex;

impl Session {
    /// Sets the values of variables, all at once, and the counters. Nothing is changed if there are
    /// `mistakes` already or some are found.
    pub(crate) fn assign<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, &'a ir::Array)>,
        counters: Option<(u64, u64)>,
        mut mistakes: Vec<Diagnostic>,
    ) -> Result<(), Error> {
        let mut found: Vec<(VariableIndex, &ir::Array)> = Vec::new();
        for (name, array) in values {
            let id = self.frozen.graph.find(name);
            let index = id.and_then(|id| self.frozen.variables.get(&id));
            let (Some(id), Some(&index)) = (id, index) else {
                mistakes.push(self.no_variable(name));
                continue;
            };
            let fits = self.frozen.graph.node(id).ty.tensor().is_some_and(|tensor| {
                let dims: Option<ir::Dims> = ir::known_dims(&tensor.shape);
                tensor.dtype == array.dtype && dims.as_ref() == Some(&array.dims)
            });
            if !fits || array.bytes.len() != self.variables.read()[index.0].len() {
                let message = format!(
                    "the variable `{name}` cannot take a value of {}{:?}",
                    array.dtype, array.dims
                );
                mistakes.push(self.about_variable(index, message));
            } else if found.iter().any(|(other, _)| *other == index) {
                mistakes.push(
                    self.about_variable(index, format!("the variable `{name}` is given twice")),
                );
            } else {
                found.push((index, array));
            }
        }
        if !mistakes.is_empty() {
            return Err(Error::Request(Diagnostics(mistakes)));
        }
        let written = || found.iter().map(|&(index, _)| index);
        let mut next = self.variables.begin(written())?;
        for (index, array) in &found {
            next[index.0].copy_from_slice(&array.bytes);
        }
        self.variables.commit(next, written(), || {
            if let Some((step, draws)) = counters {
                self.step.store(step, Ordering::Release);
                self.draws.store(draws, Ordering::Release);
            }
        });
        Ok(())
    }

    /// Copies a variable's value.
    ///
    /// # Errors
    /// There is no variable of that name, or its elements are not `T`.
    #[track_caller]
    pub fn variable<T: Element>(&self, name: &str) -> Result<ArrayD<T>, Error> {
        let location = Location::caller();
        let (index, dims) = self.find::<T>(name).map_err(|error| error.at(location))?;
        let values = self.variables.read();
        let stored: &[T::Stored] = bytemuck::cast_slice(&values[index.0]);
        let elements = stored.iter().map(|&stored| T::load(stored)).collect();
        ArrayD::from_shape_vec(IxDyn(&dims), elements)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// Sets a variable's value.
    ///
    /// # Errors
    /// There is no variable of that name, its elements are not `T`, or the shape differs.
    #[track_caller]
    pub fn set_variable<T: Element, S: Data<Elem = T>, D: Dimension>(
        &self,
        name: &str,
        value: &ArrayBase<S, D>,
    ) -> Result<(), Error> {
        let location = Location::caller();
        let (index, dims) = self.find::<T>(name).map_err(|error| error.at(location))?;
        if value.shape() != &dims[..] {
            let message =
                format!("the variable `{name}` cannot take a value of shape {:?}", value.shape());
            let error = Error::Request(self.about_variable(index, message).into());
            return Err(error.at(location));
        }
        let (_, _, bytes) = value.raw();
        let bytes = bytes
            .get()
            .map_err(|bytes| Error::Memory(abeyance_scheduler::OutOfMemory { bytes }))?;
        let mut next = self.variables.begin(std::iter::once(index))?;
        next[index.0].copy_from_slice(bytes);
        self.variables.commit(next, std::iter::once(index), || {});
        Ok(())
    }

    fn find<T: Element>(&self, name: &str) -> Result<(VariableIndex, Vec<usize>), Error> {
        let graph = &self.frozen.graph;
        let id = graph.find(name);
        let index = id.and_then(|id| self.frozen.variables.get(&id));
        let (Some(id), Some(&index)) = (id, index) else {
            return Err(Error::Request(self.no_variable(name).into()));
        };
        match graph.node(id).ty.tensor() {
            Some(tensor) if tensor.dtype == T::DTYPE => {
                let dims = tensor.shape.iter().filter_map(|dim| dim.known()).collect();
                Ok((index, dims))
            }
            _ => {
                let message = format!("the variable `{name}` does not hold {}", T::DTYPE);
                Err(Error::Request(self.about_variable(index, message).into()))
            }
        }
    }

    fn about_variable(&self, index: VariableIndex, message: String) -> Diagnostic {
        let (graph, id) = (&self.frozen.graph, self.variable_nodes[index.0]);
        Diagnostic::new(message, Location::Unknown)
            .node(&*graph.node(id).name)
            .note(graph.describe(id), graph.node(id).location)
    }

    fn no_variable(&self, name: &str) -> Diagnostic {
        let graph = &self.frozen.graph;
        let diagnostic =
            Diagnostic::new(format!("there is no variable `{name}`"), Location::Unknown);
        if let Some(other) = graph.find(name) {
            return diagnostic
                .note(graph.print_call(other), graph.node(other).location)
                .help("that is no variable: `g.variable` and `g.state` make those");
        }
        let near = ir::near(name, || self.variables());
        if let Some(near) = near {
            return diagnostic.help(format!("did you mean `{near}`?"));
        }
        let count = self.variable_nodes.len();
        let known: Vec<&str> = self.variables().take(8).collect();
        let rest = match count.saturating_sub(known.len()) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        diagnostic.help(match count {
            0 => "the graph has no variables".to_owned(),
            _ => format!("the variables are: {}{rest}", known.join(", ")),
        })
    }
}

//! The nodes of one training step.

use std::collections::HashMap;

use abeyance_graph::Expr;
use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{AnyTensor, Float, Graph, Operation, Scalar, Tensor, fill, ones, zeros};
use abeyance_ir::{DType, Diagnostic, Effect, NodeId, Role, Type};

use crate::naming::{enter, enter_state, name};
use crate::trainable::here;
use crate::{Gradients, Hyperparameter, Optimizer};

/// The step under construction: what the updates of all variables share.
///
/// Its nodes are named behind `update/`; the write of the variable `w` is `update/w`, and what
/// leads to it is behind `update/w/`.
pub struct Updates<'g> {
    graph: &'g Graph,
    optimizer: &'static str,
    /// The user's scope.
    outer: String,
    /// `update/` behind it.
    scope: String,
    /// The widest type among the variables.
    dtype: DType,
    /// True if there is a variable of f32.
    has_f32: bool,
    /// Hyperparameters that are nodes by now.
    scalars: HashMap<ScalarKey, NodeId>,
    /// The scalars of [`Updates::share`], by name.
    shared: HashMap<&'static str, AnyTensor<'g>>,
    writes: Vec<AnyTensor<'g>>,
}

/// The name and type of a hyperparameter's node, and the number's bits or the node it is made from.
type ScalarKey = (&'static str, DType, Result<u64, NodeId>);

/// Appends the step that changes variables by their gradients.
pub(crate) fn apply<'g, O: Optimizer<'g>>(
    optimizer: &O,
    gradients: &Gradients<'g>,
    global_step: Option<Tensor<'g, i64>>,
) -> Operation<'g> {
    let graph = gradients.graph();
    let _role = graph.role(Role::Update);
    if gradients.is_empty() {
        let diagnostic = Diagnostic::new("there are no gradients to apply", here(graph))
            .help("name at least one variable");
        return graph.any(graph.reject(diagnostic)).into();
    }
    let inputs = {
        let outer = graph.ir().context().scope.clone();
        let _scope = graph.scope("update");
        let mut updates = Updates::new(optimizer.name(), gradients, outer);
        updates.append(optimizer, gradients);
        if let Some(step) = global_step {
            let step = graph.any(graph.import(step.erase())).assume::<i64>();
            let one = graph.constant(1i64);
            name(one.erase(), "increment");
            let counted = step.assign_add(one);
            updates.add_write(step.erase(), counted.erase());
        }
        updates.writes
    };
    let step = graph.group(inputs);
    name(step.into(), "train_step");
    step
}

impl<'g> Updates<'g> {
    fn new(optimizer: &'static str, gradients: &Gradients<'g>, outer: String) -> Self {
        let graph = gradients.graph();
        let is_wide = |(variable, _): (AnyTensor<'_>, _)| variable.dtype() == Some(DType::F64);
        Self {
            graph,
            optimizer,
            outer,
            scope: graph.ir().context().scope.clone(),
            dtype: if gradients.iter().any(is_wide) { DType::F64 } else { DType::F32 },
            has_f32: gradients.iter().any(|(variable, _)| variable.dtype() == Some(DType::F32)),
            scalars: HashMap::new(),
            shared: HashMap::new(),
            writes: Vec::new(),
        }
    }

    fn append<O: Optimizer<'g>>(&mut self, optimizer: &O, gradients: &Gradients<'g>) {
        let rate = optimizer.rate(self);
        // State that all variables share is written after them.
        let shared = std::mem::take(&mut self.writes);
        for (variable, gradient) in gradients {
            // A variable of another graph is told of once, here.
            let variable = self.graph.any(self.graph.import(variable));
            let gradient = self.graph.any(self.graph.import(gradient));
            match variable.dtype() {
                Some(DType::F32) => self.update::<f32, O>(optimizer, variable, gradient, rate),
                Some(DType::F64) => self.update::<f64, O>(optimizer, variable, gradient, rate),
                None if self.graph.ir().node(variable.id()).ty == Type::Invalid => {
                    self.writes.push(variable); // What is wrong with it has been told.
                }
                _ => self.refuse(variable),
            }
        }
        self.writes.extend(shared);
    }

    fn update<T: Float, O: Optimizer<'g>>(
        &mut self,
        optimizer: &O,
        variable: AnyTensor<'g>,
        gradient: AnyTensor<'g>,
        rate: Hyperparameter<'g>,
    ) {
        let rate = self.scalar::<T>("learning_rate", rate);
        let first = self.graph.ir().len();
        let (written, unused) = {
            let prefix = format!("{}{}/", self.scope, self.short_name(variable));
            let _scope = enter(self.graph, &prefix);
            let written = optimizer.update(&mut Update {
                updates: self,
                variable: variable.assume(),
                gradient: gradient.assume(),
                rate,
            });
            let unused = self.name_slot_writes(first, written.id());
            (written, unused)
        };
        self.add_write(variable, written.erase());
        self.writes.extend(unused);
    }

    /// Names the writes among the nodes from `first` on after what they write: `update/w/Adam`.
    /// Gives those that no other node uses, which have to be asked for.
    fn name_slot_writes(&self, first: usize, but: NodeId) -> Vec<AnyTensor<'g>> {
        let writes: Vec<(NodeId, String)> = {
            let ir = self.graph.ir();
            (first..ir.len())
                .map(NodeId::new)
                .filter(|&id| id != but && ir.node(id).operator.signature().effect == Effect::Write)
                .filter_map(|id| {
                    let target = &ir.node(*ir.node(id).operands.first()?).name;
                    Some((id, target.rsplit('/').next()?.to_owned()))
                })
                .collect()
        };
        for (id, target) in &writes {
            name(self.graph.any(*id), target);
        }
        let ir = self.graph.ir();
        let is_used = |write: NodeId| {
            let mut later = (write.index()..ir.len()).map(NodeId::new);
            later.any(|id| ir.node(id).operands.contains(&write))
        };
        let unused = writes.into_iter().filter(|&(id, _)| !is_used(id));
        unused.map(|(id, _)| self.graph.any(id)).collect()
    }

    /// Names the write of a variable after it: `update/w`. The step is done when it is.
    fn add_write(&mut self, variable: AnyTensor<'g>, written: AnyTensor<'g>) {
        let _scope = enter(self.graph, &self.scope);
        name(written, &self.short_name(variable));
        self.writes.push(written);
    }

    /// A variable's name within the user's scope.
    fn short_name(&self, variable: AnyTensor<'g>) -> String {
        let name = variable.name();
        match name.strip_prefix(&self.outer) {
            Some(short) => short.to_owned(),
            None => name,
        }
    }

    fn refuse(&mut self, variable: AnyTensor<'g>) {
        let diagnostic = Diagnostic::new(
            format!("`{variable}` cannot follow a gradient: it is not of f32 or f64"),
            here(self.graph),
        )
        .node(variable.name());
        self.writes.push(self.graph.any(self.graph.reject(diagnostic)));
    }

    /// The graph.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The optimizer's name.
    pub(crate) fn optimizer(&self) -> &'static str {
        self.optimizer
    }

    /// True if some variable is of f32, to which settings are rounded.
    pub(crate) fn has_f32(&self) -> bool {
        self.has_f32
    }

    /// The widest type among the variables that are updated: that of state which they share.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// A hyperparameter as a scalar of type `T`: one node for all updates, called `name`. A tensor
    /// of that type is that node.
    pub fn scalar<T: Float>(
        &mut self,
        name: &'static str,
        value: Hyperparameter<'g>,
    ) -> Scalar<'g, T> {
        let source = match value {
            Hyperparameter::Number(number) => Ok(number.to_bits()),
            Hyperparameter::Tensor(tensor) => Err(tensor.id()),
        };
        let key = (name, T::DTYPE, source);
        let id = match self.scalars.get(&key) {
            Some(&id) => id,
            None => {
                let id = self.make_scalar::<T>(name, value);
                self.scalars.insert(key, id);
                id
            }
        };
        self.graph.any(id).assume().into()
    }

    fn make_scalar<T: Float>(&self, base: &'static str, value: Hyperparameter<'g>) -> NodeId {
        let graph = self.graph;
        let _scope = enter(graph, &self.scope);
        let scalar = match value {
            Hyperparameter::Number(number) => graph.constant(T::from_f64(number)).erase(),
            Hyperparameter::Tensor(tensor) => {
                let tensor = graph.any(graph.import(tensor));
                let Some(dtype) = tensor.dtype() else {
                    return graph.apply(&Invalid, &[], ()).id();
                };
                let rank = graph.ir().shape(tensor.id()).map_or(0, |shape| shape.len());
                if rank > 0 {
                    return graph.reject(not_scalar(base, tensor));
                }
                if dtype == T::DTYPE {
                    return tensor.id();
                }
                let cast = |ir: &mut _| Expr::with(ir, tensor.id(), |x| x.cast(T::DTYPE).id());
                graph.any(graph.build(cast))
            }
        };
        name(scalar, base);
        scalar.id()
    }

    /// A state that all variables share, such as the power of a decay: a scalar variable called
    /// `name`, or the first of `name_1`, `name_2`, ... that is free in the user's scope.
    pub fn state<T: Float>(&mut self, name: &'static str, initial: f64) -> Tensor<'g, T> {
        let _scope = enter_state(self.graph, &self.outer);
        let name = self.graph.free_name(name);
        self.graph.state(&name, T::from_f64(initial))
    }

    /// Hands a scalar that all updates need to each of them, where [`Update::shared`] finds it by
    /// this name: a power of beta, a rate worked out from one. To be called in [`Optimizer::rate`];
    /// a name that is used again stands for the later scalar.
    ///
    /// ```
    /// # use abeyance_graph::{Float, Graph, Tensor};
    /// # use abeyance_train::{Hyperparameter, Optimizer, Update, Updates};
    /// /// Steps of the mean gradient, corrected for a mean that starts at 0.
    /// struct MeanDescent<'g>(Hyperparameter<'g>);
    ///
    /// impl<'g> Optimizer<'g> for MeanDescent<'g> {
    ///     fn name(&self) -> &'static str {
    ///         "MeanDescent"
    ///     }
    ///     fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
    ///         let power = updates.state::<f64>("beta_power", 0.9); // 0.9^t in step t
    ///         let rest = updates.named("rest", || power.graph().constant(1.0) - power);
    ///         updates.share("rest", rest);
    ///         updates.assign(power, |power| power * 0.9);
    ///         self.0
    ///     }
    ///     fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
    ///         let (g, mean) = (cx.gradient(), cx.slot(0.0));
    ///         let mean = mean.assign_add((g - mean) * cx.one_minus("one_minus_beta", 0.9));
    ///         cx.variable().assign_sub(mean / cx.shared("rest") * cx.rate())
    ///     }
    /// }
    /// # let g = Graph::new();
    /// # let w = g.variable("w", 1.0f32);
    /// # MeanDescent(0.1.into()).minimize(w.square());
    /// # g.check().unwrap();
    /// ```
    pub fn share(&mut self, name: &'static str, scalar: impl Into<AnyTensor<'g>>) {
        self.shared.insert(name, scalar.into());
    }

    /// The tensor that `build` makes, called `base` among the step's nodes, with what leads to it
    /// behind `base/`.
    pub fn named<T: Float>(
        &self,
        base: &str,
        build: impl FnOnce() -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let tensor = {
            let _scope = enter(self.graph, &format!("{}{base}/", self.scope));
            build()
        };
        let _scope = enter(self.graph, &self.scope);
        name(tensor.erase(), base);
        tensor
    }

    /// Gives such a state a new value, made from its value before the step, as part of the step.
    pub fn assign<T: Float>(
        &mut self,
        state: Tensor<'g, T>,
        value: impl FnOnce(Tensor<'g, T>) -> Tensor<'g, T>,
    ) {
        let written = {
            let prefix = format!("{}{}/", self.scope, self.short_name(state.erase()));
            let _scope = enter(self.graph, &prefix);
            state.assign(value(state))
        };
        self.add_write(state.erase(), written.erase());
    }
}

fn not_scalar(what: &str, tensor: AnyTensor<'_>) -> Diagnostic {
    let ir = tensor.graph().ir();
    Diagnostic::new(
        format!(
            "the {} is one number, and `{}` has dimensions",
            what.replace('_', " "),
            ir.describe(tensor.id())
        ),
        ir.context().location,
    )
    .note(ir.print_call(tensor.id()), ir.node(tensor.id()).location)
}

/// The update of one variable under construction.
pub struct Update<'u, 'g, T: Float> {
    updates: &'u mut Updates<'g>,
    variable: Tensor<'g, T>,
    gradient: Tensor<'g, T>,
    rate: Scalar<'g, T>,
}

impl<'g, T: Float> Update<'_, 'g, T> {
    /// The variable.
    pub fn variable(&self) -> Tensor<'g, T> {
        self.variable
    }

    /// Its gradient.
    pub fn gradient(&self) -> Tensor<'g, T> {
        self.gradient
    }

    /// The learning rate: [`Optimizer::rate`] in the variable's type.
    pub fn rate(&self) -> Scalar<'g, T> {
        self.rate
    }

    /// A hyperparameter as a scalar of the variable's type: one node for all variables of that
    /// type, called `name`.
    pub fn scalar(
        &mut self,
        name: &'static str,
        value: impl Into<Hyperparameter<'g>>,
    ) -> Scalar<'g, T> {
        self.updates.scalar(name, value.into())
    }

    /// A scalar that [`Optimizer::rate`] handed to all updates by [`Updates::share`], in the
    /// variable's type. It is a mistake if none has this name, or it has dimensions.
    pub fn shared(&mut self, name: &'static str) -> Scalar<'g, T> {
        let graph = self.updates.graph;
        match self.updates.shared.get(name) {
            Some(&scalar) => self.updates.scalar(name, scalar.into()),
            None => {
                let diagnostic = Diagnostic::new(
                    format!("{}: no scalar `{name}` is shared", self.updates.optimizer),
                    here(graph),
                )
                .help(format!(
                    "share one in the optimizer's `rate`: `updates.share(\"{name}\", ..)`"
                ));
                graph.any(graph.reject(diagnostic)).assume().into()
            }
        }
    }

    /// `a / b`, and 0 where b is 0.
    pub(crate) fn quotient_or_0(&mut self, a: Tensor<'g, T>, b: Tensor<'g, T>) -> Tensor<'g, T> {
        let (zero, infinity) = (self.scalar("zero", 0.0), self.scalar("infinity", f64::INFINITY));
        a / b.equal(zero).select(infinity, b)
    }

    /// The scalar `1 - x`, with `x` rounded first to the type of what all variables share. In f32,
    /// as in TensorFlow's kernels, `1 - 0.999` is 0.0009999871 so that it fits powers of 0.999f32.
    pub fn one_minus(&mut self, name: &'static str, x: f64) -> Scalar<'g, T> {
        let rest = match self.updates.dtype {
            DType::F32 => f64::from(1.0 - x as f32),
            _ => 1.0 - x,
        };
        self.scalar(name, rest)
    }

    /// A state in the variable's shape, called after variable and optimizer: `w/Adam`, or the first
    /// of `w/Adam_1`, `w/Adam_2`, ... that is free.
    pub fn slot(&mut self, initial: f64) -> Tensor<'g, T> {
        let graph = self.updates.graph;
        let shape = self.variable.shape();
        let _scope = enter_state(graph, "");
        let base = format!("{}/{}", self.variable.name(), self.updates.optimizer);
        let name = graph.free_name(&base);
        match initial {
            0.0 => graph.state(&name, zeros::<T>(shape)),
            1.0 => graph.state(&name, ones::<T>(shape)),
            _ => graph.state(&name, fill(shape, T::from_f64(initial))),
        }
    }
}

//! Averages of variables over a training.

use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{AnyTensor, Float, Graph, Operation, Tensor, zeros};
use abeyance_ir::{DType, Diagnostic, Effect, NodeId, Role, Type};

use crate::naming::{enter, enter_state, name};
use crate::trainable::{here, is_trainable, is_variable};

/// Averages of variables in which old values count less and less: TensorFlow's
/// `ExponentialMovingAverage`. Networks often do better with averages of their weights than with
/// the weights of the last step.
///
/// ```text
/// average = decay * average + (1 - decay) * var
/// decay   = min(decay, (1 + n) / (10 + n))        (with num_updates: n)
/// ```
///
/// The average of `w` is the variable `w/ExponentialMovingAverage`. It starts at the value that `w`
/// has before the first run which averages: its first value if every step does, as in TensorFlow.
///
/// ```
/// use abeyance_graph::Graph;
/// use abeyance_session::Session;
/// use abeyance_train::{ExponentialMovingAverage, GradientDescent, Optimizer};
/// let g = Graph::new();
/// let w = g.variable("w", 8.0f32);
/// let descend = GradientDescent::new(0.25).minimize(w.square()); // halves w
/// let averages = ExponentialMovingAverage::new(0.5).apply_after(descend);
/// let (average, swap) = (averages.average(w).scalar(), averages.swap());
/// let session = Session::new(&g)?;
/// session.run(averages.operation(), [])?;
/// assert_eq!(session.run((w.scalar(), average), [])?, (4.0, 6.0)); // half 8, half 4
/// // To evaluate with averages, put them in the variables' place, and back.
/// session.run(swap, [])?;
/// assert_eq!(session.run((w.scalar(), average), [])?, (6.0, 4.0));
/// session.run(swap, [])?;
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExponentialMovingAverage<'g> {
    decay: f64,
    num_updates: Option<Tensor<'g, i64>>,
}

impl<'g> ExponentialMovingAverage<'g> {
    /// Averages that keep `decay` of themselves from run to run, such as 0.999. It is a mistake if
    /// that is not in [0, 1].
    pub fn new(decay: f64) -> Self {
        Self { decay, num_updates: None }
    }

    /// Lets the averages follow faster while there were few steps: the decay is at most (1 + n) /
    /// (10 + n), where n is this scalar, mostly [`global_step`](crate::global_step).
    ///
    /// With [`apply_after`](ExponentialMovingAverage::apply_after) a step that counts in this
    /// variable, n is the count after the step, as the variables' values are: 1 in the first. That
    /// is what TensorFlow's usual program does, which makes its averages under
    /// `control_dependencies` of the step. What is computed from a count, `count + 5` for instance,
    /// is as before the step.
    pub fn num_updates(mut self, num_updates: impl Into<Tensor<'g, i64>>) -> Self {
        self.num_updates = Some(num_updates.into());
        self
    }

    /// The operation that averages these variables, with the values that they have before a run of
    /// it.
    ///
    /// It is a mistake if there are none, or one is not a variable of f32 or f64.
    #[track_caller]
    pub fn apply<V: Into<AnyTensor<'g>>>(
        &self,
        graph: &'g Graph,
        variables: impl IntoIterator<Item = V>,
    ) -> Averages<'g> {
        let _call = graph.call("apply");
        let variables =
            variables.into_iter().map(|variable| graph.any(graph.import(variable.into())));
        let pairs = variables.map(|variable| (variable, variable)).collect();
        self.build(graph, None, pairs)
    }

    /// The operation that runs a training step, and averages the trainable variables that it
    /// changes, with the values that the step gives them.
    ///
    /// It is a mistake if it changes none.
    #[track_caller]
    pub fn apply_after(&self, step: Operation<'g>) -> Averages<'g> {
        let step = AnyTensor::from(step);
        let graph = step.graph();
        let _call = graph.call("apply_after");
        self.build(graph, Some(step), written_by(step))
    }

    /// `pairs` are variables and their new values.
    #[track_caller]
    fn build(
        &self,
        graph: &'g Graph,
        step: Option<AnyTensor<'g>>,
        pairs: Vec<(AnyTensor<'g>, AnyTensor<'g>)>,
    ) -> Averages<'g> {
        let _role = graph.role(Role::Update);
        // Also if it is NaN.
        if !(0.0..=1.0).contains(&self.decay) {
            let message = format!("averages cannot keep {} of themselves", self.decay);
            let diagnostic = Diagnostic::new(message, here(graph))
                .help("the decay has to be at least 0 and at most 1");
            return rejected(graph, diagnostic);
        }
        if pairs.is_empty() {
            return self.reject(graph, step);
        }
        let scope = graph.scope("moving_average");
        let prefix = graph.ir().context().scope.clone();
        let started = {
            let _scope = enter_state(graph, &prefix);
            graph.state("started", false)
        };
        let rest = self.rest(graph, step);
        let mut averaging = Averaging { graph, prefix, started, rest, narrow: None };
        let mut writes: Vec<AnyTensor<'g>> = step.into_iter().collect();
        let mut averages = Vec::new();
        for (variable, value) in pairs {
            let is_variable = is_variable(&graph.ir(), variable.id());
            let appended = match variable.dtype() {
                Some(DType::F32) if is_variable => {
                    let rest = averaging.narrow();
                    averaging.append::<f32>(variable, value, rest)
                }
                Some(DType::F64) if is_variable => averaging.append::<f64>(variable, value, rest),
                _ => {
                    averaging.refuse(variable);
                    continue;
                }
            };
            writes.push(appended.written);
            averages.push(appended);
        }
        writes.push(started.assign(true).erase());
        drop(scope);
        let operation = graph.group(writes);
        name(operation.into(), "moving_average");
        Averages { graph, started: Some(started), operation, averages }
    }

    /// `1 - decay`
    #[track_caller]
    fn rest(&self, graph: &'g Graph, step: Option<AnyTensor<'g>>) -> Tensor<'g, f64> {
        let number = |base: &str, value: f64| {
            let number = graph.constant(value);
            name(number.erase(), base);
            number.tensor()
        };
        let Some(updates) = self.num_updates else {
            return number("one_minus_decay", 1.0 - self.decay);
        };
        let updates = graph.any(graph.import(updates.erase()));
        let counted = step.and_then(|step| last_write(step, updates));
        let updates: Tensor<'g, i64> = counted.unwrap_or(updates).assume();
        let n = updates.scalar().cast::<f64>();
        let one = number("one", 1.0);
        let early = (n + one) / (n + number("ten", 10.0));
        one - early.minimum(number("decay", self.decay))
    }

    #[track_caller]
    fn reject(&self, graph: &'g Graph, step: Option<AnyTensor<'g>>) -> Averages<'g> {
        let diagnostic = match step {
            Some(step) => {
                let ir = graph.ir();
                Diagnostic::new(
                    format!(
                        "`{}` changes no trainable variable to average",
                        ir.describe(step.id())
                    ),
                    ir.context().location,
                )
                .note(ir.describe(step.id()), ir.node(step.id()).location)
                .help("give the operation that an optimizer's `minimize` or `apply_gradients` gave")
            }
            None => Diagnostic::new("there are no variables to average", here(graph))
                .help("name at least one; `trainable_variables(&g)` gives those that are trained"),
        };
        rejected(graph, diagnostic)
    }
}

/// No averages, for this reason.
#[track_caller]
fn rejected(graph: &Graph, diagnostic: Diagnostic) -> Averages<'_> {
    let operation = graph.any(graph.reject(diagnostic)).into();
    Averages { graph, started: None, operation, averages: Vec::new() }
}

/// The trainable variables that an operation changes, and the values it gives them.
fn written_by<'g>(step: AnyTensor<'g>) -> Vec<(AnyTensor<'g>, AnyTensor<'g>)> {
    let graph = step.graph();
    let ir = graph.ir();
    let upstream = ir.ancestors([step.id()], |_| false);
    let mut pairs: Vec<(NodeId, NodeId)> = Vec::new();
    for id in upstream.ones().map(NodeId::new) {
        let node = ir.node(id);
        let Some(&variable) = node.operands.first() else {
            continue;
        };
        if node.operator.signature().effect != Effect::Write || !is_trainable(&ir, variable) {
            continue;
        }
        // Of several writes in a run the later builds on the earlier.
        match pairs.iter_mut().find(|(known, _)| *known == variable) {
            Some((_, value)) => *value = id,
            None => pairs.push((variable, id)),
        }
    }
    pairs.sort();
    pairs.into_iter().map(|(variable, value)| (graph.any(variable), graph.any(value))).collect()
}

/// The last value that an operation gives to a variable, if it gives one.
fn last_write<'g>(step: AnyTensor<'g>, variable: AnyTensor<'g>) -> Option<AnyTensor<'g>> {
    let graph = step.graph();
    let ir = graph.ir();
    let upstream = ir.ancestors([step.id()], |_| false);
    let mut nodes = upstream.ones().map(NodeId::new);
    let is_write = |&id: &NodeId| {
        let node = ir.node(id);
        node.operator.signature().effect == Effect::Write
            && node.operands.first() == Some(&variable.id())
    };
    // Of several writes in a run the later builds on the earlier.
    nodes.rfind(is_write).map(|id| graph.any(id))
}

/// Averages under construction.
struct Averaging<'g> {
    graph: &'g Graph,
    /// The scope of its nodes.
    prefix: String,
    started: Tensor<'g, bool>,
    rest: Tensor<'g, f64>,
    /// The number in f32, if it is needed.
    narrow: Option<Tensor<'g, f32>>,
}

/// The average of one variable.
#[derive(Clone, Copy)]
struct Average<'g> {
    variable: AnyTensor<'g>,
    /// The variable that holds the average once that has started.
    shadow: AnyTensor<'g>,
    /// Its value, or before the start the variable's.
    value: AnyTensor<'g>,
    written: AnyTensor<'g>,
}

impl<'g> Averaging<'g> {
    #[track_caller]
    fn narrow(&mut self) -> Tensor<'g, f32> {
        let rest = self.rest;
        *self.narrow.get_or_insert_with(|| rest.cast())
    }

    #[track_caller]
    fn refuse(&self, variable: AnyTensor<'g>) {
        let graph = self.graph;
        if graph.ir().node(variable.id()).ty == Type::Invalid {
            return; // What is wrong with it has been told.
        }
        let diagnostic = Diagnostic::new(
            format!("`{variable}` has no average: it is not a variable of f32 or f64"),
            here(graph),
        )
        .node(variable.name());
        graph.build(|ir| ir.report_call(diagnostic));
    }

    #[track_caller]
    fn append<T: Float>(
        &self,
        variable: AnyTensor<'g>,
        value: AnyTensor<'g>,
        rest: Tensor<'g, T>,
    ) -> Average<'g> {
        let graph = self.graph;
        let full = variable.name();
        let outer = self.prefix.strip_suffix('/').and_then(|scope| scope.rfind('/'));
        let outer = outer.map_or("", |end| &self.prefix[..=end]);
        let short = full.strip_prefix(outer).unwrap_or(&full).to_owned();
        let current: Tensor<'g, T> = variable.assume();
        let shadow: Tensor<'g, T> = {
            let _scope = enter_state(graph, "");
            let name = graph.free_name(&format!("{full}/ExponentialMovingAverage"));
            graph.state(&name, zeros(current.shape()))
        };
        let (average, written) = {
            let _scope = enter(graph, &format!("{}{short}/", self.prefix));
            let average = self.started.select(shadow, current);
            name(average.erase(), "average");
            let change = (average - value.assume::<T>()) * rest;
            (average, shadow.assign(average - change))
        };
        let _scope = enter(graph, &self.prefix);
        name(written.erase(), &short);
        Average {
            variable,
            shadow: shadow.erase(),
            value: average.erase(),
            written: written.erase(),
        }
    }
}

/// The averages of variables: what [`ExponentialMovingAverage::apply`] gives.
#[derive(Clone)]
pub struct Averages<'g> {
    graph: &'g Graph,
    /// `None` if there is nothing to average, which the graph has been told.
    started: Option<Tensor<'g, bool>>,
    operation: Operation<'g>,
    averages: Vec<Average<'g>>,
}

impl<'g> Averages<'g> {
    /// The operation that brings the averages up to date. After a training step, it runs that too:
    /// run it in the step's place.
    pub fn operation(&self) -> Operation<'g> {
        self.operation
    }

    /// The average of a variable, as a tensor to compute with; the variable itself before the first
    /// run that averages.
    ///
    /// It is a mistake if there is no average of it.
    #[track_caller]
    pub fn average<T: Float>(&self, variable: impl Into<Tensor<'g, T>>) -> Tensor<'g, T> {
        let variable = variable.into().erase();
        let graph = self.graph;
        let _call = graph.call("average");
        let id = graph.import(variable);
        match self.averages.iter().find(|known| known.variable.id() == id) {
            Some(known) => known.value.assume(),
            None if self.started.is_none() => graph.apply(&Invalid, &[], ()).assume(),
            None => {
                let diagnostic = {
                    let ir = graph.ir();
                    let known = self.averages.iter().map(|known| known.variable.name());
                    Diagnostic::new(
                        format!("there is no average of `{}`", ir.describe(id)),
                        ir.context().location,
                    )
                    .help(format!("there are those of {}", known.collect::<Vec<_>>().join(", ")))
                };
                graph.any(graph.reject(diagnostic)).assume()
            }
        }
    }

    /// The variables, each with its average.
    pub fn iter(&self) -> impl Iterator<Item = (AnyTensor<'g>, AnyTensor<'g>)> {
        self.averages.iter().map(|known| (known.variable, known.value))
    }

    /// A new operation that exchanges the values of variables and averages: run it before an
    /// evaluation that is to use averages, and again after it. Before the first run that averages
    /// it changes no variable.
    #[track_caller]
    pub fn swap(&self) -> Operation<'g> {
        let graph = self.graph;
        let _call = graph.call("swap");
        let _role = graph.role(Role::Update);
        let Some(started) = self.started else {
            return graph.apply(&Invalid, &[], ()).into();
        };
        let mut writes = Vec::new();
        {
            let _scope = graph.scope("swap");
            writes.push(started.assign(true).erase());
            for known in &self.averages {
                let written = match known.variable.dtype() {
                    Some(DType::F64) => known.swap::<f64>(),
                    _ => known.swap::<f32>(),
                };
                writes.extend(written);
            }
        }
        let swap = graph.group(writes);
        name(swap.into(), "swap");
        swap
    }
}

impl<'g> Average<'g> {
    /// Both are read as they were before the run.
    #[track_caller]
    fn swap<T: Float>(&self) -> [AnyTensor<'g>; 2] {
        let (variable, shadow) = (self.variable.assume::<T>(), self.shadow.assume::<T>());
        let load = variable.assign(self.value.assume::<T>());
        let keep = shadow.assign(variable);
        [load.erase(), keep.erase()]
    }
}

impl std::fmt::Debug for Averages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

//! Optimizers: gradients of a loss, and the step that applies them.

use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::GraphExt;
use abeyance_graph::{AnyTensor, Float, Operation, Tensor};

use crate::trainable;
use crate::update::{self, Update, Updates};
use crate::{Gradients, Hyperparameter};

/// A rule by which variables follow their gradients.
///
/// [`minimize`](Optimizer::minimize) is what most programs need. It is
/// [`compute_gradients`](Optimizer::compute_gradients) and then
/// [`apply_gradients`](Optimizer::apply_gradients), between which gradients can be changed. Nothing
/// here fails: a mistake is remembered by the graph, with the line of the call.
///
/// With the settings that they take, rules stay finite at any gradient whose square its type holds,
/// in f32 below 1.8e19. A larger one makes the moving squares of Adam and its like infinite and
/// then NaN, as in TensorFlow; [`clip_by_global_norm`](crate::clip_by_global_norm) before them
/// measures any.
///
/// A rule is its name, its rate and the new value of one variable:
///
/// ```
/// use abeyance_graph::{Float, Graph, Tensor};
/// use abeyance_train::{Hyperparameter, Optimizer, Update, Updates};
///
/// /// Steps of one length, whatever the gradient's.
/// struct SignDescent<'g>(Hyperparameter<'g>);
///
/// impl<'g> Optimizer<'g> for SignDescent<'g> {
///     fn name(&self) -> &'static str {
///         "SignDescent"
///     }
///     fn rate(&self, _: &mut Updates<'g>) -> Hyperparameter<'g> {
///         self.0
///     }
///     fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
///         cx.variable().assign_sub(cx.gradient().sign() * cx.rate())
///     }
/// }
///
/// let g = Graph::new();
/// let w = g.variable("w", 1.0f32);
/// let train_step = SignDescent(0.1.into()).minimize(w.square());
/// # let _ = train_step;
/// # g.check().unwrap();
/// ```
pub trait Optimizer<'g>: Sized {
    /// The name of its slots: that that TensorFlow gives the optimizer.
    fn name(&self) -> &'static str;

    /// The learning rate, which each update is handed in the type of its variable. Called once a
    /// step that is built, before any variable is updated: the place to make what all updates
    /// share.
    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g>;

    /// Appends the new value of one variable, and gives the node that writes it. Writes of slots
    /// need not be mentioned: they are part of the step whether the variable's new value depends on
    /// them or not.
    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T>;

    /// The gradients of a scalar with respect to all trainable variables it depends on, in the
    /// order in which they were made. Variables that it does not depend on by a path of derivatives
    /// are left out.
    ///
    /// It is a mistake if the loss has dimensions (reduce it with `reduce_mean(..)` or
    /// `reduce_sum(..)`), is not of a float type, or depends on no trainable variable.
    #[track_caller]
    fn compute_gradients(&self, loss: impl Into<AnyTensor<'g>>) -> Gradients<'g> {
        trainable::compute_gradients(loss.into())
    }

    /// The gradients of a scalar with respect to these variables, trainable or not. That it does
    /// not depend on one of them is a mistake.
    #[track_caller]
    fn compute_gradients_of<V: Into<AnyTensor<'g>>>(
        &self,
        loss: impl Into<AnyTensor<'g>>,
        variables: impl IntoIterator<Item = V>,
    ) -> Gradients<'g> {
        let variables: Vec<AnyTensor<'g>> = variables.into_iter().map(Into::into).collect();
        trainable::compute_gradients_of(loss.into(), &variables)
    }

    /// The operation, called `train_step`, that changes each variable by its gradient. All
    /// variables are read as they were before the run, and written together.
    #[track_caller]
    fn apply_gradients(&self, gradients: Gradients<'g>) -> Operation<'g> {
        apply(self, &gradients, None)
    }

    /// The operation, called `train_step`, that changes each variable by its gradient and counts:
    /// `global_step`, a variable, grows by 1. See [`global_step`](crate::global_step). TensorFlow's
    /// `apply_gradients(.., global_step)`.
    #[track_caller]
    fn apply_gradients_counting(
        &self,
        gradients: Gradients<'g>,
        global_step: impl Into<Tensor<'g, i64>>,
    ) -> Operation<'g> {
        let _call = gradients.graph().call("apply_gradients_counting");
        apply(self, &gradients, Some(global_step.into()))
    }

    /// The operation, called `train_step`, that changes all trainable variables a scalar depends on
    /// so as to make it smaller.
    ///
    /// ```
    /// use abeyance_graph::Graph;
    /// use abeyance_session::Session;
    /// use abeyance_train::{GradientDescent, Optimizer};
    /// let g = Graph::new();
    /// let w = g.variable("w", 1.0f32);
    /// let train_step = GradientDescent::new(0.25).minimize(w.square());
    /// let session = Session::new(&g)?;
    /// session.run(train_step, [])?;
    /// assert_eq!(session.run(w.scalar(), [])?, 0.5);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    #[track_caller]
    fn minimize(&self, loss: impl Into<AnyTensor<'g>>) -> Operation<'g> {
        let loss = loss.into();
        let _call = loss.graph().call("minimize");
        let gradients = self.compute_gradients(loss);
        self.apply_gradients(gradients)
    }

    /// The operation, called `train_step`, that changes all trainable variables a scalar depends on
    /// so as to make it smaller, and counts: `global_step`, a variable, grows by 1. TensorFlow's
    /// `minimize(loss, global_step)`.
    #[track_caller]
    fn minimize_counting(
        &self,
        loss: impl Into<AnyTensor<'g>>,
        global_step: impl Into<Tensor<'g, i64>>,
    ) -> Operation<'g> {
        let loss = loss.into();
        let _call = loss.graph().call("minimize_counting");
        let gradients = self.compute_gradients(loss);
        self.apply_gradients_counting(gradients, global_step)
    }
}

#[track_caller]
fn apply<'g, O: Optimizer<'g>>(
    optimizer: &O,
    gradients: &Gradients<'g>,
    global_step: Option<Tensor<'g, i64>>,
) -> Operation<'g> {
    let graph = gradients.graph();
    let _call = graph.call("apply_gradients");
    if gradients.is_rejected() {
        graph.apply(&Invalid, &[], ()).into()
    } else {
        update::apply(optimizer, gradients, global_step)
    }
}

//! Gradients on their way from a loss to the variables.

use abeyance_graph::{AnyTensor, Graph};

/// Variables, each with the gradient it is to be changed by: what
/// [`compute_gradients`](crate::Optimizer::compute_gradients) gives and
/// [`apply_gradients`](crate::Optimizer::apply_gradients) takes. In between they can be looked at
/// and changed.
///
/// ```
/// use abeyance_graph::{dims, ones, Graph};
/// use abeyance_train::{clip_by_global_norm, Adam, Optimizer};
/// let g = Graph::new();
/// let w = g.variable::<f32>("w", ones(dims![3]));
/// let loss = w.square().reduce_sum(..);
/// let adam = Adam::new(0.001);
/// let gradients = adam.compute_gradients(loss);
/// let train_step = adam.apply_gradients(clip_by_global_norm(gradients, 5.0));
/// # let _ = train_step;
/// # g.check().unwrap();
/// ```
#[derive(Clone)]
pub struct Gradients<'g> {
    graph: &'g Graph,
    pairs: Vec<(AnyTensor<'g>, AnyTensor<'g>)>,
    /// They could not be computed, which the graph has been told.
    rejected: bool,
}

impl<'g> Gradients<'g> {
    /// Pairs of a variable and its gradient, made by other means than
    /// [`compute_gradients`](crate::Optimizer::compute_gradients).
    pub fn new<V, G>(graph: &'g Graph, pairs: impl IntoIterator<Item = (V, G)>) -> Self
    where
        V: Into<AnyTensor<'g>>,
        G: Into<AnyTensor<'g>>,
    {
        let pairs = pairs
            .into_iter()
            .map(|(variable, gradient)| (variable.into(), gradient.into()))
            .collect();
        Self { graph, pairs, rejected: false }
    }

    /// Stands in for gradients that could not be computed, which the graph has been told.
    pub(crate) fn rejected(graph: &'g Graph) -> Self {
        Self { graph, pairs: Vec::new(), rejected: true }
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.rejected
    }

    /// The graph they belong to.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs of a variable and its gradient.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, (AnyTensor<'g>, AnyTensor<'g>)>> {
        self.pairs.iter().copied()
    }

    /// Puts another gradient in place of each: `change(variable, gradient)`.
    ///
    /// ```
    /// use abeyance_graph::raw::AnyTensorExt;
    /// # use abeyance_graph::{dims, ones, Graph};
    /// # use abeyance_train::{GradientDescent, Optimizer};
    /// # let g = Graph::new();
    /// # let w = g.variable::<f32>("w", ones(dims![3]));
    /// # let loss = w.square().reduce_sum(..);
    /// let optimizer = GradientDescent::new(0.1);
    /// let signs = optimizer
    ///     .compute_gradients(loss)
    ///     .map(|_variable, gradient| gradient.assume::<f32>().sign());
    /// let train_step = optimizer.apply_gradients(signs);
    /// # let _ = train_step;
    /// # g.check().unwrap();
    /// ```
    pub fn map<G: Into<AnyTensor<'g>>>(
        mut self,
        mut change: impl FnMut(AnyTensor<'g>, AnyTensor<'g>) -> G,
    ) -> Self {
        for (variable, gradient) in &mut self.pairs {
            *gradient = change(*variable, *gradient).into();
        }
        self
    }

    /// Leaves out the variables for which `keep(variable, gradient)` does not hold.
    pub fn filter(mut self, mut keep: impl FnMut(AnyTensor<'g>, AnyTensor<'g>) -> bool) -> Self {
        self.pairs.retain(|&(variable, gradient)| keep(variable, gradient));
        self
    }
}

impl<'g> IntoIterator for Gradients<'g> {
    type Item = (AnyTensor<'g>, AnyTensor<'g>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a, 'g> IntoIterator for &'a Gradients<'g> {
    type Item = (AnyTensor<'g>, AnyTensor<'g>);
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Debug for Gradients<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

//! Naming what a graph is for, so that its file can be used without the program that built it.

use abeyance_ir::{Array, SignaturePart};
use ndarray::{ArrayBase, Data, Dimension as NdDimension};

use crate::init::array_value;
use crate::{AnyTensor, Element, Graph, Operand};

impl Graph {
    /// Names a use of the graph: which tensors take its inputs, which give its outputs, what it
    /// runs. Signatures are saved with the graph. Parts are added to one that is there.
    ///
    /// Three names have a meaning for whoever gets the file: `train`, whose inputs are a batch
    /// (`images`, `labels`) and whose step changes variables; `evaluate`, which takes the same and
    /// gives figures such as `loss` and `accuracy`, each the mean over the batch; and `predict`.
    ///
    /// ```
    /// use abeyance_graph::{dims, zeros, Graph};
    /// let g = Graph::named("linear");
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let keep = g.placeholder_with_default("keep", 1.0f32);
    /// let y = x.matmul(g.variable("w", zeros(dims![3, 2]))).dropout_keeping(keep);
    /// g.signature("predict").input("points", x).output("values", y);
    /// g.signature("rough").input("points", x).feed(keep, 0.5).output("values", y);
    /// g.check()?;
    /// # Ok::<(), abeyance_ir::Diagnostics>(())
    /// ```
    ///
    /// Any text is a name here, of a signature as of inputs and outputs: it need not be one that a
    /// node can have.
    ///
    /// It is a mistake if a name is empty or taken, if an input or output is no tensor, or if one
    /// tensor is fed twice.
    #[track_caller]
    pub fn signature<'g>(&'g self, name: &str) -> Signature<'g> {
        self.build(|graph| graph.begin_signature(name));
        Signature { graph: self, name: name.into() }
    }
}

/// A signature while it is described: see [`Graph::signature`].
#[derive(Clone, Debug)]
pub struct Signature<'g> {
    graph: &'g Graph,
    name: Box<str>,
}

impl<'g> Signature<'g> {
    #[track_caller]
    fn add(self, part: SignaturePart<'_>) -> Self {
        self.graph.build(|graph| graph.add_to_signature(&self.name, part));
        self
    }

    /// This tensor, usually a placeholder, takes the input of that name.
    #[track_caller]
    pub fn input(self, name: &str, tensor: impl Into<AnyTensor<'g>>) -> Self {
        let node = self.graph.import(tensor.into());
        self.add(SignaturePart::Input(name, node))
    }

    /// This tensor is fed the same number in every run, such as the probability with which training
    /// keeps a neuron.
    #[track_caller]
    pub fn feed<T: Element>(self, tensor: impl Operand<'g, T>, value: T) -> Self {
        let node = tensor.node(self.graph);
        self.add(SignaturePart::Feed(node, Array::new(T::DTYPE, &[], &[value.store()])))
    }

    /// This tensor is fed the same array in every run.
    #[track_caller]
    pub fn feed_array<T: Element, S: Data<Elem = T>, D: NdDimension>(
        self,
        tensor: impl Operand<'g, T>,
        value: &ArrayBase<S, D>,
    ) -> Self {
        let node = tensor.node(self.graph);
        self.add(SignaturePart::Feed(node, array_value(value)))
    }

    /// This tensor gives the output of that name.
    #[track_caller]
    pub fn output(self, name: &str, tensor: impl Into<AnyTensor<'g>>) -> Self {
        let node = self.graph.import(tensor.into());
        self.add(SignaturePart::Output(name, node))
    }

    /// This operation runs: a training step.
    #[track_caller]
    pub fn step(self, operation: impl Into<AnyTensor<'g>>) -> Self {
        let node = self.graph.import(operation.into());
        self.add(SignaturePart::Step(node))
    }
}

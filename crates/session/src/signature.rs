//! Runs of a graph by the names of its signatures.

use abeyance_graph::Element;
use abeyance_ir::{DType, Diagnostic, Diagnostics, GraphSignature, Location, NodeId, near};

use crate::feed::{Feed, FeedValue};
use crate::fetch::Decode;
use crate::value::each;
use crate::{Callable, Error, Results, RunOptions, Session, TensorRef, Value};

/// One of a graph's signatures, ready to run, for whoever has a graph's file and not its program:
/// [`Session::signature`].
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::Session;
/// use ndarray::array;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_]);
/// g.signature("predict").input("points", x).output("sum", x.reduce_sum(..));
///
/// let session = Session::new(&g)?;
/// let predict = session.signature("predict")?;
/// let outputs = predict.run([predict.feed("points", &array![1.0f32, 2.0])?])?;
/// assert_eq!(outputs[0].to_f64(), [3.0]);
/// # Ok::<(), abeyance_session::Error>(())
/// ```
pub struct SignatureRun<'s> {
    session: &'s Session,
    signature: GraphSignature,
    /// The values that every run feeds.
    fixed: Vec<(NodeId, Value)>,
    callable: Callable<'s, DecodeOutputs>,
}

impl Session {
    /// Finds the signature of that name, ready to run.
    ///
    /// # Errors
    /// The graph has none of that name.
    #[track_caller]
    pub fn signature(&self, name: &str) -> Result<SignatureRun<'_>, Error> {
        let location = Location::caller();
        let found = self.graph().find_signature(name);
        let signature =
            found.map_err(|diagnostic| Error::Request(diagnostic.into()).at(location))?.clone();
        let fixed =
            signature.feeds.iter().map(|(node, array)| (*node, Value::from(&**array))).collect();
        let callable = callable(self, &signature, &[]);
        Ok(SignatureRun { session: self, signature, fixed, callable })
    }
}

/// The fetches and steps of a signature, and these tensors behind them.
fn callable<'s>(
    session: &'s Session,
    signature: &GraphSignature,
    extras: &[TensorRef<Value>],
) -> Callable<'s, DecodeOutputs> {
    let decoder = DecodeOutputs {
        outputs: signature.outputs.len(),
        steps: signature.steps.len(),
        extras: extras.len(),
    };
    let extras = extras.iter().map(|tensor| tensor.node);
    session.callable(signature.targets().chain(extras).collect(), decoder)
}

impl SignatureRun<'_> {
    /// The signature: its name, and the nodes of its inputs and outputs.
    pub fn signature(&self) -> &GraphSignature {
        &self.signature
    }

    /// Has each run fetch these tensors too, computed once with all else: their values follow the
    /// outputs. They replace those of an earlier call. By default there are none.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::Session;
    /// use ndarray::array;
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// g.signature("predict").input("points", x).output("sum", x.reduce_sum(..));
    /// g.summaries().scalar("largest", x.reduce_max(..));
    ///
    /// let session = Session::new(&g)?;
    /// let watched = session.summaries().into_iter().flat_map(|summary| summary.tensors);
    /// let predict = session.signature("predict")?.fetching(watched)?;
    /// let values = predict.run([predict.feed("points", &array![1.0f32, 2.0])?])?;
    /// assert_eq!((values[0].to_f64(), values[1].to_f64()), (vec![3.0], vec![2.0]));
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// One of them is of another graph than the session's.
    #[track_caller]
    pub fn fetching(
        self,
        extras: impl IntoIterator<Item = TensorRef<Value>>,
    ) -> Result<Self, Error> {
        let location = Location::caller();
        let extras: Vec<TensorRef<Value>> = extras.into_iter().collect();
        self.session.check_fetches(&extras).map_err(|error| error.at(location))?;
        let callable = callable(self.session, &self.signature, &extras);
        Ok(Self { callable, ..self })
    }

    /// The element type of an input.
    ///
    /// # Errors
    /// There is no input of that name.
    #[track_caller]
    pub fn input_dtype(&self, input: &str) -> Result<DType, Error> {
        let location = Location::caller();
        let node = self.find(input).map_err(|error| error.at(location))?;
        Ok(self.session.graph().node(node).ty.tensor().map_or(DType::F32, |ty| ty.dtype))
    }

    /// Makes a feed of a value for an input, for [`SignatureRun::run`].
    ///
    /// # Errors
    /// There is no input of that name, or its elements are not `T`. The shape is checked when it
    /// runs.
    #[track_caller]
    pub fn feed<'a, T: Element>(
        &self,
        input: &str,
        value: impl FeedValue<'a, T>,
    ) -> Result<Feed<'a>, Error> {
        let location = Location::caller();
        let node = self.find(input).map_err(|error| error.at(location))?;
        let graph = self.session.graph();
        let found = graph.node(node);
        if found.ty.tensor().is_none_or(|tensor| tensor.dtype != T::DTYPE) {
            let message = format!(
                "the input `{input}` of signature `{}` is not a tensor of {}",
                self.signature.name,
                T::DTYPE
            );
            let diagnostic = Diagnostic::new(message, location)
                .node(&*found.name)
                .note(graph.describe(node), found.location);
            return Err(Error::Request(diagnostic.into()));
        }
        Ok(Feed::new(TensorRef::<T>::new(graph, node), value))
    }

    /// Makes a feed for an input of an array whose element type is known only when the program
    /// runs.
    ///
    /// # Errors
    /// As [`SignatureRun::feed`].
    #[track_caller]
    pub fn feed_value<'a>(&self, input: &str, value: &'a Value) -> Result<Feed<'a>, Error> {
        each!(value, array => self.feed(input, array))
    }

    fn find(&self, input: &str) -> Result<NodeId, Error> {
        let signature = &self.signature;
        signature.input(input).ok_or_else(|| {
            let message = format!("signature `{}` has no input `{input}`", signature.name);
            let names = || signature.inputs.iter().map(|(name, _)| &**name);
            let known: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            let help = match near(input, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has none".to_owned(),
                None => format!("its inputs are {}", known.join(", ")),
            };
            let diagnostic = Diagnostic::new(message, Location::Unknown).help(help);
            Error::Request(Diagnostics::from(diagnostic))
        })
    }

    /// Checks that its runs can be put together in one and their outputs cut apart again, to the
    /// same bits. They can where the first dimension of all inputs and outputs is one and the same
    /// unknown dimension, and row i of every output depends on row i of every input and on nothing
    /// else but variables and constants. There may be other unknown dimensions; inputs that are put
    /// together have them of one size. Tensors that it is [fetching](SignatureRun::fetching)
    /// besides are not looked at.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::Session;
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let scores = x.softmax();
    /// g.signature("predict").input("x", x).output("scores", scores);
    /// g.signature("centred").input("x", x).output("y", x - x.reduce_mean(0));
    ///
    /// let session = Session::new(&g)?;
    /// assert!(session.signature("predict")?.batches().is_ok());
    /// let mixes = session.signature("centred")?.batches().unwrap_err();
    /// assert!(mixes.to_string().contains("reduce_mean"));
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// A node in which rows meet, named with its line where that is known; an input or output of
    /// another shape; a variable that is changed; numbers that are drawn.
    pub fn batches(&self) -> Result<(), Diagnostic> {
        crate::batches::check(self.session.graph(), &self.signature)
    }

    /// Runs it: feeds the inputs and the values that it always feeds, carries out its steps, and
    /// returns its outputs, in their order, and behind them the tensors that it is
    /// [fetching](SignatureRun::fetching) besides.
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run<'a>(&self, inputs: impl IntoIterator<Item = Feed<'a>>) -> Result<Vec<Value>, Error> {
        self.run_with(RunOptions::new(), inputs)
    }

    /// Runs it, as [`run`](SignatureRun::run) does, with [`RunOptions`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a>(
        &self,
        options: RunOptions<'_>,
        inputs: impl IntoIterator<Item = Feed<'a>>,
    ) -> Result<Vec<Value>, Error> {
        self.callable.run_with(options, self.feeds(inputs))
    }

    /// Explains the plan of such a run: [`Session::explain`].
    ///
    /// # Errors
    /// As [`Session::explain`].
    pub fn explain<'a>(
        &self,
        inputs: impl IntoIterator<Item = Feed<'a>>,
    ) -> Result<crate::Explanation, Error> {
        self.callable.explain(self.feeds(inputs))
    }

    /// The cost of each node of such a run by itself: [`Session::costs`].
    ///
    /// # Errors
    /// As [`Session::costs`].
    pub fn costs<'a>(
        &self,
        inputs: impl IntoIterator<Item = Feed<'a>>,
    ) -> Result<Vec<crate::NodeCost>, Error> {
        self.callable.costs(self.feeds(inputs))
    }

    /// The inputs, and the values that are always fed.
    fn feeds<'b, 'a: 'b>(&'b self, inputs: impl IntoIterator<Item = Feed<'a>>) -> Vec<Feed<'b>> {
        let graph = self.session.graph();
        let mut feeds: Vec<Feed<'b>> = Vec::new();
        for feed in inputs {
            feeds.push(feed);
        }
        for (node, value) in &self.fixed {
            feeds.push(each!(value, array => Feed::new(TensorRef::new(graph, *node), array)));
        }
        feeds
    }
}

impl std::fmt::Debug for SignatureRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SignatureRun").field(&self.signature).finish()
    }
}

/// Decodes the outputs of a signature, and the tensors that are fetched besides; skips its steps.
#[derive(Debug)]
pub(crate) struct DecodeOutputs {
    outputs: usize,
    steps: usize,
    extras: usize,
}

impl Decode for DecodeOutputs {
    type Output = Vec<Value>;

    fn decode(&self, results: &mut Results<'_>) -> Vec<Value> {
        let mut values: Vec<Value> = (0..self.outputs).map(|_| results.value()).collect();
        (0..self.steps).for_each(|_| results.skip());
        values.extend((0..self.extras).map(|_| results.value()));
        values
    }
}

//! Classifies digits that are drawn on the page, with the weights that a training has come to.
//!
//! It has a session of its own, so that the one that trains is not touched: neither its arenas nor
//! its random streams. Weights are copied over by the training, between two steps, when somebody
//! draws.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{Array, DType, Dim, GraphSignature, NodeId};
use abeyance_session::{Session, SessionOptions, SessionState, SignatureRun, Value, gradients};
use parking_lot::{Condvar, Mutex};
use serde::Serialize;

/// Weights are not copied more often.
const COPY_EVERY: Duration = Duration::from_millis(200);
/// The time that somebody who draws waits for the first weights.
const FIRST_WEIGHTS_TIMEOUT: Duration = Duration::from_secs(2);
/// The name of the signature that is added.
const SIGNATURE: &str = "abeyance/draw";

/// A prediction for a drawn image.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
    /// The derivative of the logarithm of the greatest probability by each pixel.
    pub saliency: Vec<f32>,
    /// The number of steps that the weights come from.
    pub step: u64,
}

/// A network and its newest weights.
#[derive(Debug)]
pub struct Predictor {
    network: Network,
    /// Somebody draws.
    is_wanted: AtomicBool,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Network {
    graph: Vec<u8>,
    seed: u64,
    pixels: usize,
    image: Vec<usize>,
}

#[derive(Debug, Default)]
struct State {
    snapshot: Option<SessionState>,
    copied: Option<Instant>,
    /// Made when somebody draws for the first time, and which snapshot it has.
    session: Option<(Session, u64)>,
}

impl Predictor {
    /// The graph of a session as a classifier: it needs a signature `predict` with one input of
    /// images, f32 `[N, ..]`, and an output of probabilities, f32 `[N, classes]`.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn new(graph: &Graph, seed: u64) -> Result<Self, String> {
        let network = Network::new(graph, seed)?;
        Ok(Self {
            network,
            is_wanted: AtomicBool::new(false),
            state: Mutex::default(),
            arrived: Condvar::new(),
        })
    }

    /// Called by the training between two steps: copies its weights if somebody draws.
    pub fn offer(&self, session: &Session) {
        if self.is_wanted.load(Ordering::Relaxed) {
            let state = self.state.lock();
            let is_fresh = state.copied.is_some_and(|copied| copied.elapsed() < COPY_EVERY);
            drop(state);
            if !is_fresh {
                self.give(session.state());
            }
        }
    }

    /// Gives it weights, such as those at the end.
    pub fn give(&self, snapshot: SessionState) {
        self.is_wanted.store(false, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.snapshot = Some(snapshot);
        state.copied = Some(Instant::now());
        self.arrived.notify_all();
    }

    /// Classifies an image. May take some milliseconds, the first time a second.
    ///
    /// # Errors
    /// Another number of pixels, no weights yet, or a run that fails.
    pub fn predict(&self, pixels: &[f32]) -> Result<Prediction, String> {
        if pixels.len() != self.network.pixels {
            return Err(format!(
                "{} pixels, and the network takes images of {}",
                pixels.len(),
                self.network.pixels
            ));
        }
        if !pixels.iter().all(|pixel| pixel.is_finite()) {
            return Err("a pixel is no number".to_owned());
        }
        self.is_wanted.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        if state.snapshot.is_none() {
            let none_yet = |state: &mut State| state.snapshot.is_none();
            self.arrived.wait_while_for(&mut state, none_yet, FIRST_WEIGHTS_TIMEOUT);
        }
        let State { snapshot, session, .. } = &mut *state;
        let Some(snapshot) = snapshot else {
            return Err("no weights yet: training has not done a step".to_owned());
        };
        if session.is_none() {
            *session = Some((self.network.session()?, u64::MAX));
        }
        let Some((session, step)) = session else { return Err("no session".to_owned()) };
        if *step != snapshot.step {
            let known: Vec<&str> = session.variables().collect();
            let values = snapshot.variables.iter().filter(|(name, _)| known.contains(&&**name));
            let values = values.map(|(name, array): &(_, Array)| (&**name, array));
            session.set_variables(values).map_err(|error| error.to_string())?;
            *step = snapshot.step;
        }
        self.network.run(session, pixels, snapshot.step)
    }
}

impl Network {
    fn new(graph: &Graph, seed: u64) -> Result<Self, String> {
        let ir = graph.ir();
        let signature = ir.find_signature("predict").map_err(|error| error.to_string())?.clone();
        let (input, output) = ports(&ir, &signature)?;
        let image: Option<Vec<usize>> =
            ir.shape(input).unwrap_or_default().iter().skip(1).map(|dim| dim.known()).collect();
        let Some(image) = image.filter(|image| !image.is_empty()) else {
            return Err(format!("the sizes of an image are open: {}", ir.display_type(input)));
        };
        let Some(pixels) = image.iter().try_fold(1usize, |pixels, &size| pixels.checked_mul(size))
        else {
            return Err("an image is too large".to_owned());
        };
        let (input, output) = (ir.node(input).name.clone(), ir.node(output).name.clone());
        // A copy, to which the gradient is added.
        let copy = Graph::from_ir(ir.clone());
        drop(ir);
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let x = copy.tensor::<f32>(&input).map_err(|error| failed(&error))?;
        let y = copy.tensor::<f32>(&output).map_err(|error| failed(&error))?;
        let certainty = y.reduce_max(-1).log().reduce_sum(..);
        let [saliency] = gradients(certainty, [x]);
        let mut named =
            copy.signature(SIGNATURE).input("x", x).output("y", y).output("s", saliency);
        for (node, value) in &signature.feeds {
            if value.dtype == DType::F32 && value.dims.is_empty() {
                let name = copy.ir().node(*node).name.clone();
                let tensor = copy.tensor::<f32>(&name).map_err(|error| failed(&error))?;
                let value = Value::from(&**value).to_f64().first().copied().unwrap_or(1.0);
                named = named.feed(tensor, value as f32);
            }
        }
        drop(named);
        copy.check().map_err(|error| failed(&error))?;
        let bytes = copy.build(|graph| graph.to_bytes()).map_err(|error| failed(&error))?;
        Ok(Self { graph: bytes, seed, pixels, image })
    }

    fn session(&self) -> Result<Session, String> {
        let graph = Graph::from_bytes(&self.graph).map_err(|error| error.to_string())?;
        // One thread: the others are for training.
        let options = SessionOptions::new().seed(self.seed).threads(1);
        Session::with_options(&graph, options).map_err(|error| error.to_string())
    }

    fn run(&self, session: &Session, pixels: &[f32], step: u64) -> Result<Prediction, String> {
        let failed = |error: abeyance_session::Error| error.to_string();
        let run: SignatureRun<'_> = session.signature(SIGNATURE).map_err(failed)?;
        let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        let mut dims = vec![1usize];
        dims.extend(&self.image);
        let dims = dims.into_iter().collect();
        let image = Value::from(&Array { dtype: DType::F32, dims, bytes });
        let feed = run.feed_value("x", &image).map_err(failed)?;
        let outputs = run.run([feed]).map_err(failed)?;
        let mut outputs = outputs.iter().map(numbers);
        match (outputs.next(), outputs.next()) {
            (Some(probabilities), Some(saliency)) => {
                Ok(Prediction { probabilities, saliency, step })
            }
            _ => Err("the network gave nothing".to_owned()),
        }
    }
}

fn numbers(value: &Value) -> Vec<f32> {
    value.to_f64().into_iter().map(|number| number as f32).collect()
}

/// The images and the probabilities of a signature.
fn ports(ir: &abeyance_ir::Graph, signature: &GraphSignature) -> Result<(NodeId, NodeId), String> {
    let is_of = |node: NodeId, is_rank: &dyn Fn(usize) -> bool| {
        let is_f32 = ir.node(node).ty.tensor().is_some_and(|ty| ty.dtype == DType::F32);
        let shape = ir.shape(node).unwrap_or_default();
        let is_batch = matches!(shape.first(), Some(Dim::Symbol(_)));
        is_f32 && is_batch && is_rank(shape.len())
    };
    let [(_, input)] = signature.inputs.as_slice() else {
        return Err("the signature `predict` takes more than images".to_owned());
    };
    if !is_of(*input, &|rank| rank >= 2) {
        return Err(format!("`predict` takes no images: {}", ir.display_type(*input)));
    }
    let outputs = signature.outputs.iter().map(|(_, node)| *node);
    let Some(output) = outputs.clone().find(|&node| is_of(node, &|rank| rank == 2)) else {
        return Err("`predict` gives no probabilities: f32[N, classes]".to_owned());
    };
    Ok((*input, output))
}

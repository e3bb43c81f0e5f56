//! Loads that must come to an end: no panic, a small stack, memory in proportion.

use std::sync::mpsc;
use std::time::Duration;

use abeyance::ir::{Effect, element_count, known_dims};
use abeyance::prelude::*;

use crate::memory;

/// The bytes that a load may take whatever the file's length: the table of operators, a few
/// mistakes.
pub const GROUND: usize = 64 << 10;
/// The bytes that a load may take for each byte of a graph file.
pub const FILE: usize = 8;
/// And of a checkpoint: `safetensors` reads its header, of which a tensor is 60 bytes, into tables.
pub const CHECKPOINT: usize = 16;
/// The bytes that a load may take for each byte of a text, in which a node can be 15 bytes long.
pub const TEXT: usize = 48;
/// The bytes that all `fill(..)` of a text may take together, and again while an array is put in
/// place.
pub const FILLS: usize = 64 << 20;

/// Longer than any load takes on a machine however busy; not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs on a thread of 2 MiB of stack.
///
/// # Errors
/// It panics, or does not come to an end.
pub fn guarded<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, String> {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let thread = thread
        .spawn(move || {
            let _ = done.send(work());
        })
        .unwrap();
    match wait.recv_timeout(PATIENCE) {
        Ok(result) => Ok(result),
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it does not come to an end".to_owned()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(match thread.join() {
            Ok(()) => "it ends without a result".to_owned(),
            Err(panic) => match panic.downcast_ref::<String>() {
                Some(message) => message.clone(),
                None => "it panics: see above".to_owned(),
            },
        }),
    }
}

/// A graph from bytes, and what reading them took.
pub fn graph(bytes: &[u8]) -> (Result<Graph, String>, usize) {
    let (read, peak) = memory::peak(|| Graph::from_bytes(bytes));
    // What the error is made of counts; that it is printed does not.
    (read.map_err(|mistakes| mistakes.to_string()), peak)
}

/// Loads a graph and checks the memory that this took against what it may take.
pub fn bounded_graph(what: &str, bytes: &[u8]) -> Result<Graph, String> {
    let (read, peak) = graph(bytes);
    let is_text = bytes.first() != abeyance::ir::MAGIC.first();
    let most = if is_text {
        GROUND + TEXT * bytes.len() + 2 * fills(bytes)
    } else {
        GROUND + FILE * bytes.len()
    };
    assert!(peak <= most, "{what}: {} bytes took {peak}, more than {most}", bytes.len());
    read
}

fn fills(text: &[u8]) -> usize {
    if text.windows(4).any(|word| word == b"fill") { FILLS } else { 0 }
}

/// A checkpoint from bytes, its memory held against what it may take.
pub fn bounded_checkpoint(what: &str, bytes: &[u8]) -> Result<Checkpoint, String> {
    let (read, peak) = memory::peak(|| Checkpoint::from_bytes(bytes));
    let most = GROUND + CHECKPOINT * bytes.len();
    assert!(peak <= most, "{what}: {} bytes took {peak}, more than {most}", bytes.len());
    read.map_err(|error| error.to_string())
}

/// Bytes of variables with which no session is made of a graph: it would have the memory that the
/// file asks for, if the machine has it, and others that run beside would not. What is larger no
/// machine has.
const MANY_VARIABLES: std::ops::Range<usize> = 1 << 28..1 << 40;

fn variable_bytes(graph: &Graph) -> usize {
    let graph = graph.ir();
    let variables =
        graph.iter().filter(|(_, node)| node.operator.signature().effect == Effect::Read);
    let bytes = variables.filter_map(|(_, node)| {
        let tensor = node.ty.tensor()?;
        element_count(&known_dims(&tensor.shape)?)?.checked_mul(tensor.dtype.size())
    });
    bytes.fold(0, usize::saturating_add)
}

/// Whoever loads a graph goes on to make a session of it, print it, save it and load it again: a
/// file that is accepted must do no harm there either. What of that is refused is told.
pub fn live_with(what: &str, graph: &Graph) -> Option<String> {
    let text = graph.to_text();
    let again = Graph::from_bytes(text.as_bytes());
    let again = again
        .unwrap_or_else(|mistakes| panic!("{what}: printed, it does not read: {mistakes}\n{text}"));
    assert_eq!(again.to_text(), text, "{what}: prints differently when read back");
    let bytes = graph.ir().to_bytes().unwrap_or_else(|mistakes| panic!("{what}: {mistakes}"));
    let again = Graph::from_bytes(&bytes);
    let again =
        again.unwrap_or_else(|mistakes| panic!("{what}: saved, it does not read: {mistakes}"));
    assert_eq!(again.to_text(), text, "{what}: saved and read, it is another");
    assert!(again.ir().to_bytes().unwrap() == bytes, "{what}: saved twice, it differs");
    if MANY_VARIABLES.contains(&variable_bytes(graph)) {
        return None;
    }
    match Session::with_options(graph, SessionOptions::new().threads(1)) {
        Ok(session) => {
            assert_eq!(session.summaries().len(), graph.ir().summaries().len(), "{what}");
            for signature in graph.ir().signatures() {
                let _ = session.signature(&signature.name);
            }
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

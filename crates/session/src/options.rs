//! How one run is to be made.

use crate::Trace;

/// What [`Session::run_with`](crate::Session::run_with) and [`Callable::run_with`](crate::Callable::run_with) are told about
/// a run besides its fetches and feeds, as TensorFlow's `RunOptions`. No option changes a result.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, RunOptions, Session, Trace};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_]);
/// let y = x.exp().reduce_sum(..);
/// let session = Session::new(&g)?;
/// let mut trace = Trace::new();
/// for _ in 0..10 {
///     let options = RunOptions::new().trace(&mut trace);
///     session.run_with(options, y, feeds![x => &[0.0, 1.0]])?;
/// }
/// assert_eq!(trace.runs(), 10);
/// println!("{trace}"); // nodes by the time they take
/// let json = trace.to_chrome_json(); // for https://ui.perfetto.dev
/// # assert!(json.contains("reduce_sum"));
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RunOptions<'t> {
    pub(crate) trace: Option<&'t mut Trace>,
}

impl<'t> RunOptions<'t> {
    /// Nothing special.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to `trace` when each part of each node ran, and on which thread. A run that fails adds nothing.
    pub fn trace(mut self, trace: &'t mut Trace) -> Self {
        self.trace = Some(trace);
        self
    }
}

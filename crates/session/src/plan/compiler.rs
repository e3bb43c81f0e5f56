//! The compiler of plans: one function whose body is the sequence of its stages.

use abeyance_ir::NodeId;

use super::draft::Draft;
use super::emit::Emitter;
use super::needed::LiveNodes;
use super::passes::{PassSet, passes};
use super::shapes::Shapes;
use super::verify::verify;
use super::write_order::WriteOrder;
use super::{FeedShape, Plan, SessionGraph};
use crate::Error;

/// The name of the stage that translates nodes to a draft.
const TRANSLATION: &str = "translation";

/// The fetches and feed shapes that a plan is compiled for, and the passes that it goes through.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) session: &'a SessionGraph,
    pub(crate) fetches: &'a [NodeId],
    pub(crate) feeds: &'a [FeedShape],
    /// The shapes of the graph around a body, if it is one.
    pub(crate) outside: Option<&'a Shapes<'a>>,
    /// The passes that the plan goes through.
    pub(crate) passes: PassSet,
}

impl<'a> Request<'a> {
    /// Makes the request for fetches at certain feed shapes, through the session's passes.
    pub(crate) fn new(
        session: &'a SessionGraph,
        fetches: &'a [NodeId],
        feeds: &'a [FeedShape],
    ) -> Self {
        Self { session, fetches, feeds, outside: None, passes: session.passes }
    }

    /// These fetches without the passes that can be left out, so that each node is a task of its
    /// own.
    pub(crate) fn without_passes(self) -> Self {
        Self { passes: self.passes.none(), ..self }
    }
}

/// Compiles fetches at certain feed shapes to a plan.
///
/// # Errors
/// A placeholder that is not fed; shapes that do not fit; writes of a variable without an order; an
/// operator that cannot be computed at these shapes.
pub(crate) fn compile(request: &Request<'_>) -> Result<Plan, Error> {
    compile_watched(request, &mut |_, _| {})
}

/// Compiles fetches at certain feed shapes to a plan, and calls `watch` with the draft after each
/// stage that changes it, and the stage's name.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_watched(
    request: &Request<'_>,
    watch: &mut dyn FnMut(&'static str, &Draft<'_>),
) -> Result<Plan, Error> {
    let &Request { session, fetches, feeds, outside, passes: enabled } = request;
    let live = LiveNodes::new(&session.graph, fetches, feeds)?;
    let shapes = Shapes::new(&session.graph, &live, feeds, outside)?;
    let write_order = WriteOrder::new(&session.graph, &live)?;
    let mut draft = Draft::new(request, &live, &shapes, &write_order)?;
    if enabled.verified() {
        verify(&draft, TRANSLATION)?;
    }
    watch(TRANSLATION, &draft);
    for pass in passes().filter(|pass| enabled.contains(pass.name())) {
        pass.run(&mut draft)?;
        if enabled.verified() {
            verify(&draft, pass.name())?;
        }
        watch(pass.name(), &draft);
    }
    Emitter::new(draft, request).emit()
}

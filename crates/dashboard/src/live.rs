//! A session that trains in this process, as a server shows it: its run, its switches and its
//! classifier.

use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_record::{Recorder, Run};
use abeyance_session::Session;

use crate::controls::{ControlRequest, Controls};
use crate::predictor::Predictor;
use crate::runs::ShownRun;

/// The state that a training shares with those who watch it. The training calls
/// [`Live::between_steps`] once a step and [`Live::finish`] at its end.
#[derive(Clone, Debug)]
pub struct Live {
    run: Arc<Run>,
    controls: Arc<Controls>,
    predictor: Option<Arc<Predictor>>,
}

impl Live {
    /// A session's training as the run of that id. Digits can be drawn where its graph classifies
    /// images: [`Predictor::new`].
    pub fn new(session: &Session, id: impl Into<String>) -> Self {
        let graph = Graph::from_ir(session.graph().clone());
        Self {
            run: Run::new(id),
            controls: Arc::default(),
            predictor: Predictor::new(&graph, session.seed()).ok().map(Arc::new),
        }
    }

    /// The run, for [`RecorderOptions::watch`](abeyance_record::RecorderOptions::watch).
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// The switches.
    pub fn controls(&self) -> &Arc<Controls> {
        &self.controls
    }

    /// The training as one of a server's runs.
    pub fn shown(&self) -> ShownRun {
        ShownRun {
            run: self.run.clone(),
            controls: Some(self.controls.clone()),
            predictor: self.predictor.clone(),
        }
    }

    /// Does what was asked for by those who watch: hands weights to who draws, saves by `save`,
    /// which says what it did, waits while training is paused, unless `is_over` says that it ends
    /// for another reason. Gives whether training is to stop. Two looks at a flag where nothing is
    /// asked for.
    pub fn between_steps(
        &self,
        session: &Session,
        recorder: &Recorder,
        is_over: impl Fn() -> bool,
        save: impl Fn() -> Result<String, String>,
    ) -> bool {
        if let Some(predictor) = &self.predictor {
            predictor.offer(session);
        }
        let waiting = |begins: bool| {
            recorder.state(if begins { "paused" } else { "running" });
            if let Some(predictor) = self.predictor.as_ref().filter(|_| begins) {
                // Somebody may draw in the pause, when no step offers any.
                predictor.give(session.state());
            }
        };
        while let Some(request) = self.controls.check(&is_over, waiting) {
            match request {
                ControlRequest::Save(reply) => reply.send(save()),
                ControlRequest::Stop => return true,
            }
        }
        false
    }

    /// Ends the recording; `state` is how training ended. The weights stay, to draw with.
    ///
    /// # Errors
    /// The first thing that went wrong with writing.
    pub fn finish(
        &self,
        session: &Session,
        recorder: &Recorder,
        state: &str,
    ) -> Result<(), abeyance_record::Error> {
        recorder.state(state);
        if let Some(predictor) = &self.predictor {
            predictor.give(session.state());
        }
        let finished = recorder.finish();
        self.run.set_live(false, None);
        finished
    }
}

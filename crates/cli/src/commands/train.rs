//! `abeyance train`.

use std::path::{Path, PathBuf};

use abeyance::checkpoint::{Checkpoint, Checkpoints};
use abeyance::datasets::Dataset;
use abeyance::prelude::*;
use abeyance::session::SignatureRun;
use clap::Args;
use serde_json::json;

use crate::data::{Data, Inputs};
use crate::error::Error;
use crate::feeds::feeds;
use crate::files::{self, Threads};
use crate::interrupt;
use crate::metrics::{self, Metrics};
use crate::monitor::{Monitor, MonitorOptions, Training};
use crate::output::{self, Json};
use crate::progress::Progress;

/// Steps between two evaluations of a training that is not monitored.
const EVAL_EVERY: u64 = 1000;
/// Evaluations of one that is monitored: the points of its test curves.
const MONITORED_EVALUATIONS: u64 = 50;
/// The keys under which a checkpoint notes the data, so that training does not go on with others.
const BATCH: &str = "batch";
const IMAGES: &str = "images";

#[derive(Args)]
pub struct Options {
    /// The graph, with a signature `train` of inputs `images` and `labels`
    graph: PathBuf,
    #[command(flatten)]
    data: Data,
    /// Train until so many steps are done
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    steps: u64,
    /// Images in a step; 100, or as many as the checkpoint that is resumed was trained with
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Save checkpoints in this folder, at the end and every so often
    #[arg(long, value_name = "FOLDER")]
    checkpoint: Option<PathBuf>,
    /// Go on from the newest checkpoint there
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Steps between two checkpoints; 0 for one at the end
    #[arg(long, value_name = "N", default_value_t = 1000)]
    save_every: u64,
    /// Checkpoints that are kept, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 5)]
    keep: usize,
    /// Steps between two evaluations on the test images; 0 for one at the end [default: 1000; with
    /// --log or --dashboard a 50th of all steps]
    #[arg(long, value_name = "N")]
    eval_every: Option<u64>,
    /// Seed of first values, batches and random numbers, instead of the graph's
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    monitor: MonitorOptions,
    #[command(flatten)]
    json: Json,
}

impl Options {
    fn eval_every(&self) -> u64 {
        self.eval_every.unwrap_or(if self.monitor.is_enabled() {
            (self.steps / MONITORED_EVALUATIONS).max(1)
        } else {
            EVAL_EVERY
        })
    }
}

pub fn run(options: &Options) -> Result<(), Error> {
    let graph = files::graph(&options.graph)?;
    if options.monitor.is_enabled() && graph.ir().summaries().is_empty() {
        // The graph has no summaries of its own.
        graph.summaries().variables();
    }
    files::signature(&graph, "train")?;
    let data = options.data.load()?;
    let start = Start::new(options, &data.train)?;
    let session = start.session(&graph, options.threads.threads)?;
    if session.step() >= options.steps {
        let done = session.step();
        output::note(format!(
            "{done} steps are done already: --steps is how many there are in all"
        ));
    }

    let (batch, resumes) = (start.batch, start.checkpoint.is_some());
    let mut trainer = Trainer::new(options, &graph, &session, &data, start)?;
    // Last of all that can be refused: it makes files.
    let monitor = if options.monitor.is_enabled() {
        Some(Monitor::start(
            &options.monitor,
            &Training {
                session: &session,
                data: &data,
                file: options.graph.display().to_string(),
                batch,
                steps: options.steps,
                resumes,
            },
        )?)
    } else {
        None
    };
    trainer.monitor = monitor.as_ref();
    if options.checkpoint.is_none() {
        output::note(
            "no --checkpoint: the trained variables are lost at the end; `--checkpoint FOLDER` saves them",
        );
    }
    interrupt::listen()?;
    let trained = trainer.train().and_then(|evaluated| trainer.finish(evaluated));
    if let Some(monitor) = monitor {
        let state = match &trained {
            Ok(()) => "done".to_owned(),
            Err(Error::Interrupted) => "stopped".to_owned(),
            Err(error) => format!("failed: {}", error.brief()),
        };
        let is_well = matches!(trained, Ok(()) | Err(Error::Interrupted));
        monitor.finish(&session, &state, is_well);
    }
    trained
}

/// The beginning of training: at step 0, or at that of a checkpoint.
struct Start {
    checkpoint: Option<Checkpoint>,
    checkpoints: Option<Checkpoints>,
    batch: usize,
    seed: Option<u64>,
}

impl Start {
    fn new(options: &Options, data: &Dataset) -> Result<Self, Error> {
        let asked = options.batch.map(|batch| batch as usize);
        if let Some(batch) = asked
            && batch > data.len()
        {
            return Err(Error::Failed(format!(
                "--batch {batch}: there are {} training images",
                data.len()
            )));
        }
        let mut start = Self {
            checkpoint: None,
            checkpoints: None,
            batch: asked.unwrap_or(100).min(data.len()),
            seed: options.seed,
        };
        let Some(folder) = &options.checkpoint else { return Ok(start) };
        let checkpoints = Checkpoints::open(folder)?.keep(options.keep);
        let shown = folder.display();
        match (checkpoints.list()?.last(), options.resume) {
            (Some((step, _)), false) => {
                return Err(Error::Failed(format!(
                    "there are checkpoints in `{shown}` already, the newest of step {step}\n   = help: go on from it with `--resume`, or name another folder"
                )));
            }
            (None, true) => {
                output::note(format!(
                    "there is no checkpoint in `{shown}` yet: beginning at step 0"
                ));
            }
            (None, false) => {}
            (Some(_), true) => start.resume(checkpoints.latest()?, folder, options, data)?,
        }
        start.checkpoints = Some(checkpoints);
        Ok(start)
    }

    /// Makes the session that is to be trained, with the variables of the checkpoint.
    fn session(&self, graph: &Graph, threads: usize) -> Result<Session, Error> {
        let mut options = SessionOptions::new().threads(threads);
        if let Some(seed) = self.seed {
            options = options.seed(seed);
        }
        let session = Session::with_options(graph, options)?;
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.restore(&session)?;
            if !checkpoint.is_of(&session) {
                output::note(
                    "the checkpoint is of another version of this graph, with the same variables",
                );
            }
            output::note(format!("going on from step {}", session.step()));
        }
        Ok(session)
    }

    /// Goes on from a checkpoint as it was trained.
    fn resume(
        &mut self,
        checkpoint: Option<Checkpoint>,
        folder: &Path,
        options: &Options,
        data: &Dataset,
    ) -> Result<(), Error> {
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let shown = folder.display();
        let other = |what: &str, was: &str, asked: &str| {
            Error::Failed(format!(
                "the checkpoint in `{shown}` was trained with {what} {was}, not {asked}\n   = help: leave that out to go on as it was trained, or name another folder"
            ))
        };
        if let Some(seed) = options.seed
            && seed != checkpoint.seed()
        {
            return Err(other("--seed", &checkpoint.seed().to_string(), &seed.to_string()));
        }
        self.seed = Some(checkpoint.seed());
        if let Some(noted) = checkpoint.noted(BATCH) {
            if let Some(batch) = options.batch
                && batch.to_string() != noted
            {
                return Err(other("--batch", noted, &batch.to_string()));
            }
            self.batch = noted.parse().unwrap_or(self.batch).clamp(1, data.len());
        }
        let images = describe(data);
        match checkpoint.noted(IMAGES) {
            Some(noted) if noted != images => return Err(other("data of", noted, &images)),
            _ => self.checkpoint = Some(checkpoint),
        }
        Ok(())
    }
}

/// `60000 of 28x28`
fn describe(data: &Dataset) -> String {
    let dims: Vec<String> =
        data.images.shape().iter().skip(1).take(2).map(usize::to_string).collect();
    format!("{} of {}", data.len(), dims.join("x"))
}

struct Trainer<'a> {
    options: &'a Options,
    session: &'a Session,
    data: &'a Mnist,
    start: Start,
    run: SignatureRun<'a>,
    inputs: Inputs,
    /// Of the signature `evaluate`, where there is one.
    evaluation: Option<Inputs>,
    monitor: Option<&'a Monitor<'a>>,
}

impl<'a> Trainer<'a> {
    fn new(
        options: &'a Options,
        graph: &Graph,
        session: &'a Session,
        data: &'a Mnist,
        start: Start,
    ) -> Result<Self, Error> {
        let run = session.signature("train")?;
        if run.signature().steps.is_empty() {
            return Err(Error::Failed(
                "the signature `train` runs no training step\n   = help: the program that saves the graph adds one to the signature: the operation that an optimizer gives".to_owned(),
            ));
        }
        let inputs = Inputs::new(graph, run.signature(), &data.train)?;
        let evaluation = match graph.ir().find_signature("evaluate") {
            Ok(signature) => Some(Inputs::new(graph, signature, &data.test)?),
            Err(_) => {
                output::note(
                    "there is no signature `evaluate`: nothing is said of the test images",
                );
                None
            }
        };
        Ok(Self { options, session, data, start, run, inputs, evaluation, monitor: None })
    }

    /// Trains, and returns the metrics of the last step if it was evaluated.
    fn train(&self) -> Result<Option<Metrics>, Error> {
        let (from, to) = (self.session.step(), self.options.steps);
        let mut progress = Progress::new((from, to), self.start.batch, self.options.json.json);
        let trained = self.steps((from, to), &mut progress);
        progress.finish();
        trained
    }

    fn steps(
        &self,
        (from, to): (u64, u64),
        progress: &mut Progress,
    ) -> Result<Option<Metrics>, Error> {
        let names: Vec<String> =
            self.run.signature().outputs.iter().map(|(name, _)| name.to_string()).collect();
        let batches = self.data.train.batches(self.start.batch).seed(self.session.seed());
        let every = |period: u64, step: u64| period > 0 && step.is_multiple_of(period);
        let eval_every = self.options.eval_every();
        if self.monitor.is_some() && from == 0 && eval_every > 0 && to > 0 {
            // Where the curves begin. That it was looked at is not to be seen in a checkpoint
            // either, which counts draws.
            let begin = self.session.state();
            self.evaluate()?;
            self.session.restore(&begin)?;
        }
        let mut evaluated = None;
        for (step, batch) in (from..to).zip(batches.starting_at(from)) {
            let values = self.inputs.of_batch(batch);
            let feeds = feeds(&self.run, &values)?;
            let outputs = match self.monitor {
                Some(monitor) => monitor.step(step, &self.run, feeds, &names)?,
                None => self.run.run(feeds)?,
            };
            let (done, train) = (step + 1, metrics::metrics(&names, &outputs));
            self.refuse_nan(step, &train)?;
            progress.step(done, &train);
            evaluated = None;
            // The last one too, before it is saved: training that goes on from there has evaluated
            // as often as training that never stopped, and random numbers count on.
            if every(eval_every, done) {
                let speed = progress.speed(done);
                self.say_speed(done, speed);
                let test = self.evaluate()?;
                progress.report(done, speed, &train, Some(&test))?;
                progress.restart(done);
                evaluated = Some(test);
            }
            let is_stopped = self.monitor.is_some_and(|monitor| {
                monitor.handle_requests(self.session, || {
                    self.save_now().map_err(|error| error.brief().to_owned())
                })
            });
            if (interrupt::is_requested() || is_stopped) && done < to {
                return Err(self.stopped(progress)?);
            }
            if done < to && every(self.options.save_every, done) {
                self.save()?;
            }
        }
        Ok(evaluated)
    }

    /// Stops training at a loss that is NaN or infinite. It stays so, and the checkpoints before it
    /// are worth more than those that would follow.
    fn refuse_nan(&self, step: u64, train: &Metrics) -> Result<(), Error> {
        let Some((name, value)) = train.iter().find(|(_, value)| !value.is_finite()) else {
            return Ok(());
        };
        Err(Error::Failed(format!(
            "`{name}` is {value} at step {step}: training cannot recover from it\n   = help: a smaller learning rate, or a loss of logits such as `softmax_cross_entropy`; a `check_numerics` in the graph says where it comes from"
        )))
    }

    fn stopped(&self, progress: &Progress) -> Result<Error, Error> {
        progress.finish();
        let at = format!("stopped at step {} of {}", self.session.step(), self.options.steps);
        match self.save()? {
            Some(path) => {
                eprintln!("{at}, saved `{}`; `--resume` goes on from there", path.display())
            }
            None => eprintln!("{at}; nothing is saved without `--checkpoint FOLDER`"),
        }
        Ok(Error::Interrupted)
    }

    fn save(&self) -> Result<Option<PathBuf>, Error> {
        let Some(checkpoints) = &self.start.checkpoints else { return Ok(None) };
        let checkpoint = Checkpoint::of(self.session)
            .note(BATCH, self.start.batch)
            .note(IMAGES, describe(&self.data.train));
        Ok(Some(checkpoints.save_checkpoint(&checkpoint)?))
    }

    fn evaluate(&self) -> Result<Metrics, Error> {
        let Some(inputs) = &self.evaluation else { return Ok(Metrics::new()) };
        let also = self.monitor.and_then(Monitor::predictions);
        let (test, predictions) =
            metrics::evaluate(self.session, "evaluate", inputs, &self.data.test, 100, also)?;
        if let Some(monitor) = self.monitor {
            monitor.record_test(self.session.step(), &test, &predictions);
        }
        Ok(test)
    }

    fn say_speed(&self, step: u64, speed: f64) {
        if let Some(monitor) = self.monitor {
            monitor.speed(step, speed);
        }
    }

    /// Saves because somebody asks for it, and says where.
    fn save_now(&self) -> Result<String, Error> {
        match self.save()? {
            Some(path) => Ok(format!("saved `{}`", path.display())),
            None => Err(Error::Failed("nothing is saved without `--checkpoint FOLDER`".to_owned())),
        }
    }

    fn finish(&self, evaluated: Option<Metrics>) -> Result<(), Error> {
        let saved = self.save()?;
        let test = match evaluated {
            Some(test) => test,
            None => self.evaluate()?,
        };
        if self.options.json.json {
            return output::json(&json!({
                "step": self.session.step(),
                "test": metrics::object(&test),
                "checkpoint": saved,
            }));
        }
        if let Some(path) = saved {
            output::line(format!("saved `{}`", path.display()))?;
        }
        for (name, value) in &test {
            output::line(format!("test {name} {}", metrics::number(*value)))?;
        }
        Ok(())
    }
}

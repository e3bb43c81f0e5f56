//! Monitoring a training: the recording of `--log`, the page of `--dashboard`, the terminal of
//! `--tui`.

use std::path::PathBuf;
use std::time::Duration;

use abeyance::datasets::{Dataset, Mnist};
use abeyance::prelude::*;
use abeyance::record::{Classifier, Recorder};
use abeyance::session::{SignatureRun, TensorRef, Value};
use abeyance_dashboard::tui::Tui;
use abeyance_dashboard::{Live, Runs, Server, ShownRun, Watch};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::metrics::Metrics;
use crate::{interrupt, output};

/// The step whose times are recorded: late enough that plans are compiled and caches warm.
const TRACED: u64 = 100;
/// The default address of the page.
const ADDR: &str = "127.0.0.1:6006";

/// The options that record a training or show it while it goes on.
#[derive(Args)]
pub struct MonitorOptions {
    /// Record the training in this folder: a TensorBoard log, which `abeyance dashboard` shows, and
    /// `metrics.csv`
    #[arg(long, value_name = "FOLDER")]
    pub log: Option<PathBuf>,
    /// Show the training on a page while it goes on, at this address; port 0 takes one that is free
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = ADDR)]
    pub dashboard: Option<String>,
    /// Show the training in the terminal while it goes on
    #[arg(long, conflicts_with = "json")]
    pub tui: bool,
    /// A name by which browsers may call this machine, besides its numbers and `localhost`
    #[arg(long, value_name = "NAME", requires = "dashboard")]
    pub dashboard_host: Vec<String>,
    /// Show the recorded runs of this folder beside
    #[arg(long, value_name = "FOLDER", requires = "dashboard")]
    pub beside: Option<PathBuf>,
    /// End with the training, instead of keeping the page open until Ctrl-C
    #[arg(long, requires = "dashboard")]
    pub dashboard_close: bool,
    /// Steps between two that are recorded
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub record_every: u64,
}

impl MonitorOptions {
    /// Returns true if the training is recorded or shown anywhere.
    pub fn is_enabled(&self) -> bool {
        self.log.is_some() || self.dashboard.is_some() || self.tui
    }

    /// Opens the page, if it is asked for, and reads the recorded runs beside.
    fn open(&self, shown: ShownRun) -> Result<(Option<Server>, Option<Watch>), Error> {
        let Some(addr) = &self.dashboard else { return Ok((None, None)) };
        let runs = Runs::new();
        runs.add(shown);
        let server =
            Server::start(runs.clone(), addr, &self.dashboard_host).map_err(Error::failed)?;
        let report = |error: abeyance::record::Error| output::note(error);
        let beside = self.beside.as_ref().map(|folder| Watch::start(folder, runs, report));
        Ok((Some(server), beside.transpose().map_err(Error::failed)?))
    }
}

/// Records a training, and shows it on a page or in the terminal.
pub struct Monitor<'a> {
    options: &'a MonitorOptions,
    recorder: Recorder,
    /// A step that fetches the recorded tensors of one number.
    small: SignatureRun<'a>,
    /// A step that fetches all recorded tensors.
    large: SignatureRun<'a>,
    /// The tensor of the network's predictions: classes, or scores of them.
    predictions: Option<TensorRef<Value>>,
    live: Live,
    server: Option<Server>,
    tui: Option<Tui>,
    _beside: Option<Watch>,
    /// Tags that the graph's own summaries have.
    known: Vec<String>,
    traced: u64,
}

/// A training's graph, session, data and settings.
pub struct Training<'a> {
    pub session: &'a Session,
    pub data: &'a Mnist,
    pub file: String,
    pub batch: usize,
    pub steps: u64,
    /// Training goes on from a checkpoint.
    pub resumes: bool,
}

impl<'a> Monitor<'a> {
    /// Begins to record, and opens the page.
    pub fn start(options: &'a MonitorOptions, training: &Training<'a>) -> Result<Self, Error> {
        let session = training.session;
        let first = session.step();
        let name = match &options.log {
            Some(folder) => folder.file_name().map(|name| name.to_string_lossy().into_owned()),
            None => None,
        };
        let live = Live::new(session, name.unwrap_or_else(|| session.graph_name().to_owned()));
        // The address and the terminal first: where they are not to be had, no folder is made or
        // changed.
        let (server, beside) = options.open(live.shown())?;
        let tui = if options.tui {
            let tui = Tui::start(live.run().clone(), Some(live.controls().clone()));
            Some(tui.map_err(Error::failed)?)
        } else {
            None
        };
        let mut recording = Recorder::new(session)
            .watch(live.run().clone())
            .every(options.record_every)
            .steps(training.steps)
            .settings(settings(training));
        if let Some(folder) = &options.log {
            recording = recording.folder(folder);
        }
        if training.resumes {
            recording = recording.resume(first as i64);
        }
        let predictions = Classifier::of(session).map(|classifier| classifier.predictions);
        let recorder = recording.start().map_err(Error::failed)?;
        let tensors = recorder.tensors();
        let train = || session.signature("train");
        let small = recorder.tensors_of_numbers();
        let known = session.summaries().iter().map(|summary| summary.tag.to_string()).collect();
        let monitor = Self {
            options,
            small: train()?.fetching(small)?,
            large: train()?.fetching(tensors)?,
            recorder,
            predictions,
            live,
            server,
            tui,
            _beside: beside,
            known,
            traced: (first + TRACED).min(training.steps.saturating_sub(1)),
        };
        monitor.live.run().set_live(true, Some(training.steps as i64));
        if monitor.predictions.is_some() {
            monitor.test_images(&training.data.test)?;
        }
        let at =
            monitor.server.as_ref().map(|server| format!("the dashboard is at {}", server.url()));
        if let Some(tui) = &monitor.tui {
            output::pause();
            at.iter().for_each(|at| tui.say(at.as_str()));
        }
        at.into_iter().for_each(output::note);
        Ok(monitor)
    }

    fn test_images(&self, data: &Dataset) -> Result<(), Error> {
        let images = Value::F32(data.images.clone().into_dyn());
        let labels: Vec<u16> = data.digits.iter().map(|&digit| digit.into()).collect();
        self.recorder.test_images(&images, &labels).map_err(Error::failed)
    }

    /// Runs a step of training and records it, where it is its turn. `step` of them were done
    /// before. Returns the signature's outputs.
    pub fn step<'b>(
        &self,
        step: u64,
        plain: &SignatureRun<'_>,
        feeds: Vec<Feed<'b>>,
        names: &[String],
    ) -> Result<Vec<Value>, Error> {
        let at = step as i64;
        let run = match (self.recorder.wants_large(at), self.recorder.wants(at)) {
            (true, _) => &self.large,
            (_, true) => &self.small,
            _ => plain,
        };
        if self.recorder.wants(at) && self.recorder.wants_costs() {
            self.recorder.costs(&run.costs(feeds.clone())?);
        }
        let mut outputs = if step == self.traced {
            let mut trace = Trace::new();
            let outputs = run.run_with(RunOptions::new().trace(&mut trace), feeds)?;
            self.recorder.trace(at, &trace);
            outputs
        } else {
            run.run(feeds)?
        };
        if !self.recorder.wants(at) {
            return Ok(outputs);
        }
        let extras = outputs.split_off(names.len().min(outputs.len()));
        self.recorder.record(at, extras);
        // Outputs of the signature of which the graph makes no summary.
        let unnamed = crate::metrics::metrics(names, &outputs).into_iter();
        let unnamed: Metrics = unnamed.filter(|(name, _)| !self.known.contains(name)).collect();
        if !unnamed.is_empty() {
            self.recorder.scalars(at, tagged("train", &unnamed));
        }
        Ok(outputs)
    }

    /// The tensor of predictions, whose values an evaluation is to collect.
    pub fn predictions(&self) -> Option<TensorRef<Value>> {
        self.predictions
    }

    /// Records an evaluation on the test images after so many steps.
    pub fn record_test(&self, step: u64, test: &Metrics, predictions: &[u16]) {
        self.recorder.scalars(step as i64, tagged("test", test));
        if !predictions.is_empty() {
            self.recorder.test(step as i64, predictions);
        }
    }

    /// Records how fast training is.
    pub fn speed(&self, step: u64, speed: f64) {
        self.recorder.scalars(step as i64, [("train/images_per_second", speed)]);
    }

    /// Handles the requests of the page between two steps, and returns true if it asks to stop.
    /// `save` saves a checkpoint and returns its path in a sentence.
    pub fn handle_requests(
        &self,
        session: &Session,
        save: impl Fn() -> Result<String, String>,
    ) -> bool {
        for warning in self.recorder.warnings() {
            if let Some(tui) = &self.tui {
                tui.say(warning.clone());
            }
            output::note(warning);
        }
        self.live.between_steps(session, &self.recorder, interrupt::is_requested, save)
    }

    /// Ends the recording with the state in which training ended. If it ended well, keeps the page
    /// open until Ctrl-C.
    pub fn finish(mut self, session: &Session, state: &str, is_well: bool) {
        let recorded = self.live.finish(session, &self.recorder, state);
        if let Some(mut tui) = self.tui.take() {
            if is_well && !interrupt::is_requested() {
                tui.wait();
            }
            tui.finish();
            output::resume();
        }
        if let Err(error) = recorded {
            output::note(format!("the recording is not whole: {error}"));
        }
        if let Some(server) = &self.server
            && is_well
            && !self.options.dashboard_close
            && !interrupt::is_requested()
        {
            output::note(format!("the dashboard stays at {} until Ctrl-C", server.url()));
            while !interrupt::is_requested() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn tagged(half: &str, metrics: &Metrics) -> Vec<(String, f64)> {
    metrics.iter().map(|(name, value)| (format!("{half}/{name}"), *value)).collect()
}

fn settings(training: &Training<'_>) -> Vec<(&'static str, Json)> {
    let session = training.session;
    let count = |dims: &[usize]| dims.iter().product::<usize>();
    let parameters: usize = session.variable_types().map(|(_, _, dims)| count(&dims)).sum();
    let command: Vec<String> = std::env::args().skip(1).collect();
    vec![
        ("graph", json!(session.graph_name())),
        ("file", json!(training.file)),
        ("batch", json!(training.batch)),
        ("steps", json!(training.steps)),
        ("seed", json!(session.seed())),
        ("threads", json!(session.threads())),
        ("numbers in variables", json!(parameters)),
        ("images", json!(training.data.train.len())),
        ("classes", json!(training.data.train.classes())),
        ("command", json!(format!("abeyance {}", command.join(" ")))),
    ]
}

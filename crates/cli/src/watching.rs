//! Watching a training: the recording that `--log` asks for, and the page of `--dashboard`.

use std::path::PathBuf;
use std::time::Duration;

use abeyance::datasets::{Dataset, Mnist};
use abeyance::prelude::*;
use abeyance::record::{Classifier, Recorder};
use abeyance::session::{Port, SignatureRun, Value};
use abeyance_dashboard::tui::Tui;
use abeyance_dashboard::{Live, Runs, Server, ShownRun, Watch};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::{output, stop};

/// The step whose times are recorded: late enough for all that is done once.
const TRACED: u64 = 100;
/// Where the page is, unless it is said.
const ADDR: &str = "127.0.0.1:6006";

/// How a training can be watched.
#[derive(Args)]
pub struct Watched {
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

impl Watched {
    /// Whether the training is recorded or shown anywhere.
    pub fn is_watched(&self) -> bool {
        self.log.is_some() || self.dashboard.is_some() || self.tui
    }

    /// Opens the page, if it is asked for, and reads what is to be seen beside.
    fn open(&self, shown: ShownRun) -> Result<(Option<Server>, Option<Watch>), Failure> {
        let Some(addr) = &self.dashboard else { return Ok((None, None)) };
        let runs = Runs::new();
        runs.add(shown);
        let server =
            Server::start(runs.clone(), addr, &self.dashboard_host).map_err(Failure::failed)?;
        let told = |error: abeyance::record::Error| output::note(error);
        let beside = self.beside.as_ref().map(|folder| Watch::start(folder, runs, told));
        Ok((Some(server), beside.transpose().map_err(Failure::failed)?))
    }
}

/// A training that is watched.
pub struct Watching<'a> {
    options: &'a Watched,
    recorder: Recorder,
    /// Training with the tensors of numbers, and with all that are recorded.
    small: SignatureRun<'a>,
    large: SignatureRun<'a>,
    /// The tensor of the network's predictions: classes, or scores of them.
    predictions: Option<Port<Value>>,
    live: Live,
    server: Option<Server>,
    tui: Option<Tui>,
    _beside: Option<Watch>,
    /// Tags that the graph's own summaries have.
    known: Vec<String>,
    traced: u64,
}

/// A training's graph, session, data and settings.
pub struct About<'a> {
    pub session: &'a Session,
    pub data: &'a Mnist,
    pub file: String,
    pub batch: usize,
    pub steps: u64,
    /// Training goes on from a checkpoint.
    pub resumes: bool,
}

impl<'a> Watching<'a> {
    /// Begins to record, and opens the page.
    pub fn start(options: &'a Watched, about: &About<'a>) -> Result<Self, Failure> {
        let session = about.session;
        let first = session.step();
        let name = match &options.log {
            Some(folder) => folder.file_name().map(|name| name.to_string_lossy().into_owned()),
            None => None,
        };
        let live = Live::new(session, name.unwrap_or_else(|| session.graph_name().to_owned()));
        // The address and the terminal first: where they are not to be had, no folder is made or
        // changed.
        let (server, beside) = options.open(live.shown())?;
        let tui = match options.tui {
            true => {
                let tui = Tui::start(live.run().clone(), Some(live.controls().clone()));
                Some(tui.map_err(Failure::failed)?)
            }
            false => None,
        };
        let mut recording = Recorder::new(session)
            .watch(live.run().clone())
            .every(options.record_every)
            .steps(about.steps)
            .settings(settings(about));
        if let Some(folder) = &options.log {
            recording = recording.folder(folder);
        }
        if about.resumes {
            recording = recording.resume(first as i64);
        }
        let predictions = Classifier::of(session).map(|classifier| classifier.predictions);
        let recorder = recording.start().map_err(Failure::failed)?;
        let ports = recorder.ports();
        let train = || session.signature("train");
        let small = recorder.ports_of_numbers();
        let known = session.summaries().iter().map(|summary| summary.tag.to_string()).collect();
        let watching = Self {
            options,
            small: train()?.fetching(small)?,
            large: train()?.fetching(ports)?,
            recorder,
            predictions,
            live,
            server,
            tui,
            _beside: beside,
            known,
            traced: (first + TRACED).min(about.steps.saturating_sub(1)),
        };
        watching.live.run().set_live(true, Some(about.steps as i64));
        if watching.predictions.is_some() {
            watching.test_images(&about.data.test)?;
        }
        let at =
            watching.server.as_ref().map(|server| format!("the dashboard is at {}", server.url()));
        if let Some(tui) = &watching.tui {
            output::hold();
            at.iter().for_each(|at| tui.say(at.as_str()));
        }
        at.into_iter().for_each(output::note);
        Ok(watching)
    }

    fn test_images(&self, data: &Dataset) -> Result<(), Failure> {
        let images = Value::F32(data.images.clone().into_dyn());
        let labels: Vec<u16> = data.digits.iter().map(|&digit| digit.into()).collect();
        self.recorder.test_images(&images, &labels).map_err(Failure::failed)
    }

    /// Runs a step of training, and records what is to be recorded of it. `step` of them were done
    /// before. Gives the signature's outputs.
    pub fn step<'b>(
        &self,
        step: u64,
        plain: &SignatureRun<'_>,
        feeds: Vec<Feed<'b>>,
        names: &[String],
    ) -> Result<Vec<Value>, Failure> {
        let at = step as i64;
        let run = match (self.recorder.wants_large(at), self.recorder.wants(at)) {
            (true, _) => &self.large,
            (_, true) => &self.small,
            _ => plain,
        };
        if self.recorder.wants(at) && self.recorder.wants_costs() {
            self.recorder.costs(&run.costs(feeds.clone())?);
        }
        let mut outputs = match step == self.traced {
            true => {
                let mut trace = Trace::new();
                let outputs = run.run_with(RunOptions::new().trace(&mut trace), feeds)?;
                self.recorder.trace(at, &trace);
                outputs
            }
            false => run.run(feeds)?,
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

    /// The tensor whose values an evaluation is to collect: what the network takes images for.
    pub fn predictions(&self) -> Option<Port<Value>> {
        self.predictions
    }

    /// Records an evaluation on the test images after so many steps.
    pub fn tested(&self, step: u64, test: &Metrics, predictions: &[u16]) {
        self.recorder.scalars(step as i64, tagged("test", test));
        if !predictions.is_empty() {
            self.recorder.test(step as i64, predictions);
        }
    }

    /// Records how fast training is.
    pub fn speed(&self, step: u64, speed: f64) {
        self.recorder.scalars(step as i64, [("train/images_per_second", speed)]);
    }

    /// Does what the page asks for between two steps, and gives whether it asks to stop. `save`
    /// saves a checkpoint and says where.
    pub fn obey(&self, session: &Session, save: impl Fn() -> Result<String, String>) -> bool {
        for warning in self.recorder.warnings() {
            if let Some(tui) = &self.tui {
                tui.say(warning.clone());
            }
            output::note(warning);
        }
        self.live.between_steps(session, &self.recorder, stop::is_asked, save)
    }

    /// Ends the recording; `state` is how training ended. Where that was well, keeps the page open
    /// until somebody presses Ctrl-C.
    pub fn finish(mut self, session: &Session, state: &str, is_well: bool) {
        let recorded = self.live.finish(session, &self.recorder, state);
        if let Some(mut tui) = self.tui.take() {
            if is_well && !stop::is_asked() {
                tui.wait();
            }
            tui.finish();
            output::release();
        }
        if let Err(error) = recorded {
            output::note(format!("the recording is not whole: {error}"));
        }
        if let Some(server) = &self.server
            && is_well
            && !self.options.dashboard_close
            && !stop::is_asked()
        {
            output::note(format!("the dashboard stays at {} until Ctrl-C", server.url()));
            while !stop::is_asked() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn tagged(half: &str, metrics: &Metrics) -> Vec<(String, f64)> {
    metrics.iter().map(|(name, value)| (format!("{half}/{name}"), *value)).collect()
}

fn settings(about: &About<'_>) -> Vec<(&'static str, Json)> {
    let session = about.session;
    let count = |dims: &[usize]| dims.iter().product::<usize>();
    let parameters: usize = session.variable_types().map(|(_, _, dims)| count(&dims)).sum();
    let command: Vec<String> = std::env::args().skip(1).collect();
    vec![
        ("graph", json!(session.graph_name())),
        ("file", json!(about.file)),
        ("batch", json!(about.batch)),
        ("steps", json!(about.steps)),
        ("seed", json!(session.seed())),
        ("threads", json!(session.threads())),
        ("numbers in variables", json!(parameters)),
        ("images", json!(about.data.train.len())),
        ("classes", json!(about.data.train.classes())),
        ("command", json!(format!("abeyance {}", command.join(" ")))),
    ]
}

//! Times training with a recording, an open page and ten stuck readers, relative to training alone.
//!
//! `cargo bench --bench watching`; `-- 200000` for the recording of a run of so many steps as well

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use abeyance::prelude::*;
use abeyance::record::{Logs, Recorder, Run};
use abeyance::session::{SignatureRun, Value};
use abeyance_dashboard::{Runs, Server, ShownRun};

const BATCHES: usize = 100;
const ROUNDS: usize = 7;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mnist = Mnist::load()?;
    println!(
        "network               alone ms   recorded       and a page     and 10 stuck   recorded, alone again"
    );
    for (name, steps) in
        [("mnist_softmax", 4_000), ("mnist_mlp_relu", 600), ("mnist_conv_dropout", 150)]
    {
        compare(name, steps, &mnist)?;
    }
    long_run(&mnist)
}

/// A folder for recordings, which goes at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("abeyance-watching-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Batches(Vec<[(&'static str, Value); 2]>);

impl Batches {
    fn new(mnist: &Mnist) -> Self {
        let batches = mnist.train.batches(100).take(BATCHES).map(|batch| {
            let images = Value::F32(batch.images.into_dyn());
            [("images", images), ("labels", Value::F32(batch.labels.into_dyn()))]
        });
        Self(batches.collect())
    }

    fn feeds<'a>(&'a self, run: &SignatureRun<'_>, step: usize) -> Result<Vec<Feed<'a>>, Failure> {
        let batch = &self.0[step % self.0.len()];
        let feeds = batch.iter().map(|(name, value)| run.feed_value(name, value));
        Ok(feeds.collect::<Result<_, _>>()?)
    }
}

/// One network that trains.
struct Training {
    session: Session,
    batches: Batches,
}

impl Training {
    fn new(name: &str, mnist: &Mnist) -> Result<Self, Failure> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("graphs/{name}.graph"));
        let session = Session::new(&Graph::load(path)?)?;
        Ok(Self { session, batches: Batches::new(mnist) })
    }

    /// Milliseconds a step of a training from the beginning.
    fn alone(&self, steps: usize) -> Result<f64, Failure> {
        let run = self.session.signature("train")?;
        run.run(self.batches.feeds(&run, 0)?)?;
        let begin = Instant::now();
        for step in 0..steps {
            run.run(self.batches.feeds(&run, step)?)?;
        }
        Ok(begin.elapsed().as_secs_f64() * 1e3 / steps as f64)
    }

    /// Milliseconds a step of a training that is recorded as the command line does it.
    fn recorded(&self, steps: usize, recorder: &Recorder) -> Result<f64, Failure> {
        let run = self.session.signature("train")?;
        let small = self.session.signature("train")?.fetching(recorder.tensors_of_numbers())?;
        let large = self.session.signature("train")?.fetching(recorder.tensors())?;
        for run in [&run, &small, &large] {
            run.run(self.batches.feeds(run, 0)?)?;
        }
        let outputs = run.signature().outputs.len();
        let begin = Instant::now();
        for step in 0..steps {
            let at = step as i64;
            let how = match (recorder.wants_large(at), recorder.wants(at)) {
                (true, _) => &large,
                (_, true) => &small,
                _ => &run,
            };
            let mut values = how.run(self.batches.feeds(how, step)?)?;
            if recorder.wants(at) {
                recorder.record(at, values.split_off(outputs));
            }
        }
        Ok(begin.elapsed().as_secs_f64() * 1e3 / steps as f64)
    }

    fn recorder(&self, folder: &Path, run: &Arc<Run>, steps: usize) -> Result<Recorder, Failure> {
        let recording = Recorder::new(&self.session)
            .folder(folder)
            .watch(run.clone())
            .steps(steps.max(10_000) as u64);
        Ok(recording.start()?)
    }
}

/// Somebody who looks at a page's stream.
struct Reader {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    _stuck: Option<TcpStream>,
}

impl Reader {
    fn open(server: &Server) -> Result<TcpStream, Failure> {
        let mut stream = TcpStream::connect(server.addr())?;
        write!(stream, "GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr())?;
        Ok(stream)
    }

    /// One that reads everything.
    fn eager(server: &Server) -> Result<Self, Failure> {
        let mut stream = Self::open(server)?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let read = move || {
            let mut bytes = [0; 1 << 16];
            while !over.load(Ordering::Relaxed) {
                let _ = stream.read(&mut bytes);
            }
        };
        Ok(Self { is_over, thread: Some(std::thread::spawn(read)), _stuck: None })
    }

    /// One that reads nothing.
    fn stuck(server: &Server) -> Result<Self, Failure> {
        let stream = Self::open(server)?;
        Ok(Self { is_over: Arc::default(), thread: None, _stuck: Some(stream) })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Training alone and watched, in turn; the medians of the ratios. It is the begin of a training of
/// 10,000 steps.
fn compare(name: &str, steps: usize, mnist: &Mnist) -> Result<(), Failure> {
    let training = Training::new(name, mnist)?;
    let mut alone = Vec::new();
    let mut ratios = [const { Vec::new() }; 3];
    let mut again = Vec::new();
    for round in 0..ROUNDS {
        let base = training.alone(steps)?;
        alone.push(base);
        for (readers, ratios) in [None, Some(0), Some(10)].into_iter().zip(&mut ratios) {
            let scratch = Scratch::new(&format!("{name}-{round}-{readers:?}"));
            let run = Run::new(name);
            let recorder = training.recorder(&scratch.0, &run, steps)?;
            let runs = Runs::new();
            runs.add(ShownRun::recorded(run));
            let server = Server::start(runs, "0", &[])?;
            let mut open = Vec::new();
            if let Some(stuck) = readers {
                open.push(Reader::eager(&server)?);
                for _ in 0..stuck {
                    open.push(Reader::stuck(&server)?);
                }
            }
            ratios.push(training.recorded(steps, &recorder)? / base);
            recorder.finish()?;
        }
        again.push(training.alone(steps)? / base);
    }
    let [recorded, page, stuck] = ratios.map(median);
    println!(
        "{name:20} {:9.4}   {recorded:10.3}   {page:12.3}   {stuck:12.3}   {:12.3}",
        median(alone),
        median(again)
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A long run recorded: its size on disk, and how long reading it takes.
fn long_run(mnist: &Mnist) -> Result<(), Failure> {
    let steps = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(100_000);
    let training = Training::new("mnist_softmax", mnist)?;
    let scratch = Scratch::new("long");
    let run = Run::new("long");
    let recorder = training.recorder(&scratch.0.join("long"), &run, steps)?;
    training.recorded(steps, &recorder)?;
    recorder.finish()?;
    let files = std::fs::read_dir(scratch.0.join("long"))?;
    let bytes: u64 = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum();
    let begin = Instant::now();
    let mut logs = Logs::open(&scratch.0)?;
    while logs.read() > 0 {}
    let read = begin.elapsed();
    let run = logs.runs().next().ok_or("no run")?.clone();
    let begin = Instant::now();
    let points: usize = run
        .curves(&[], abeyance::record::ALL, 2_000)
        .tags
        .values()
        .map(|curve| curve.step.len())
        .sum();
    println!(
        "\n{steps} steps recorded: {:.1} MB on disk, read in {:.0} ms, {points} points of curves in {:.1} ms",
        bytes as f64 / 1e6,
        read.as_secs_f64() * 1e3,
        begin.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

//! A load for model servers: a closed loop over a number of connections, one image a request.

mod answer;
mod failure;
mod grpc;
mod http;
mod idle;
mod images;
mod load;
mod options;
mod protocol;
mod record;
mod reference;

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use clap::Parser;
use tokio::task::LocalSet;

use crate::answer::Answer;
use crate::idle::Idle;
use crate::images::Image;
use crate::load::{Seen, Window, Work};
use crate::options::Options;
use crate::record::Record;

/// The image that is asked about next, over all threads.
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("error: {words}");
            ExitCode::from(2)
        }
    }
}

/// Loads the server and prints what was seen; says whether all went well.
fn run(options: &Options) -> Result<bool, String> {
    let count = options.images as usize;
    let images = match &options.from {
        Some(path) => images::read(path, count)?,
        None => images::drawn(count, options.seed),
    };
    let expected = expected(options, &images)?;
    let idle = match options.idle {
        0 => None,
        count => Some(Idle::open(options.server.1, count, options.timeout)?),
    };
    let begin = Instant::now() + options.warmup;
    let window = Window { begin, end: begin + options.seconds };
    let threads = options.threads.min(options.connections);
    let mut seen = Seen::new();
    std::thread::scope(|scope| {
        let spawn = |thread| {
            let (images, expected) = (&images, expected.clone());
            let connections =
                options.connections / threads + u32::from(thread < options.connections % threads);
            scope.spawn(move || {
                let mut work = work(options, images)?;
                work.expected = expected;
                on_this_thread(load::run(Rc::new(work), connections, window, &NEXT))
            })
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        for thread in running {
            seen.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, String>(())
    })?;
    seen.idle_closed = idle.map_or(0, Idle::close);
    let record = Record::new(options, &seen);
    if options.json {
        println!("{}", record.json());
    } else {
        print!("{}", record.table());
    }
    Ok(seen.failures.is_empty() && seen.wrong == 0 && seen.answered > 0)
}

/// The answers to compare with, if any are wanted.
fn expected(options: &Options, images: &[Image]) -> Result<Option<Vec<Answer>>, String> {
    if let Some(path) = &options.reference {
        return reference::read(path, images).map(Some);
    }
    if !options.check && options.write_reference.is_none() {
        return Ok(None);
    }
    let work = work(options, images)?;
    let answers = on_this_thread(async move { work.answers().await })?
        .map_err(|failure| format!("asked alone before the load: {}", failure.words()))?;
    if let Some(path) = &options.write_reference {
        reference::write(path, images, &answers)?;
    }
    Ok(options.check.then_some(answers))
}

fn work(options: &Options, images: &[Image]) -> Result<Work, String> {
    let target = options.target()?;
    Ok(Work::new(options.protocol, target, options.server.1, images, options.timeout))
}

/// Runs what is to be done on one thread, its tasks too.
fn on_this_thread<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

//! `abeyance serve`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abeyance_serve::{Models, Server, ServerOptions};
use clap::Args;

use crate::error::Error;
use crate::{files, interrupt, output};

#[derive(Args)]
pub struct Options {
    /// A graph, a package or an ONNX model; or a folder of models and their versions,
    /// `NAME/VERSION/...`
    model: PathBuf,
    #[command(flatten)]
    from: files::From,
    /// Name of the model; otherwise that of its file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where HTTP is spoken: an address and a port, or a port of this machine alone; port 0 takes
    /// one that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    http: String,
    /// Where gRPC is spoken
    #[arg(long, value_name = "ADDR")]
    grpc: Option<String>,
    /// The most rows of one run; 1 runs each request alone. It changes no bit of an answer
    #[arg(long, value_name = "ROWS", default_value_t = 64)]
    max_batch: usize,
    /// How many milliseconds a request may wait for others
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds)]
    max_delay: f64,
    /// The most requests that wait; others are answered 503
    #[arg(long, value_name = "N", default_value_t = 1000)]
    queue: usize,
    #[command(flatten)]
    threads: files::Threads,
    /// The longest that a request may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u32,
    /// The longest that a client may take to send a request's head, and its body, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    slow: u32,
    /// The largest body of a request, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    max_body: u32,
    /// The most connections at a time
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_connections: usize,
    /// Ask for the token in this file, as `Authorization: Bearer TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Speak TLS with the certificates in this file (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve an address that other machines reach although no token is asked for
    #[arg(long)]
    allow_public: bool,
    /// A name by which clients may call this machine, besides its numbers and `localhost`
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How many of the newest versions of each model in a folder are served
    #[arg(long, value_name = "N", default_value_t = 1)]
    versions: usize,
    /// How often the folder is looked at, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    poll: u32,
    /// Log each request
    #[arg(long)]
    access_log: bool,
    /// Log lines of JSON
    #[arg(long)]
    json_log: bool,
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=60_000.0).contains(number));
    number.ok_or_else(|| "a number of milliseconds is wanted, at most 60000".to_owned())
}

pub fn run(options: &Options) -> Result<(), Error> {
    let models = models(options)?;
    log(options.json_log);
    interrupt::listen_quietly()?;
    let server = Server::start(models, server_options(options)?).map_err(Error::failed)?;
    output::line(format!("serving at {}; Ctrl-C ends it", server.url()))?;
    if let Some(grpc) = server.grpc() {
        output::line(format!("gRPC at {grpc}"))?;
    }
    while !interrupt::is_requested() {
        std::thread::sleep(Duration::from_millis(20));
    }
    if server.stop() {
        Ok(())
    } else {
        Err(Error::Failed("some requests did not end within 30 seconds".to_owned()))
    }
}

/// One model, or a folder of many: that is a folder which is no model itself and in which folders
/// of versions lie.
fn models(options: &Options) -> Result<Models, Error> {
    let path = &options.model;
    if !is_repository(path) {
        let checkpoint = options.from.checkpoint.clone();
        return Ok(Models::single(path, checkpoint, options.name.clone()));
    }
    let flag = match (&options.from.checkpoint, &options.name) {
        (Some(_), _) => "--checkpoint",
        (None, Some(_)) => "--name",
        (None, None) => return Ok(Models::folder(path)),
    };
    Err(Error::Failed(format!(
        "`{}` is a folder of models, and `{flag}` is for one\n   = help: name the model's own file or folder",
        path.display()
    )))
}

fn is_repository(path: &Path) -> bool {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let is_version = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.parse::<u64>().is_ok())
    };
    let is_empty = || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    let has_versions = |model: &PathBuf| folders(model).iter().any(is_version);
    path.is_dir()
        && !abeyance_package::is_package(path)
        && (is_empty() || folders(path).iter().any(has_versions))
}

fn server_options(options: &Options) -> Result<ServerOptions, Error> {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let mut server = ServerOptions::new()
        .http(&options.http)
        .max_batch(options.max_batch)
        .max_delay(Duration::from_secs_f64(options.max_delay / 1e3))
        .queue(options.queue)
        .threads(options.threads.threads)
        .timeout(seconds(options.timeout))
        .slow(seconds(options.slow))
        .max_body(options.max_body as usize * 1_000_000)
        .max_connections(options.max_connections)
        .allow_public(options.allow_public)
        .versions(options.versions)
        .poll(seconds(options.poll))
        .access_log(options.access_log);
    if let Some(grpc) = &options.grpc {
        server = server.grpc(grpc);
    }
    for host in &options.host {
        server = server.host(host);
    }
    if let Some(file) = &options.token_file {
        let failed = |why: &dyn std::fmt::Display| {
            Error::Failed(format!("cannot read the token in `{}`: {why}", file.display()))
        };
        let bytes = abeyance_storage::read(file, 4096).map_err(|error| failed(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| failed(&"it is no text"))?;
        server = server.token(text.trim());
    }
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        server = server.tls(certificate, key);
    }
    Ok(server)
}

/// Tells on the standard error what happens.
fn log(json: bool) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO);
    // Another subscriber can only be a program's own, and this is one.
    if json { lines.json().init() } else { lines.with_ansi(false).init() }
}

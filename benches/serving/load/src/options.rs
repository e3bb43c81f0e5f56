//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::protocol::{Protocol, Target};

/// Loads a model server: each connection asks about one image, waits for the answer and asks again.
///
/// Ends with 0 when every request was answered and no checked answer was wrong, else with 1.
#[derive(Parser)]
#[command(name = "serving-load")]
pub struct Options {
    /// The server, as 127.0.0.1:8000
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub server: (String, SocketAddr),
    /// How requests are written
    #[arg(long, value_enum)]
    pub protocol: Protocol,
    /// The model's name
    #[arg(long, default_value = "mnist_conv_dropout")]
    pub model: String,
    /// The input's name
    #[arg(long, default_value = "images")]
    pub input: String,
    /// The path of the protocols `json` and `raw`
    #[arg(long, default_value = "/predict", value_parser = path)]
    pub path: String,
    /// Connections that ask
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,
    /// Connections besides that are opened and never ask
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub idle: u32,
    /// Seconds that are measured
    #[arg(long, short, default_value = "10", value_parser = seconds, allow_negative_numbers = true)]
    pub seconds: Duration,
    /// Seconds before them that are not
    #[arg(long, default_value = "1", value_parser = seconds, allow_negative_numbers = true)]
    pub warmup: Duration,
    /// Seconds after which a request without an answer has failed
    #[arg(long, default_value = "30", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Duration,
    /// Threads of this program
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Images that are asked about in turn
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub images: u32,
    /// The images come from an unpacked IDX file; otherwise they are drawn at random
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The seed of drawn images
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Compare every answer's bits with the image's, asked alone before the load or read from
    /// --reference
    #[arg(long)]
    pub check: bool,
    /// The expected answers, as --write-reference wrote them for the same images
    #[arg(long, value_name = "FILE", requires = "check")]
    pub reference: Option<PathBuf>,
    /// Write the answers of the images asked alone
    #[arg(long, value_name = "FILE", conflicts_with = "reference")]
    pub write_reference: Option<PathBuf>,
    /// A file whose first line is sent as bearer token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print one JSON object in place of the table
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// The names of the model and its input, as requests carry them.
    pub fn target(&self) -> Result<Target, String> {
        let token = match &self.token_file {
            Some(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read `{shown}`: {error}"))?;
                let token = text.lines().next().unwrap_or_default().trim();
                if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(format!("the first line of `{shown}` is no bearer token"));
                }
                Some(token.to_owned())
            }
            None => None,
        };
        Ok(Target {
            host: self.server.0.clone(),
            model: self.model.clone(),
            input: self.input.clone(),
            path: self.path.clone(),
            token,
        })
    }
}

fn address(text: &str) -> Result<(String, SocketAddr), String> {
    if text.contains("://") || text.contains('/') {
        return Err("say host and port alone, as 127.0.0.1:8000".to_owned());
    }
    let found = text.to_socket_addrs().map_err(|error| error.to_string())?.next();
    found.map(|found| (text.to_owned(), found)).ok_or_else(|| "no such host".to_owned())
}

fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_path
        .then(|| text.to_owned())
        .ok_or_else(|| "a path begins with `/` and has no spaces".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.0..=86_400.0).contains(&number) {
        return Err("from 0 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}

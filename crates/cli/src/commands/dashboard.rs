//! `abeyance dashboard`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abeyance::session::quantity;
use abeyance_dashboard::tui::Tui;
use abeyance_dashboard::{Runs, Server, Watch};
use clap::Args;

use crate::error::Error;
use crate::{interrupt, output};

#[derive(Args)]
pub struct Options {
    /// A folder of recorded trainings, or one of them; any TensorBoard log will do
    folder: PathBuf,
    /// Where the page is: an address and a port, or a port of this machine alone; port 0 takes one
    /// that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6006")]
    addr: String,
    /// A name by which browsers may call this machine, besides its numbers and `localhost`
    #[arg(long, value_name = "NAME")]
    dashboard_host: Vec<String>,
    /// Write one HTML file that shows the runs without a server, and end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["addr", "tui"])]
    export: Option<PathBuf>,
    /// Show the runs in the terminal
    #[arg(long, conflicts_with = "addr")]
    tui: bool,
}

pub fn run(options: &Options) -> Result<(), Error> {
    if let Some(file) = &options.export {
        return export(options, file);
    }
    let runs = Runs::new();
    let tell = |error: abeyance::record::Error| output::note(error);
    let watch = Watch::start(&options.folder, runs.clone(), tell).map_err(Error::failed)?;
    if runs.list().is_empty() {
        output::note(format!(
            "there is no recording in `{}` yet: `abeyance train GRAPH --log FOLDER` makes one",
            options.folder.display()
        ));
    }
    if options.tui {
        let mut tui = Tui::of(runs).map_err(Error::failed)?;
        output::pause();
        tui.wait();
        tui.finish();
        output::resume();
        return Ok(());
    }
    let server =
        Server::start(runs, &options.addr, &options.dashboard_host).map_err(Error::failed)?;
    interrupt::listen_quietly()?;
    output::line(format!("the dashboard is at {}; Ctrl-C ends it", server.url()))?;
    while !interrupt::is_requested() {
        std::thread::sleep(Duration::from_millis(50));
    }
    drop((server, watch));
    Ok(())
}

fn export(options: &Options, file: &Path) -> Result<(), Error> {
    let (runs, mistakes) =
        abeyance_dashboard::read_folder(&options.folder).map_err(Error::failed)?;
    mistakes.into_iter().for_each(output::note);
    let bytes = abeyance_dashboard::export(&runs, file).map_err(Error::failed)?;
    output::line(format!("wrote `{}`, {}", file.display(), quantity::bytes(bytes as f64)))
}

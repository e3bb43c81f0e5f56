//! `abeyance client`.

use std::path::{Path, PathBuf};

use abeyance_package::Package;
use clap::Args;

use crate::client::{self, Client};
use crate::error::Error;
use crate::files;
use crate::output;

#[derive(Args)]
pub struct Options {
    /// The graph, or a package
    graph: PathBuf,
    /// The signature; otherwise the one that the server takes where none is asked for
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// Name of the model on the server; otherwise that of the file or the package
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The file of Rust; otherwise it goes to the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is no generated client
    #[arg(long)]
    force: bool,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let model = Package::load(&options.graph)?;
    let default = model.signature.as_deref();
    let signature = options.signature.as_deref().or(default).unwrap_or("predict");
    let signature = files::signature(&model.graph, signature)?;
    if signature.outputs.is_empty() {
        return Err(Error::Failed(format!(
            "signature `{}` has no outputs, so there is nothing to ask for",
            signature.name
        )));
    }
    let generated = Client {
        graph: &model.graph.ir(),
        signature: &signature,
        model: options.name.as_deref().unwrap_or(&model.name),
        is_default: default == Some(&*signature.name),
    }
    .generate();
    let Some(path) = &options.output else {
        return output::bytes(generated.as_bytes());
    };
    if !options.force && path.exists() && !is_generated(path) {
        return Err(Error::Failed(format!(
            "`{}` is there already, and is no generated client\n   = help: `--force` writes over it",
            path.display()
        )));
    }
    abeyance_storage::replace(&abeyance_storage::Disk, path, |file| {
        file.write_all(generated.as_bytes())
    })
    .map_err(|error| Error::Failed(format!("cannot write `{}`: {error}", path.display())))?;
    output::line(format!("wrote `{}`, a client of signature `{}`", path.display(), signature.name))
}

/// Returns true if a file says in its head that it was generated, so that no work is lost with it.
fn is_generated(path: &Path) -> bool {
    const MOST_BYTES: u64 = 16 << 20;
    abeyance_storage::read(path, MOST_BYTES)
        .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(client::MARK))
}

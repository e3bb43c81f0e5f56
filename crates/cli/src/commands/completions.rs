//! `abeyance completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::error::Error;
use crate::output;

#[derive(Args)]
pub struct Options {
    /// The shell, such as in `abeyance completions bash > /etc/bash_completion.d/abeyance`
    shell: Shell,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(
        options.shell,
        &mut crate::Arguments::command(),
        "abeyance",
        &mut script,
    );
    output::bytes(&script)
}

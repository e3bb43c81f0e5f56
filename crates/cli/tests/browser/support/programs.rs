//! The command line, running.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::wait_for;

/// A command that shows a page. It is killed when this is dropped.
pub struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pub url: String,
}

impl Program {
    /// `abeyance train` of one of the graphs of this repository, with a page.
    pub fn train(folder: &Path, graph: &str, arguments: &str) -> Self {
        let mut command = abeyance(folder);
        command.arg("train").arg(graph_file(graph)).args(["--dashboard", "0"]);
        command.args(arguments.split_whitespace());
        Self::start(command, "the dashboard is at ")
    }

    /// `abeyance serve` of one of the graphs of this repository, with the variables of a training.
    pub fn serve(folder: &Path, graph: &str, checkpoint: &str) -> Self {
        let mut command = abeyance(folder);
        command.arg("serve").arg(graph_file(graph)).args(["--http", "0"]);
        command.args(["--checkpoint", checkpoint]);
        Self::start(command, "serving at ")
    }

    /// `abeyance dashboard` of a folder.
    pub fn dashboard(folder: &Path, addr: &str) -> Self {
        let mut command = abeyance(folder);
        command.args(["dashboard", ".", "--addr", addr]);
        Self::start(command, "the dashboard is at ")
    }

    /// Waits until it says where its page is, behind these words.
    fn start(mut command: Command, words: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            read(child.stdout.take().unwrap(), output.clone()),
            read(child.stderr.take().unwrap(), output.clone()),
        ];
        let mut program = Self { child, output, readers, url: String::new() };
        program.url = wait_for("the address of the page", || {
            let said = program.said();
            let (_, url) = said.split_once(words)?;
            let end = url.find(['\n', ';'])?;
            Some(url[..end].to_owned())
        });
        program
    }

    /// All that it has printed.
    pub fn said(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The page's port and host.
    pub fn addr(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// Presses Ctrl-C, and gives the code that it ends with and what it has printed.
    pub fn interrupt(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let code = wait_for("the end of the program", || self.child.try_wait().unwrap());
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (code.code(), self.said())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, in a folder.
pub fn abeyance(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abeyance"));
    command.current_dir(folder);
    command
}

/// A graph of this repository.
pub fn graph_file(name: &str) -> String {
    format!("{}/../../graphs/{name}.graph", env!("CARGO_MANIFEST_DIR"))
}

fn read(from: impl Read + Send + 'static, to: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = to.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    })
}

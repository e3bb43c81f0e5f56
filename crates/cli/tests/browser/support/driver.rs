//! The program that drives the browser.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

/// Where the browser and its driver are, if both are there.
pub fn programs() -> Option<(PathBuf, PathBuf)> {
    let found = (find("chromium"), find("chromedriver"));
    if let (Some(chromium), Some(driver)) = found {
        return Some((chromium, driver));
    }
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Not by `eprintln!`, which is kept back where a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "LEFT OUT: the tests in a browser need `chromium` and `chromedriver` (packages chromium, chromium-driver)"
        );
    });
    None
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// It ends when this is dropped.
pub struct Driver {
    child: Child,
    pub url: String,
}

impl Driver {
    pub fn start(program: PathBuf) -> Self {
        let mut command = Command::new(program);
        // It takes a port that is free, and says which.
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

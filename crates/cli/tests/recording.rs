//! `train --log` and `dashboard`: recordings.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use abeyance::record::{Logs, Run};
use support::Folder;

const TRAIN: &str = "train net.graph --data data --batch 40";

/// A column of `metrics.csv` by step, without steps that have nothing in it.
fn column(folder: &Folder, file: &str, name: &str) -> BTreeMap<u64, String> {
    let text = String::from_utf8(folder.read(file)).unwrap();
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = head.iter().position(|column| *column == name).unwrap();
    let rows = lines.filter_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let value = fields[at].to_owned();
        (!value.is_empty()).then(|| (fields[0].parse().unwrap(), value))
    });
    rows.collect()
}

fn run(path: &Path) -> std::sync::Arc<Run> {
    let mut logs = Logs::open(path).unwrap();
    while logs.read() > 0 {}
    assert!(logs.mistakes().is_empty());
    logs.runs().next().unwrap().clone()
}

#[test]
fn a_recording_holds_what_the_page_shows() {
    let folder = Folder::with_network("recording");
    folder.succeed(&format!("{TRAIN} --steps 130 --log log --record-every 10 --eval-every 40"));
    let run = run(&folder.0.join("log"));
    let overview = run.overview();
    assert_eq!(
        (overview.step, overview.steps, overview.state.as_deref()),
        (130, Some(130), Some("done"))
    );
    for tag in ["train/loss", "train/accuracy", "test/loss", "test/accuracy"] {
        assert!(overview.scalars.iter().any(|known| known == tag), "{tag}: {:?}", overview.scalars);
    }
    // The network's file names nothing to watch: its variables are watched.
    assert!(overview.bands.iter().any(|tag| tag == "weights"), "{:?}", overview.bands);
    assert!(overview.graph && overview.trace && overview.batch && overview.test);
    assert_eq!(run.evaluations(), [0, 40, 80, 120, 130]);
    // Of pictures the newest are kept where training is faster than drawing.
    assert_eq!(run.batches().last(), Some(&120));
    let tests = run.tests().unwrap();
    assert_eq!((tests.count, tests.width, tests.height), (100, 6, 6));
    let right = |step| {
        let test = run.test(step).unwrap();
        tests.labels.iter().zip(&test.predictions).filter(|(a, b)| a == b).count()
    };
    assert!(right(130) > right(0));
    let accuracy: f64 = column(&folder, "log/metrics.csv", "test/accuracy")[&130].parse().unwrap();
    assert!((accuracy - right(130) as f64 / 100.0).abs() < 1e-6);
    assert!(run.texts().tags["graph"][0].text.contains("graph"));
}

#[test]
fn a_recording_goes_on_where_training_does() {
    let folder = Folder::with_network("recording-resumed");
    let train = format!("{TRAIN} --record-every 10 --eval-every 20 --threads 1");
    folder.succeed(&format!("{train} --steps 100 --checkpoint whole --log log/whole"));
    // Recorded further than it was saved, as by a program that was killed.
    folder.succeed(&format!("{train} --steps 50 --checkpoint parts --log log/parts"));
    let longer = folder.succeed(&format!("{train} --steps 70 --checkpoint other --log log/other"));
    assert!(longer.contains("test accuracy"));
    std::fs::remove_dir_all(folder.0.join("log/parts")).unwrap();
    std::fs::rename(folder.0.join("log/other"), folder.0.join("log/parts")).unwrap();
    folder.succeed(&format!("{train} --steps 100 --checkpoint parts --log log/parts --resume"));

    folder.assert_same("whole/step-100.safetensors", "parts/step-100.safetensors");
    for tag in ["train/loss", "test/loss", "test/accuracy"] {
        let mut parts = column(&folder, "log/parts/metrics.csv", tag);
        if tag != "train/loss" {
            // The end of the first part was evaluated.
            parts.remove(&50);
        }
        assert_eq!(column(&folder, "log/whole/metrics.csv", tag), parts, "{tag}");
    }
    let files = std::fs::read_dir(folder.0.join("log/parts")).unwrap();
    assert_eq!(files.count(), 2, "one event file and the table");
    let (whole, parts) = (run(&folder.0.join("log/whole")), run(&folder.0.join("log/parts")));
    assert_eq!(whole.batch(90).unwrap().predictions, parts.batch(90).unwrap().predictions);
}

#[test]
fn watched_training_has_the_same_bits() {
    let folder = Folder::with_network("recording-bits");
    folder.succeed(&format!("{TRAIN} --steps 60 --checkpoint alone --eval-every 20"));
    folder.succeed(&format!(
        "{TRAIN} --steps 60 --checkpoint watched --eval-every 20 --log log --record-every 1 --dashboard 0 --dashboard-close"
    ));
    folder.assert_same("alone/step-60.safetensors", "watched/step-60.safetensors");
}

#[test]
fn what_cannot_be_watched_is_said() {
    let folder = Folder::with_network("recording-refused");
    folder.succeed(&format!("{TRAIN} --steps 5 --log log"));
    std::fs::write(folder.0.join("file"), "").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut said = String::new();
    for arguments in [
        "--log log".to_owned(),
        "--log file/log".to_owned(),
        "--log new --record-every 0".to_owned(),
        "--dashboard nowhere".to_owned(),
        "--dashboard 127.0.0.1:99999".to_owned(),
        format!("--dashboard {port}"),
        "--dashboard-close".to_owned(),
        "--tui".to_owned(),
    ] {
        let ran = folder.run(&format!("{TRAIN} --steps 9 {arguments}"));
        assert_ne!(ran.code, Some(0), "{arguments}");
        said.push_str(&format!("train {arguments}\n{}\n", ran.errors));
    }
    // What was refused for its address or its terminal has made no recording.
    for arguments in [format!("--dashboard {port}"), "--tui".to_owned()] {
        folder.run(&format!("{TRAIN} --steps 9 --log unmade {arguments}"));
        assert!(!folder.0.join("unmade").exists(), "{arguments}");
    }
    for arguments in ["missing", "file", "data --export out/of/reach.html", "data --addr x"] {
        let ran = folder.run(&format!("dashboard {arguments}"));
        assert_ne!(ran.code, Some(0), "{arguments}");
        said.push_str(&format!("dashboard {arguments}\n{}\n", ran.errors));
    }
    let said = said.replace(&port.to_string(), "PORT");
    insta::assert_snapshot!("refused", said);
}

#[test]
fn a_recording_is_exported_as_one_file() {
    let folder = Folder::with_network("recording-exported");
    folder.succeed(&format!("{TRAIN} --steps 60 --log runs/a"));
    let said = folder.succeed("dashboard runs --export out.html");
    assert!(said.starts_with("wrote `out.html`, "), "{said}");
    let page = String::from_utf8(folder.read("out.html")).unwrap();
    assert!(page.contains("id=\"recording\"") && page.contains("/api/runs/a/curves"));
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
}

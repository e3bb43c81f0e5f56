//! A program that is killed while it saves, again and again: this test starts itself as that
//! program.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use abeyance_checkpoint::Checkpoints;
use abeyance_graph::{Graph, Operation, dims, zeros};
use abeyance_session::Session;

/// The child finds in it the folder to save in.
const FOLDER: &str = "ABEYANCE_SAVE_UNTIL_KILLED";
const KILLS: u64 = 200;
/// Elements of the variable, so many that most of the time is spent in writing.
const SIZE: usize = 50_000;

/// All elements of the variable are the number of steps.
fn counting(g: &Graph) -> Operation<'_> {
    let w = g.variable::<f32>("w", zeros(dims![SIZE]));
    g.group([w.assign(w + 1.0)])
}

/// Not a test by itself: what is killed. It goes on from the newest checkpoint, and tells of each
/// that is finished.
#[test]
fn save_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let g = Graph::named("counting");
    let step = counting(&g);
    let session = Session::new(&g).unwrap();
    let checkpoints = Checkpoints::open(Path::new(&folder)).unwrap().keep(2);
    if let Some(checkpoint) = checkpoints.latest().unwrap() {
        checkpoint.restore(&session).unwrap();
    }
    // The harness holds back what is printed by `println`.
    let mut out = std::io::stdout();
    writeln!(out, "\nsaved {}", session.step()).unwrap();
    loop {
        session.run(step, []).unwrap();
        checkpoints.save(&session).unwrap();
        writeln!(out, "\nsaved {}", session.step()).unwrap();
    }
}

/// Starts that program, kills it a while after it began to save, and gives the last step that it
/// told of.
fn run_and_kill(folder: &Path, after: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "save_until_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let step = |line: String| line.strip_prefix("saved ")?.parse::<u64>().ok();
    let started = lines.by_ref().find_map(step).expect("the child begins to save");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter_map(step).last().unwrap_or(started)
}

fn names(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn after_each_of_200_kills_the_newest_checkpoint_is_whole_and_not_older_than_what_was_told() {
    let folder = std::env::temp_dir().join(format!("abeyance-kills-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let g = Graph::named("counting");
    let _ = counting(&g);
    let session = Session::new(&g).unwrap();
    let (mut leftovers, mut unsaid) = (0, 0);
    // Spread evenly, in no order: multiples of the golden ratio.
    let mut fraction = 0.0;
    for kill in 0..KILLS {
        fraction = (fraction + 0.618_033_988_749_894_9_f64) % 1.0;
        let told = run_and_kill(&folder, Duration::from_micros((fraction * 8000.0) as u64));
        leftovers += abeyance_storage::temporary_files(&folder).unwrap().len();

        let checkpoints = Checkpoints::open(&folder).unwrap().keep(2);
        assert!(abeyance_storage::temporary_files(&folder).unwrap().is_empty(), "kill {kill}");
        let newest = checkpoints.latest().unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let Some(newest) = newest else {
            assert_eq!(told, 0, "kill {kill}");
            continue;
        };
        // One more may have been finished than it came to tell.
        let step = newest.step();
        assert!(step == told || step == told + 1, "kill {kill}: {step}, told {told}");
        unsaid += step - told;
        newest.restore(&session).unwrap();
        let w = session.variable::<f32>("w").unwrap();
        assert!(w.iter().all(|&w| w == step as f32), "kill {kill}");
    }
    // Kills between a save and the removal of the oldest left more than two; the next save that
    // ends removes them all.
    Checkpoints::open(&folder).unwrap().keep(2).save(&session).unwrap();
    assert_eq!(names(&folder).len(), 2, "{:?}", names(&folder));
    eprintln!("{leftovers} kills left an unfinished file, {unsaid} came before a save was told");
    assert!(leftovers > 0, "no kill came in the midst of a file: kill at other moments");
    std::fs::remove_dir_all(&folder).unwrap();
}

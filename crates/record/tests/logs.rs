//! A folder of runs is read whole, goes on being read, and takes few files to do so.

use std::path::{Path, PathBuf};

use abeyance_record::proto::{Content, Event, Summary, Value, What};
use abeyance_record::{ALL, EventWriter, Logs, Run, folder};

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn loss(step: i64) -> Event {
    let content = Some(Content::SimpleValue(1.0 / (step + 1) as f32));
    let value = Value { tag: "loss".to_owned(), metadata: None, content };
    let summary = Summary { value: vec![value] };
    Event { wall_time: 1e9 + step as f64, step, what: Some(What::Summary(summary)) }
}

fn write(writer: &mut EventWriter, steps: std::ops::Range<i64>) {
    for step in steps {
        writer.append(&loss(step)).unwrap();
    }
    writer.flush().unwrap();
}

fn steps(run: &Run) -> Vec<i64> {
    run.curves(&[], ALL, 100_000).tags.remove("loss").map_or(Vec::new(), |curve| curve.step)
}

/// Reads until the runs are as wanted: new files are looked for every so often.
fn read_until(logs: &mut Logs, is_done: impl Fn(&Logs) -> bool) {
    for _ in 0..2_000 {
        while logs.read() > 0 {}
        if is_done(logs) {
            assert!(logs.mistakes().is_empty());
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it was not read");
}

#[test]
fn a_run_is_followed_while_it_grows_and_when_it_is_resumed() {
    let root = fresh("grows");
    let mut writer = EventWriter::create(root.join("a")).unwrap();
    write(&mut writer, 0..10);
    let mut logs = Logs::open(&root).unwrap();
    while logs.read() > 0 {}
    let run = logs.runs().next().unwrap().clone();
    assert_eq!((run.id(), steps(&run)), ("a", (0..10).collect()));

    write(&mut writer, 10..15);
    while logs.read() > 0 {}
    assert_eq!(steps(&run), (0..15).collect::<Vec<_>>());
    drop(writer);

    let (mut writer, _) = folder::resume(root.join("a"), 4).unwrap();
    write(&mut writer, 5..7);
    read_until(&mut logs, |_| steps(&run) == (0..7).collect::<Vec<_>>());

    // A run that comes later.
    write(&mut EventWriter::create(root.join("deep/er/b")).unwrap(), 0..3);
    read_until(&mut logs, |logs| {
        logs.runs().any(|run| run.id() == "deep/er/b" && steps(run) == [0, 1, 2])
    });
}

#[cfg(target_os = "linux")]
#[test]
fn hundreds_of_runs_do_not_take_hundreds_of_open_files() {
    let root = fresh("many");
    for run in 0..600 {
        write(&mut EventWriter::create(root.join(format!("{run:04}"))).unwrap(), 0..3);
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let mut logs = Logs::open(&root).unwrap();
    let mut most = before;
    while logs.read() > 0 {
        most = most.max(open());
    }
    assert!(logs.mistakes().is_empty());
    assert_eq!(logs.runs().filter(|run| steps(run) == [0, 1, 2]).count(), 600);
    // Tests beside this one open some.
    assert!(most < before + 100, "{before} before, {most} meanwhile");
}

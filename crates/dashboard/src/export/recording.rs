//! The answers of a server, path by path, as one JSON object.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use abeyance_record::{ALL, Run};

use crate::runs::Runs;
use crate::{answers, graph};

/// Points of a curve and of a band.
const POINTS: usize = 5_000;
/// Batches, evaluations, traces and steps with images of a run.
const MOST_KEPT: usize = 200;
/// The page shows so many images of a step.
const MOST_IMAGES: usize = 200;
/// Images of a tag, over all steps.
const MOST_IMAGES_OF_TAG: usize = 2_000;

/// Writes the object. The time of the process's clock is left out: the same runs make the same
/// file.
pub(super) fn write(runs: &Runs, out: &mut dyn Write) -> io::Result<()> {
    let mut answers = Answers { out: Escaped(out), is_first: true };
    answers.out.write_all(b"{")?;
    let mut list = answers::runs(runs, "recording", false);
    set(&mut list, "seq", 0.into());
    // Nothing goes on, and nobody is there to ask.
    for row in list.get_mut("runs").and_then(Value::as_array_mut).into_iter().flatten() {
        for name in ["live", "draw", "controls"] {
            set(row, name, false.into());
        }
    }
    answers.put("/api/runs", &list)?;
    for shown in runs.list() {
        answers.run(&shown.run)?;
    }
    answers.out.write_all(b"}")
}

struct Answers<'a> {
    out: Escaped<'a>,
    is_first: bool,
}

impl Answers<'_> {
    fn put(&mut self, path: &str, answer: &impl Serialize) -> io::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut self.out, path)?;
        self.out.write_all(b":")?;
        serde_json::to_writer(&mut self.out, answer)?;
        Ok(())
    }

    fn run(&mut self, run: &Run) -> io::Result<()> {
        let at = format!("/api/runs/{}", segment(run.id()));
        let mut curves = run.curves(&[], ALL, POINTS);
        curves.seq = 0;
        self.put(&format!("{at}/curves?points={POINTS}"), &curves)?;
        let mut bands = run.bands(ALL, POINTS);
        bands.seq = 0;
        self.put(&format!("{at}/bands?points={POINTS}"), &bands)?;

        let steps =
            self.each(&format!("{at}/batch"), run.batches(), |step| answers::batch(run, step))?;
        self.put(&format!("{at}/batches"), &json!({ "steps": steps }))?;
        self.tests(run, &at)?;
        if let Some(graph) = graph::graph(run) {
            self.put(&format!("{at}/graph"), &graph)?;
        }
        let traces = run.traces();
        let steps = traces.iter().map(|trace| trace.step).collect();
        let steps = self.each(&format!("{at}/trace"), steps, |step| graph::trace(run, step))?;
        let kept: Vec<_> =
            traces.iter().filter(|trace| steps.binary_search(&trace.step).is_ok()).collect();
        self.put(&format!("{at}/traces"), &json!({ "traces": kept }))?;
        self.put(&format!("{at}/texts"), &run.texts())?;
        self.images(run, &at)
    }

    /// Puts the answers for steps, or for as many of them as are kept, and gives which these are.
    fn each(
        &mut self,
        at: &str,
        steps: Vec<i64>,
        ask: impl Fn(i64) -> Option<Value>,
    ) -> io::Result<Vec<i64>> {
        let mut kept = Vec::new();
        for step in spread(&steps, MOST_KEPT) {
            // One that its file does not give any more is no step of the export.
            if let Some(answer) = ask(step) {
                self.put(&format!("{at}/{step}"), &answer)?;
                kept.push(step);
            }
        }
        Ok(kept)
    }

    fn tests(&mut self, run: &Run, at: &str) -> io::Result<()> {
        let Some(mut tests) = answers::tests(run) else { return Ok(()) };
        let steps =
            self.each(&format!("{at}/test"), run.evaluations(), |step| answers::test(run, step))?;
        set(&mut tests, "steps", json!(steps));
        self.put(&format!("{at}/tests"), &tests)?;
        match run.tests() {
            Some(tests) => self.put(&format!("{at}/sprite"), &answers::data_url(&tests.png)),
            None => Ok(()),
        }
    }

    fn images(&mut self, run: &Run, at: &str) -> io::Result<()> {
        let mut images = run.images();
        for (tag, known) in &mut images.tags {
            let count = known.count.min(MOST_IMAGES);
            let most = (MOST_IMAGES_OF_TAG / count.max(1)).min(MOST_KEPT);
            known.steps = spread(&known.steps, most);
            for &step in &known.steps {
                for index in 0..count {
                    if let Some(image) = run.image(tag, step, index) {
                        let path = format!("{at}/image/{}/{step}/{index}", segment(tag));
                        self.put(&path, &answers::data_url(&image))?;
                    }
                }
            }
        }
        self.put(&format!("{at}/images"), &images)
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// At most so many of the steps, evenly spread, with the first and the last.
fn spread(steps: &[i64], most: usize) -> Vec<i64> {
    let most = most.max(2);
    match steps.len().checked_sub(1) {
        Some(last) if steps.len() > most => {
            (0..most).filter_map(|place| steps.get(last * place / (most - 1)).copied()).collect()
        }
        _ => steps.to_vec(),
    }
}

/// A part of a path as JavaScript's `encodeURIComponent` writes it, by which the page looks it up.
fn segment(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            path.push(byte as char)
        } else {
            path.push_str(&format!("%{byte:02X}"))
        }
    }
    path
}

/// JSON that can stand in a `script` element: `<`, which could end it, is written otherwise. It
/// stands within texts only.
struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (index, part) in bytes.split(|&byte| byte == b'<').enumerate() {
            if index > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use abeyance_record::summary::{classes, event, images, scalar, sprite, text};
    use abeyance_record::{sprite::Sprite, tags};

    use super::*;
    use crate::runs::ShownRun;

    fn picture(count: usize) -> Sprite {
        Sprite { width: 2, height: 2, columns: 10, count, png: b"\x89PNG".to_vec() }
    }

    fn written(runs: &Runs) -> (Vec<u8>, Value) {
        let mut bytes = Vec::new();
        write(runs, &mut bytes).unwrap();
        let value = serde_json::from_slice(&bytes).unwrap();
        (bytes, value)
    }

    #[test]
    fn what_the_page_asks_for_is_there_and_reads_back() {
        let run = Run::new("a/b c");
        for step in 0..500i64 {
            let batch = vec![
                scalar("train/loss", 1.0 / (1 + step) as f32),
                sprite(tags::BATCH, picture(2)),
                classes(tags::BATCH_LABELS, &[1, 2]),
                classes(tags::BATCH_PREDICTIONS, &[1, 3]),
            ];
            run.apply(&event(1.0, step, batch), None);
        }
        let test = vec![
            sprite(tags::TEST_IMAGES, picture(2)),
            classes(tags::TEST_LABELS, &[4, 5]),
            classes(tags::TEST_PREDICTIONS, &[4, 4]),
            images("filters", 2, 2, vec![b"\x89PNG1".to_vec(), b"\x89PNG2".to_vec()]),
            text("note", "</script><script>alert(1)</script><!--"),
        ];
        run.apply(&event(2.0, 600, test), None);
        let runs = Runs::new();
        runs.add(ShownRun::recorded(run.clone()));
        let (bytes, all) = written(&runs);
        assert!(!bytes.contains(&b'<'));
        let at = |path: &str| &all[format!("/api/runs/a%2Fb%20c/{path}")];
        assert_eq!(all["/api/runs"]["runs"][0]["live"], false);
        assert_eq!(at("curves?points=5000")["tags"]["train/loss"]["count"], 500);
        let steps = at("batches")["steps"].as_array().unwrap();
        assert!(steps.len() <= MOST_KEPT && steps.len() > 100, "{}", steps.len());
        for step in steps {
            assert_eq!(at(&format!("batch/{step}"))["step"], *step);
        }
        assert_eq!(at("tests")["steps"], json!([600]));
        assert_eq!(at("test/600")["step"], 600);
        assert_eq!(at("sprite"), "data:image/png;base64,iVBORw==");
        assert_eq!(at("images")["tags"]["filters"]["steps"], json!([600]));
        assert_eq!(at("image/filters/600/1"), "data:image/png;base64,iVBORzI=");
        let note = &at("texts")["tags"]["note"][0]["text"];
        assert_eq!(note, "</script><script>alert(1)</script><!--");
        assert_eq!(written(&runs).0, bytes, "the same file again");
    }

    #[test]
    fn a_run_of_curves_alone_has_no_pictures() {
        let run = Run::new(".");
        run.apply(&event(1.0, 0, vec![scalar("x", f32::NAN)]), None);
        let runs = Runs::new();
        runs.add(ShownRun::recorded(run));
        let (_, all) = written(&runs);
        assert_eq!(all["/api/runs/./curves?points=5000"]["tags"]["x"]["value"], json!([null]));
        assert_eq!(all["/api/runs/./batches"]["steps"], json!([]));
        assert!(all.get("/api/runs/./tests").is_none());
        assert!(all.get("/api/runs/./graph").is_none());
    }

    #[test]
    fn steps_are_spread_from_the_first_to_the_last() {
        let steps: Vec<i64> = (0..1000).collect();
        let kept = spread(&steps, 200);
        assert_eq!((kept.len(), kept[0], kept[199]), (200, 0, 999));
        assert!(kept.windows(2).all(|pair| (5..=6).contains(&(pair[1] - pair[0]))));
        assert_eq!(spread(&steps[..3], 200), [0, 1, 2]);
        assert_eq!(spread(&[], 200), [0i64; 0]);
    }

    #[test]
    fn paths_are_written_as_the_page_writes_them() {
        assert_eq!(segment("a/b c-_.!~*'()é"), "a%2Fb%20c-_.!~*'()%C3%A9");
    }
}

//! Logs that PyTorch's and TensorFlow's own writers wrote: `data/README.md` says how.

use std::path::Path;
use std::sync::Arc;

use abeyance_record::proto::{Event, GraphDef};
use abeyance_record::{ALL, EventReader, PERCENTILES, Run, sprite};

/// A kept file as a run.
fn run(name: &str) -> Arc<Run> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut reader = EventReader::open(&path).unwrap();
    let run = Run::new(name);
    while let Some((event, place)) = reader.next().unwrap() {
        run.apply(&event, Some(&place));
    }
    assert_eq!(reader.offset(), std::fs::metadata(&path).unwrap().len());
    run
}

/// The loss is 1 / (1 + step) at steps 0 to 9.
fn check_loss(run: &Run, tag: &str) {
    let curves = run.curves(&[tag.to_owned()], ALL, 1000);
    let curve = &curves.tags[tag];
    assert_eq!(curve.step, (0..10).collect::<Vec<_>>());
    let expected: Vec<f32> = (0..10).map(|step| (1.0 / f64::from(1 + step)) as f32).collect();
    assert_eq!(curve.value, expected);
    assert!(curve.wall.iter().all(|&wall| wall > 1.7e9));
}

/// The weights are even from `step` to `step` + 0.99 at steps 0 and 5; what is read of their
/// histogram is within `error` of that.
fn check_weights(run: &Run, error: f32) {
    let bands = run.bands(ALL, 1000);
    let weights = &bands.tags["weights"];
    assert_eq!((&weights.step[..], weights.exact), (&[0, 5][..], false));
    for (place, percent) in PERCENTILES.iter().enumerate() {
        for (at, step) in [0.0, 5.0].into_iter().enumerate() {
            let (found, expected) =
                (weights.bands[place][at], step + 0.99 * f32::from(*percent) / 100.0);
            assert!((found - expected).abs() <= error, "{percent} %: {found}, not {expected}");
        }
    }
}

/// Each image is 4 wide and 3 high; the first begins black, the second ends white.
fn check_image(run: &Run, tag: &str, index: usize, is_second: bool) {
    let (pixels, width, height, _) = sprite::decode(&run.image(tag, 5, index).unwrap()).unwrap();
    assert_eq!((width, height), (4, 3));
    if is_second { assert_eq!(pixels.last(), Some(&255)) } else { assert_eq!(pixels[0], 0) }
}

fn names(graph: &GraphDef) -> Vec<&str> {
    graph.node.iter().map(|node| node.name.as_str()).collect()
}

fn text(run: &Run, tag: &str) -> String {
    let texts = run.texts();
    let texts = &texts.tags[tag];
    assert_eq!((texts.len(), texts[0].step), (1, 5));
    texts[0].text.clone()
}

#[test]
fn pytorchs_log_is_read() {
    let run = run("pytorch.tfevents");
    check_loss(&run, "loss");
    check_loss(&run, "loss_of_new_style");
    // Its buckets grow by a tenth each.
    check_weights(&run, 0.5);
    check_image(&run, "digits", 0, false);
    assert_eq!(text(&run, "note/text_summary"), "written by *PyTorch*");
    let graph = run.graph().unwrap();
    assert!(names(&graph).iter().any(|name| name.contains("Linear")), "{:?}", names(&graph));
}

#[test]
fn tensorflow_2s_log_is_read() {
    let run = run("tensorflow2.tfevents");
    check_loss(&run, "loss");
    check_weights(&run, 0.04);
    for index in 0..2 {
        check_image(&run, "digits", index, index == 1);
    }
    assert_eq!(run.image("digits", 5, 2), None);
    assert_eq!(text(&run, "note"), "written by *TensorFlow 2*");
    let graph = run.graph().unwrap();
    assert_eq!(names(&graph), ["x", "w", "b", "product", "sum", "Identity", "identity_RetVal"]);
}

#[test]
fn tensorflow_1s_log_is_read() {
    let run = run("tensorflow1.tfevents");
    check_loss(&run, "loss");
    check_weights(&run, 0.5);
    check_image(&run, "digits/image/0", 0, false);
    check_image(&run, "digits/image/1", 0, true);
    assert_eq!(text(&run, "note"), "written by *TensorFlow 1*");
    let graph = run.graph().unwrap();
    for name in ["product", "sum", "w", "at"] {
        assert!(names(&graph).contains(&name), "{:?}", names(&graph));
    }
    let sum = graph.node.iter().find(|node| node.name == "sum").unwrap();
    assert_eq!(
        (sum.op.as_str(), &sum.input[..]),
        ("AddV2", &["product".to_owned(), "at".to_owned()][..])
    );
    let (step, metadata) = run.trace(5).unwrap();
    let devices = metadata.step_stats.unwrap().dev_stats;
    let ran = devices.iter().flat_map(|device| &device.node_stats);
    assert!(step == 5 && ran.clone().any(|node| node.node_name == "sum"));
}

/// TensorFlow 1 writes the graph by itself and in a larger message; each is enough.
#[test]
fn a_graph_inside_a_meta_graph_is_read() {
    use abeyance_record::proto::What;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tensorflow1.tfevents");
    let mut reader = EventReader::open(path).unwrap();
    let mut events: Vec<Event> = Vec::new();
    while let Some((event, _)) = reader.next().unwrap() {
        events.push(event);
    }
    let graph = |keep: fn(&What) -> bool| {
        let run = Run::new("one");
        for event in events.iter().filter(|event| event.what.as_ref().is_some_and(keep)) {
            run.apply(event, None);
        }
        run.graph().unwrap()
    };
    let alone = graph(|what| matches!(what, What::GraphDef(_)));
    let inside = graph(|what| matches!(what, What::MetaGraphDef(_)));
    assert_eq!(names(&alone), names(&inside));
}

/// Each kept file, cut anywhere or with a byte changed, is read or refused.
#[test]
fn damaged_logs_do_no_harm() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged.tfevents");
    for name in ["pytorch.tfevents", "tensorflow1.tfevents", "tensorflow2.tfevents"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let whole = std::fs::read(path).unwrap();
        let mut events = Vec::new();
        for at in (0..whole.len()).step_by(61) {
            let mut changed = whole.clone();
            changed[at] = changed[at].wrapping_add(1 + at as u8 % 255);
            for bytes in [&whole[..at], &changed[..]] {
                std::fs::write(&target, bytes).unwrap();
                let mut reader = EventReader::open(&target).unwrap();
                let run = Run::new("damaged");
                let mut count = 0;
                loop {
                    match reader.next() {
                        Ok(Some((event, place))) => run.apply(&event, Some(&place)),
                        Ok(None) => break,
                        Err(error) => assert!(error.to_string().contains("damaged")),
                    }
                    count += 1;
                }
                events.push(count);
                let _ = (run.overview(), run.graph(), run.image("digits", 5, 0), run.trace(5));
            }
        }
        assert!(events.iter().max() > events.iter().min());
    }
}

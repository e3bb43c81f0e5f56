//! A training that is recorded: what is kept of it, that it is the same training, and that it goes
//! on.

mod network;

use std::path::PathBuf;

use abeyance_graph::Graph;
use abeyance_ir::NodeId;
use abeyance_record::proto::{Attr, AttrValue, What};
use abeyance_record::{
    ALL, EventReader, PERCENTILES, Recorder, Run, folder, graph_def, quantiles::Quantiles, sprite,
};
use abeyance_session::{RunOptions, Session, Trace, Value};
use network::{Network, batch, classifier, fresh, network, recorded, run_of, session};

/// The variables, as bits.
fn variables(session: &Session) -> Vec<(String, Vec<u32>)> {
    let value = |name: &str| session.variable::<f32>(name).unwrap();
    let bits = |name: &str| value(name).iter().map(|x| x.to_bits()).collect();
    session.variables().map(|name| (name.to_owned(), bits(name))).collect()
}

fn train(session: &Session, network: &Network<'_>, steps: std::ops::Range<u64>) {
    for step in steps {
        session.run((network.loss, network.step), network.feeds(&batch(step))).unwrap();
    }
}

#[test]
fn what_trains_is_the_same_to_the_last_bit_with_a_recorder() {
    let g = Graph::named("small");
    let network = network(&g);
    let alone = session(&g);
    train(&alone, &network, 0..60);
    for every in [1, 7] {
        let watched = session(&g);
        let folder = fresh(&format!("bits{every}"));
        let recorder = Recorder::new(&watched).folder(&folder).every(every);
        let recorder = recorder.classifier(classifier(&network)).start().unwrap();
        for step in 0..60 {
            let fetches = (network.loss, network.step);
            recorder.run(&watched, fetches, network.feeds(&batch(step))).unwrap();
        }
        recorder.finish().unwrap();
        assert_eq!(recorder.warnings(), [""; 0]);
        assert!(variables(&watched) == variables(&alone));
    }
}

#[test]
fn a_recording_has_what_the_summaries_say() {
    let g = Graph::named("small");
    let network = network(&g);
    let (folder, live) = (fresh("whole"), Run::new("live"));
    let (session, recorder) = recorded(&g, &network, &folder, 45, |options| {
        options.watch(live.clone()).settings([("batch", 10), ("seed", 3)])
    });
    recorder.state("done");
    recorder.finish().unwrap();
    let read = run_of(&folder);
    for run in [&read, &live] {
        let curves = run.curves(&[], ALL, 1000);
        let loss = &curves.tags["train/loss"];
        assert_eq!(loss.step, [0, 20, 40]);
        // The loss of the network as it was made, on the first batch.
        let again = network::session(&g);
        let (first, _) = again.run((network.loss, network.step), network.feeds(&batch(0))).unwrap();
        assert_eq!(loss.value[0], first);
        assert!(curves.tags.contains_key("train/accuracy"));
        let overview = run.overview();
        assert_eq!(
            (overview.state.as_deref(), overview.settings["batch"].as_i64()),
            (Some("done"), Some(10))
        );
        assert!(overview.graph && overview.batch && !overview.test && !overview.trace);
        assert_eq!(overview.images, ["digits"]);
        assert!(run.texts().tags["graph"][0].text.starts_with("```\ngraph small {"));
        let batch_of = run.batch(39).unwrap();
        assert_eq!((batch_of.step, batch_of.count, batch_of.labels.len()), (20, 10, 10));
        assert_eq!(
            batch_of.labels,
            batch(20).1.iter().map(|&label| label as u16).collect::<Vec<_>>()
        );
        let (picture, ..) = sprite::decode(&batch_of.png).unwrap();
        assert!(picture.iter().any(|&pixel| pixel > 0));
        assert!(run.image("digits", 0, 2).is_some() && run.image("digits", 0, 3).is_none());
        let bands = &run.bands(ALL, 1000).tags;
        assert!(bands["weights"].exact && bands["weights"].step == [0, 20, 40]);
    }
    // The spread at step 0 is that of the first values.
    let again = network::session(&g);
    let weights: Vec<Value> =
        ["a/w", "b/w"].iter().map(|name| again.variable::<f32>(name).unwrap().into()).collect();
    let spread = Quantiles::new().spread(&weights.iter().collect::<Vec<_>>());
    let bands = &read.bands(ALL, 1000).tags["weights"];
    for place in 0..PERCENTILES.len() {
        assert_eq!(f64::from(bands.bands[place][0]), spread.percentiles.unwrap()[place]);
    }
    let csv = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), ("step,wall,train/loss,train/accuracy", 4));
    assert!(lines[2].starts_with("20,1") && lines[2].split(',').count() == 4);
    drop(session);
}

#[test]
fn the_graph_is_recorded_with_roles_types_places_and_costs() {
    let g = Graph::named("small");
    let network = network(&g);
    let folder = fresh("graph");
    let (_, recorder) = recorded(&g, &network, &folder, 1, |options| options);
    recorder.finish().unwrap();
    let graph = run_of(&folder).graph().unwrap();
    let ir = g.ir();
    assert_eq!(graph.node.len(), ir.len());
    let text = |value: &AttrValue| match &value.value {
        Some(Attr::S(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    let mut costs = 0;
    for (index, node) in graph.node.iter().enumerate() {
        let id = NodeId::new(index);
        assert_eq!(
            (&*node.name, &*text(&node.attr["_type"])),
            (&*ir.node(id).name, &*ir.display_type(id))
        );
        let inputs = node.input.iter().filter(|input| !input.starts_with('^'));
        let operands = ir.node(id).operands.iter().map(|&operand| &*ir.node(operand).name);
        assert!(inputs.map(String::as_str).eq(operands));
        assert_eq!(text(&node.attr["_role"]) == "backward", node.attr.contains_key("_of"));
        costs += usize::from(node.attr.contains_key("_flops"));
    }
    let named = |name: &str| graph.node.iter().find(|node| node.name == name).unwrap();
    let product = named("a/matmul");
    assert!(text(&product.attr["_source"]).contains("network/mod.rs:"));
    // [10, 16] times [16, 12], each product and sum an operation.
    assert_eq!(product.attr["_flops"].value, Some(Attr::I(2 * 10 * 16 * 12)));
    assert!(costs > graph.node.len() / 2, "{costs} of {}", graph.node.len());
    assert!(graph.node.iter().any(|node| text(&node.attr["_role"]) == "update"));
    let controlled =
        graph.node.iter().filter(|node| node.input.iter().any(|name| name.starts_with('^')));
    let expected = ir.iter().filter(|(id, _)| !ir.controls(*id).is_empty());
    let controlled = controlled.count();
    assert!(controlled == expected.count() && controlled > 0);
    assert_eq!(graph_def::graph_def(&ir, &[]).node.len(), graph.node.len());
}

#[test]
fn a_traced_step_says_which_nodes_ran_when() {
    let g = Graph::named("small");
    let network = network(&g);
    let folder = fresh("trace");
    let (session, recorder) = recorded(&g, &network, &folder, 3, |options| options);
    let mut trace = Trace::new();
    let options = RunOptions::new().trace(&mut trace);
    session.run_with(options, (network.loss, network.step), network.feeds(&batch(3))).unwrap();
    recorder.trace(3, &trace);
    recorder.finish().unwrap();
    let (step, metadata) = run_of(&folder).trace(100).unwrap();
    let device = &metadata.step_stats.unwrap().dev_stats[0];
    assert_eq!((step, device.node_stats.len()), (3, trace.spans(0).len()));
    assert!(device.node_stats.len() > 5);
    for stats in &device.node_stats {
        let names: Vec<&str> = stats.timeline_label.split(" + ").collect();
        assert_eq!(names[0], stats.node_name);
        assert!(names.iter().all(|name| g.ir().find(name).is_some()), "{names:?}");
        assert!(device.thread_names.contains_key(&stats.thread_id));
        assert!(
            stats.all_end_rel_nanos >= 0 && stats.all_start_micros == stats.all_start_nanos / 1000
        );
    }
}

#[test]
fn test_images_are_written_once_and_predictions_each_time() {
    let g = Graph::named("small");
    let network = network(&g);
    let folder = fresh("test");
    let (images, labels) = batch(1000);
    let labels: Vec<u16> = labels.iter().map(|&label| label as u16).collect();
    let write = |resume: Option<i64>| {
        let session = session(&g);
        let mut options = Recorder::new(&session).folder(&folder).classifier(classifier(&network));
        if let Some(step) = resume {
            options = options.resume(step);
        }
        let recorder = options.start().unwrap();
        let images: Value = images.clone().into();
        assert!(recorder.test_images(&images, &labels[1..]).is_err());
        recorder.test_images(&images, &labels).unwrap();
        for step in [0, 10] {
            let step = resume.unwrap_or(0) + step;
            recorder.test(step, &labels);
            recorder.scalars(step, [("test/loss", 0.5)]);
        }
        recorder.test(20, &labels[2..]);
        recorder.finish().unwrap();
        let warnings = recorder.warnings();
        assert_eq!(warnings, ["8 test predictions came for 10 test images, and were not recorded"]);
    };
    write(None);
    write(Some(10));
    let run = run_of(&folder);
    let tests = run.tests().unwrap();
    assert_eq!(
        (tests.count, &tests.labels[..], &tests.steps[..]),
        (10, &labels[..], &[0, 10, 20][..])
    );
    assert_eq!(run.test(15).unwrap().predictions, labels);
    let mut written = 0;
    let path = folder::event_files(&folder).unwrap().remove(0);
    let mut reader = EventReader::open(path).unwrap();
    while let Some((event, _)) = reader.next().unwrap() {
        if let Some(What::Summary(summary)) = &event.what {
            written +=
                summary.value.iter().filter(|value| value.tag == "abeyance/images/test").count();
        }
    }
    assert_eq!(written, 1);
}

#[test]
fn a_run_that_is_resumed_twice_is_one_run() {
    let g = Graph::named("small");
    let network = network(&g);
    let whole = fresh("unbroken");
    recorded(&g, &network, &whole, 100, |options| options).1.finish().unwrap();
    let folder = fresh("resumed");
    recorded(&g, &network, &folder, 70, |options| options).1.finish().unwrap();
    for (from, to) in [(50, 80), (60, 100)] {
        // Training goes on from a checkpoint of that step.
        let session = session(&g);
        train(&session, &network, 0..from);
        let live = Run::new("live");
        let recorder = Recorder::new(&session).folder(&folder).classifier(classifier(&network));
        let recorder = recorder.watch(live.clone()).resume(from as i64).start().unwrap();
        for step in from..to {
            let fetches = (network.loss, network.step);
            recorder.run(&session, fetches, network.feeds(&batch(step))).unwrap();
        }
        recorder.finish().unwrap();
        assert_eq!(recorder.warnings(), [""; 0]);
        assert_eq!(live.curves(&[], ALL, 1000).tags["train/loss"].step[0], 0);
    }
    assert_eq!(folder::event_files(&folder).unwrap().len(), 1);
    let (expected, found) = (run_of(&whole), run_of(&folder));
    let curve = |run: &Run| {
        let curves = run.curves(&[], ALL, 1000);
        let curve = &curves.tags["train/loss"];
        (curve.step.clone(), curve.value.clone())
    };
    assert_eq!(curve(&found), curve(&expected));
    assert_eq!(found.batches(), expected.batches());
    assert_eq!(
        found.bands(ALL, 100).tags["weights"].bands,
        expected.bands(ALL, 100).tags["weights"].bands
    );
    let csv = |folder: &PathBuf| {
        let text = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
        let cut = |line: &str| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            cells.remove(1);
            cells
        };
        text.lines().map(cut).collect::<Vec<_>>()
    };
    assert_eq!(csv(&folder), csv(&whole));
}

#[test]
fn what_is_recorded_is_on_the_disk_while_training_goes_on() {
    let g = Graph::named("small");
    network(&g);
    let folder = fresh("flushed");
    let session = session(&g);
    let recorder = Recorder::new(&session).folder(&folder).start().unwrap();
    recorder.scalars(7, [("test/loss", 0.5)]);
    // Within a second or so; a machine that is busy has a minute.
    let is_there = || run_of(&folder).curves(&[], ALL, 10).tags.contains_key("test/loss");
    let waited = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        is_there()
    });
    assert!(waited);
    recorder.finish().unwrap();
}

#[test]
fn a_folder_with_a_recording_is_not_written_over() {
    let g = Graph::named("small");
    let network = network(&g);
    let folder = fresh("twice");
    recorded(&g, &network, &folder, 1, |options| options).1.finish().unwrap();
    let session = session(&g);
    let message = Recorder::new(&session).folder(&folder).start().unwrap_err().to_string();
    assert!(message.ends_with(
        "holds a recording already: resume it, remove it, or record into another folder"
    ));
    assert!(Recorder::new(&session).resume(-1).start().is_err());
}

#[test]
fn a_recording_that_is_cut_anywhere_opens_up_to_the_cut() {
    let g = Graph::named("small");
    let network = network(&g);
    let folder = fresh("cut");
    recorded(&g, &network, &folder, 45, |options| options).1.finish().unwrap();
    let path = folder::event_files(&folder).unwrap().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let count = |bytes: &[u8]| {
        let part = folder.join("part");
        std::fs::write(&part, bytes).unwrap();
        let (run, mut reader) = (Run::new("cut"), EventReader::open(&part).unwrap());
        let mut count = 0;
        while let Some((event, place)) = reader.next().unwrap() {
            run.apply(&event, Some(&place));
            count += 1;
        }
        let _ = (run.graph(), run.batch(40));
        count
    };
    let all = count(&whole);
    let mut last = 0;
    for cut in 0..=whole.len() {
        if cut % 97 == 0 || cut == whole.len() {
            let found = count(&whole[..cut]);
            assert!(found >= last, "cut at {cut}");
            last = found;
        }
    }
    assert_eq!(last, all);
}

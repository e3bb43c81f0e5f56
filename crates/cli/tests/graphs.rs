//! Printing, checking, comparing, converting, counting, timing; and being called wrongly.

mod support;

use std::io::Read;
use std::process::Stdio;

use abeyance::prelude::*;
use support::Folder;

#[test]
fn forms_turn_into_each_other() {
    let folder = Folder::with_network("forms");
    folder.succeed("convert net.graph net.txt");
    folder.succeed("convert net.txt again.graph");
    folder.succeed("convert again.graph again.txt");
    assert_eq!(folder.read("net.txt"), folder.read("again.txt"));
    assert_eq!(folder.succeed("diff net.graph net.txt").trim_end(), "the same: 101 nodes");
    assert_eq!(
        folder.succeed("print --backward --whole net.graph").trim_end().as_bytes(),
        folder.read("net.txt")
    );

    let ran = folder.run("convert net.graph net.txt");
    assert_eq!(ran.code, Some(1), "{}", ran.errors);
    folder.succeed("convert net.graph net.txt --force");
}

#[test]
fn a_model_of_onnx_predicts_what_the_graph_does() {
    let folder = Folder::with_network("onnx");
    folder.succeed("train net.graph --data data --steps 30 --checkpoint c");
    folder.succeed("convert net.graph net.onnx --checkpoint c");
    let input = "--input data/t10k-images-idx3-ubyte";
    let graph = folder.succeed(&format!("predict net.graph --checkpoint c {input}"));
    assert_eq!(folder.succeed(&format!("predict net.onnx {input}")), graph);
    assert!(folder.succeed("check net.onnx").contains("signatures: predict"));
}

#[test]
fn without_weights_a_model_of_onnx_asks_for_a_checkpoint() {
    let folder = Folder::with_network("weights");
    let ran = folder.run("convert net.graph net.onnx");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.errors.contains("2 variables of graph `net`") && ran.errors.contains("--checkpoint"),
        "{}",
        ran.errors
    );
    assert!(!folder.0.join("net.onnx").exists());
    // First values that are known make a model, of which it is said.
    let g = Graph::named("zeros");
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = x.matmul(g.variable("w", zeros(dims![3, 2])));
    g.signature("predict").input("x", x).output("y", y);
    g.save(folder.0.join("zeros.graph")).unwrap();
    let ran = folder.run("convert zeros.graph zeros.onnx");
    assert_eq!(ran.code, Some(0), "{}", ran.errors);
    assert!(ran.errors.contains("note: no --checkpoint"), "{}", ran.errors);
    // What came with its weights needs none.
    let ran = folder.run("convert zeros.onnx again.onnx");
    assert_eq!((ran.code, &*ran.errors), (Some(0), ""));
}

#[test]
fn long_arrays_are_shortened_unless_the_whole_is_asked_for() {
    let folder = Folder::new("long");
    let g = Graph::named("long");
    let x = g.placeholder::<f32>("x", dims![_, 1000]);
    let weights: ndarray::Array1<f32> = (0..1000).map(|index| index as f32 + 0.25).collect();
    g.signature("predict").input("x", x).output("y", x * g.variable("w", &weights));
    g.save(folder.0.join("long.graph")).unwrap();
    folder.succeed("convert long.graph long.onnx");
    for file in ["long.graph", "long.onnx"] {
        let short = folder.succeed(&format!("print {file}"));
        assert!(short.len() < 1000 && short.contains("... 992 more]"), "{short}");
        let whole = folder.succeed(&format!("print {file} --whole"));
        assert!(whole.contains("999.25]"), "{whole}");
        // What is converted is whole, and what is printed whole is a graph.
        let name = format!("{file}.txt");
        folder.succeed(&format!("convert {file} {name}"));
        std::fs::write(folder.0.join("printed.txt"), &whole).unwrap();
        folder.succeed(&format!("diff {name} printed.txt"));
        std::fs::write(folder.0.join("printed.txt"), &short).unwrap();
        let ran = folder.run("check printed.txt");
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.errors.matches("error").count(), 1, "{}", ran.errors);
        assert!(
            ran.errors.contains("shortened") && ran.errors.contains("--whole"),
            "{}",
            ran.errors
        );
    }
}

#[test]
fn a_file_that_is_no_graph_is_told_so_in_one_error() {
    let folder = Folder::with_network("foreign");
    folder.succeed("train net.graph --data data --steps 1 --checkpoint c");
    let csv: String = (0..50).map(|row| format!("{row},{},a label\n", row * 3)).collect();
    std::fs::write(folder.0.join("data.csv"), csv).unwrap();
    std::fs::write(folder.0.join("image.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    std::fs::write(folder.0.join("empty.txt"), "").unwrap();
    for (file, said) in [
        ("data.csv", "this is no graph"),
        ("image.png", "this is not a graph file"),
        ("empty.txt", "this is no graph"),
        ("data/train-images-idx3-ubyte", "this is no graph"),
        ("c/step-1.safetensors", "is a checkpoint, and a graph is wanted"),
    ] {
        for command in ["print", "check", "train"] {
            let ran = folder.run(&format!("{command} {file}"));
            assert_eq!(ran.code, Some(1), "{command} {file}");
            assert!(ran.errors.contains(said), "{command} {file}: {}", ran.errors);
            assert_eq!(ran.errors.matches("error:").count(), 1, "{command} {file}: {}", ran.errors);
            assert!(!ran.errors.contains("graph.save"), "{command} {file}: {}", ran.errors);
        }
    }
}

#[test]
fn no_help_and_no_message_asks_to_call_a_function_of_rust() {
    let folder = Folder::new("words");
    let mut said = folder.succeed("--help");
    for command in [
        "train",
        "eval",
        "predict",
        "print",
        "check",
        "diff",
        "convert",
        "explain",
        "bench",
        "info",
        "completions",
    ] {
        said.push_str(&folder.succeed(&format!("{command} --help")));
    }
    for sign in ["g.signature", "Graph::", "Restore::", "Mnist::", "Session", ".save(", "_text("] {
        assert!(!said.contains(sign), "{sign}");
    }
}

#[test]
fn a_picture_has_every_node_and_is_as_large_as_what_is_in_it() {
    let folder = Folder::with_network("picture");
    let svg = folder.succeed("print net.graph --svg");
    let dot = folder.succeed("print net.graph --dot");
    assert_eq!(svg.matches("<rect").count() - 1, dot.matches("label=").count());
    assert!(svg.contains(">dropout/select</text>"), "{svg}");
    let number = |text: &str, name: &str| -> f64 {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let head = svg.lines().find(|line| line.starts_with("<svg")).unwrap();
    let (width, height) = (number(head, "width"), number(head, "height"));
    let boxes: Vec<&str> = svg.lines().filter(|line| line.contains("rx=")).collect();
    let edge = |of: fn(f64, f64) -> f64, at: &dyn Fn(&str) -> f64, start: f64| {
        boxes.iter().map(|each| at(each)).fold(start, of)
    };
    let left = edge(f64::min, &|each| number(each, "x"), f64::INFINITY);
    let right = edge(f64::max, &|each| number(each, "x") + number(each, "width"), 0.0);
    let top = edge(f64::min, &|each| number(each, "y"), f64::INFINITY);
    let bottom = edge(f64::max, &|each| number(each, "y") + number(each, "height"), 0.0);
    // No blank strip on any side: lines may run beside the outermost box.
    assert!(left < 40.0 && top == 0.0, "{left} {top}");
    assert!(width - right < 70.0 && height - bottom < 40.0, "{width} {right} {height} {bottom}");
    // Names of dimensions with quotes are labels too.
    let g = Graph::named("quotes");
    g.placeholder::<f32>("x", dims!["a \"b\" <c> \\"]);
    g.save(folder.0.join("quotes.graph")).unwrap();
    let dot = folder.succeed("print quotes.graph --dot");
    assert!(dot.contains(r#"a \"b\" <c> \\"#), "{dot}");
    assert!(folder.succeed("print quotes.graph --svg").contains("&lt;c&gt;"));
}

#[test]
fn a_node_put_in_between_is_the_one_difference() {
    let folder = Folder::new("diff");
    let save = |name: &str, with: bool, value: f32| {
        let g = Graph::named("net");
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let w = g.variable("w", fill(dims![3], value));
        let y = x * w + 1.0;
        let y = if with { (y * 2.0).tanh() } else { y.tanh() };
        let z = (y * y + x).reduce_sum(..);
        g.signature("predict").input("x", x).output("z", z);
        g.save(folder.0.join(name)).unwrap();
    };
    save("a.graph", false, 1.0);
    save("b.graph", true, 1.0);
    save("c.graph", false, 2.0);
    let mut said = String::new();
    for (a, b, code) in [("a", "a", 0), ("a", "b", 1), ("b", "a", 1), ("a", "c", 1)] {
        let ran = folder.run(&format!("diff {a}.graph {b}.graph"));
        assert_eq!(ran.code, Some(code), "{a} {b}");
        said.push_str(&format!("{a} {b}\n{}\n", ran.output));
    }
    insta::assert_snapshot!("diff", said);
    let ran = folder.run("diff a.graph b.graph --json");
    let json: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(
        (json["same"].as_bool(), json["removed"].as_array().unwrap().len()),
        (Some(false), 0)
    );
}

#[test]
fn what_is_watched_is_printed_checked_converted_and_compared() {
    let folder = Folder::new("watched");
    let save = |name: &str, watch: &dyn Fn(&Graph, Tensor<'_, f32>)| {
        let g = Graph::named("net");
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let w = g.variable("w", ones(dims![3, 2]));
        g.signature("predict").input("x", x).output("y", x.matmul(w));
        watch(&g, x);
        g.save(folder.0.join(name)).unwrap();
    };
    save("none.graph", &|_, _| {});
    save("some.graph", &|g, x| {
        g.summaries().histogram("x y", x).histogram("w", x).variables();
    });
    save("more.graph", &|g, x| {
        let largest = x.reduce_max(..);
        g.summaries().scalar("w", largest).histogram("x y", largest).scalar("largest", largest);
    });
    let printed = folder.succeed("print some.graph");
    assert!(printed.contains("  summary histogram \"x y\" = x\n"), "{printed}");
    assert!(printed.contains("  summary histogram weights = w\n"), "{printed}");
    let checked = folder.succeed("check some.graph");
    assert!(checked.contains("summaries: x y, w, weights\n"), "{checked}");
    assert!(!folder.succeed("check none.graph").contains("summaries"));
    folder.succeed("convert some.graph some.txt");
    folder.succeed("convert some.txt again.graph");
    assert_eq!(folder.succeed("print again.graph"), printed);
    assert_eq!(folder.succeed("diff some.graph some.txt").trim_end(), "the same: 3 nodes");
    // A model of ONNX has no word for them.
    folder.succeed("convert some.graph some.onnx");
    assert!(!folder.succeed("check some.onnx").contains("summaries"));

    let mut said = String::new();
    for (a, b) in [("none", "some"), ("some", "none"), ("some", "more")] {
        let ran = folder.run(&format!("diff {a}.graph {b}.graph"));
        assert_eq!(ran.code, Some(1), "{a} {b}");
        said.push_str(&format!("{a} {b}\n{}\n", ran.output));
    }
    insta::assert_snapshot!("watched", said);
}

#[test]
fn prints_and_counts() {
    let folder = Folder::with_network("prints");
    insta::assert_snapshot!("print", folder.succeed("print net.graph"));
    insta::assert_snapshot!("check", folder.succeed("check net.graph"));
    insta::assert_snapshot!(
        "explain",
        folder.succeed("explain net.graph --batch 1,100 --threads 1")
    );
    let plan = folder.succeed("print net.graph --plan predict --batch 50 --threads 1");
    assert!(plan.starts_with("plan of ") && plan.contains("f32[50, 10]"), "{plan}");
    let dot = folder.succeed("print net.graph --dot");
    assert!(dot.starts_with("digraph") && !dot.contains("grad/"), "{dot}");
    assert!(folder.succeed("print net.graph --dot --backward").contains("grad/"));
    let svg = folder.succeed("print net.graph --svg");
    assert!(
        svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>") && svg.contains("matmul")
    );
    let timed = folder.succeed("bench net.graph --seconds 0.02 --batch 1,10 --threads 1,2 --json");
    let runs: Vec<serde_json::Value> =
        timed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| run["median_ms"].as_f64().unwrap() > 0.0));
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.succeed(&format!("completions {shell}")).contains("checkpoint"), "{shell}");
    }
}

#[test]
fn checkpoints_are_shown() {
    let folder = Folder::with_network("info");
    folder.succeed("train net.graph --data data --steps 20 --checkpoint c --seed 7");
    let shown = folder.succeed("info c");
    assert!(
        shown.starts_with("graph net, step 20, seed 7\nbatch 100\nimages 300 of 6x6\n"),
        "{shown}"
    );
    assert!(shown.contains("w/Adam"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&folder.succeed("info c/step-20.safetensors --json")).unwrap();
    assert_eq!(json["step"], 20);
    assert_eq!(json["variables"].as_array().unwrap().len(), 9);
}

#[test]
fn every_mistake_of_a_graph_is_told() {
    let folder = Folder::new("mistakes");
    let text = "graph g {\n  forward {\n    x = placeholder : f32[2, 3]\n    y = matmul(x, x) : f32[2, 3]\n    z = relux(x) : f32[2, 3]\n  }\n}\n";
    std::fs::write(folder.0.join("wrong.txt"), text).unwrap();
    let ran = folder.run("check wrong.txt");
    assert_eq!(ran.code, Some(1));
    insta::assert_snapshot!("mistakes", ran.errors);
    let ran = folder.run("check wrong.txt --json");
    assert_eq!(ran.code, Some(1));
    let json: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(
        (json["ok"].as_bool(), json["errors"].as_array().unwrap().is_empty()),
        (Some(false), false)
    );
}

#[test]
fn what_a_new_user_gets_wrong_is_told_with_what_to_do() {
    let folder = Folder::with_network("wrong");
    let g = Graph::named("bare");
    g.placeholder::<f32>("x", dims![_]);
    g.save(folder.0.join("bare.graph")).unwrap();
    let other = Graph::named("other");
    let x = other.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let w = other.variable("w", zeros(dims![784]));
    let loss = (x.reshape(dims![_, 784]) * w).reduce_sum(..);
    let step = GradientDescent::new(1e30).minimize(loss.square());
    other.signature("train").input("images", x).output("loss", loss).step(step);
    other.signature("predict").input("a", x).input("b", w).output("loss", loss);
    other.save(folder.0.join("other.graph")).unwrap();
    folder.succeed("train net.graph --data data --steps 3 --checkpoint c");
    std::fs::create_dir(folder.0.join("empty")).unwrap();
    let mut said = String::new();
    for (arguments, code) in [
        ("trian net.graph", 2),
        ("train", 2),
        ("train net.graph --step 5", 2),
        ("train net.graph --batch 0", 2),
        ("train net.graph --resume", 2),
        ("train none.graph", 1),
        ("train data", 1),
        ("train net.graph --data none", 1),
        ("train net.graph --data empty", 1),
        ("train net.graph --data data --batch 301", 1),
        ("train bare.graph --data data", 1),
        ("train other.graph --data data", 1),
        ("train c/step-3.safetensors --data data", 1),
        ("eval net.graph --data data --checkpoint none", 1),
        ("eval net.graph --data data --checkpoint empty", 1),
        ("eval other.graph --data data --checkpoint c", 1),
        ("predict other.graph --input x.npy", 1),
        ("print bare.graph --plan", 1),
        ("explain bare.graph", 1),
        ("bench net.graph --signature trian", 1),
        ("convert net.graph net.pdf", 2),
        ("convert net.graph new.graph --checkpoint c", 2),
        ("info net.graph", 1),
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments}\n{}", ran.errors);
        assert!(!ran.errors.contains("panicked"), "{}", ran.errors);
        said.push_str(&format!("$ abeyance {arguments}\n{}\n", ran.errors));
    }
    insta::assert_snapshot!("wrong", said);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::with_network("pipe");
    let mut command = folder.command("print net.graph --backward");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

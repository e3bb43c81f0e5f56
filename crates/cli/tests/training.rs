//! Training, stopping, going on, evaluating, predicting.

mod support;

use std::time::{Duration, Instant};

use support::{Folder, Ran};

const TRAIN: &str = "train net.graph --data data --batch 40";

#[test]
fn training_that_was_stopped_and_resumed_is_training_that_never_stopped() {
    let folder = Folder::with_network("resumed");
    let whole = folder
        .succeed(&format!("{TRAIN} --steps 90 --checkpoint whole --eval-every 20 --threads 1"));
    folder.succeed(&format!("{TRAIN} --steps 37 --checkpoint parts --eval-every 20 --threads 2"));
    folder.succeed(
        "train net.graph --data data --steps 60 --checkpoint parts --eval-every 20 --resume",
    );
    let parts = folder.succeed(
        "train net.graph --data data --steps 90 --checkpoint parts --eval-every 20 --resume --save-every 20",
    );
    folder.assert_same("whole/step-90.safetensors", "parts/step-90.safetensors");
    let last = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(last(&whole), last(&parts));
    let accuracy: f64 = last(&whole)["test accuracy ".len()..].parse().unwrap();
    assert!(accuracy > 0.9, "{whole}");
    let evaluated = folder.succeed("eval net.graph --data data --checkpoint whole --batch 33");
    assert_eq!(last(&evaluated), last(&whole));
    let untrained = folder.succeed("eval net.graph --data data");
    assert_ne!(last(&untrained), last(&whole));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_stops_and_resuming_goes_on() {
    let folder = Folder::with_network("interrupted");
    let mut command =
        folder.command(&format!("{TRAIN} --steps 100000000 --checkpoint c --save-every 50"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while !folder.0.join("c/step-50.safetensors").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let ran = Ran::new(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.errors);
    assert!(ran.errors.contains("`--resume` goes on from there"), "{}", ran.errors);
    let (_, at) = ran.errors.split_once("stopped at step ").unwrap();
    let stopped: u64 = at.split(' ').next().unwrap().parse().unwrap();

    let to = stopped + 25;
    folder.succeed(&format!("{TRAIN} --steps {to} --checkpoint c --resume"));
    folder.succeed(&format!("{TRAIN} --steps {to} --checkpoint whole"));
    let file = format!("step-{to}.safetensors");
    folder.assert_same(&format!("c/{file}"), &format!("whole/{file}"));
}

#[test]
fn a_checkpoint_is_not_written_over_nor_gone_on_from_with_other_data() {
    let folder = Folder::with_network("refused");
    folder.succeed(&format!("{TRAIN} --steps 5 --checkpoint c --seed 3"));
    let mut said = String::new();
    for arguments in [
        "--steps 9 --checkpoint c",
        "--steps 9 --checkpoint c --resume --seed 4",
        "--steps 9 --checkpoint c --resume --batch 50",
    ] {
        let ran = folder.run(&format!("train net.graph --data data {arguments}"));
        assert_eq!(ran.code, Some(1), "{arguments}");
        said.push_str(&format!("{arguments}\n{}\n", ran.errors));
    }
    insta::assert_snapshot!("refused", said);
    // It is there as it was, and goes on with what it was trained with.
    folder.succeed("train net.graph --data data --steps 9 --checkpoint c --resume");
    folder.succeed(&format!("{TRAIN} --steps 9 --checkpoint whole --seed 3"));
    folder.assert_same("c/step-9.safetensors", "whole/step-9.safetensors");
}

#[test]
fn arrays_images_and_idx_files_predict_the_same() {
    let folder = Folder::with_network("predict");
    folder.succeed(&format!("{TRAIN} --steps 60 --checkpoint c"));
    let predict = "predict net.graph --checkpoint c --input";
    let of_idx = folder.succeed(&format!("{predict} data/t10k-images-idx3-ubyte --batch 7"));
    assert_eq!(of_idx.lines().count(), 100);
    assert_eq!(of_idx, folder.succeed(&format!("{predict} data/t10k-images-idx3-ubyte")));

    let images = folder.read("data/t10k-images-idx3-ubyte");
    let pixels = &images[16..];
    // The third image: as a picture, as its negative, as numbers of both orders of bytes.
    let third = &pixels[2 * 36..3 * 36];
    png(&folder, "third.png", third);
    png(&folder, "negative.png", &third.iter().map(|pixel| 255 - pixel).collect::<Vec<_>>());
    let line = of_idx.lines().nth(2).unwrap();
    assert_eq!(folder.succeed(&format!("{predict} third.png")).trim_end(), line);
    assert_eq!(folder.succeed(&format!("{predict} negative.png --invert")).trim_end(), line);
    let numbers: Vec<f32> = third.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    for (descr, bytes) in [
        ("<f4", numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()),
        (">f4", numbers.iter().flat_map(|x| x.to_be_bytes()).collect()),
        ("<f8", numbers.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect()),
    ] {
        npy(&folder, "third.npy", descr, "(6, 6)", &bytes);
        assert_eq!(folder.succeed(&format!("{predict} third.npy")).trim_end(), line, "{descr}");
    }
    let two = folder.succeed(&format!("{predict} third.png third.npy"));
    assert_eq!(two, format!("third.png   {line}\nthird.npy   {line}\n"));
    let several =
        folder.succeed(&format!("{predict} third.png data/t10k-images-idx3-ubyte --batch 7"));
    let named = format!("data/t10k-images-idx3-ubyte[2]   {line}");
    assert_eq!((several.lines().count(), several.lines().nth(3)), (101, Some(&*named)));
    let objects = folder.succeed(&format!("{predict} third.png third.npy --json"));
    let objects: Vec<serde_json::Value> =
        objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files: Vec<&str> = objects.iter().map(|object| object["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["third.png", "third.npy"]);
    assert_eq!(objects[0]["outputs"], objects[1]["outputs"]);
    assert_eq!(objects[0]["outputs"]["digit"].as_array().unwrap().len(), 1);

    // What is written can be read.
    folder.succeed(&format!("{predict} third.png --output out"));
    let written = folder.read("out/probabilities.npy");
    assert_eq!(written.len() % 64, 40);
    let json: serde_json::Value =
        serde_json::from_str(&folder.succeed(&format!("{predict} third.png --json"))).unwrap();
    let last: [u8; 4] = written[written.len() - 4..].try_into().unwrap();
    assert_eq!(json["probabilities"][0][9].as_f64().unwrap() as f32, f32::from_le_bytes(last));
    assert_eq!(json["digit"][0].as_i64().unwrap(), 2);
}

#[test]
fn examples_that_a_graph_mixes_are_not_cut_into_batches() {
    use abeyance::prelude::*;
    let folder = Folder::new("mixes");
    let g = Graph::named("mixes");
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    // Both have one unknown dimension in front.
    g.signature("predict").input("x", x).output("y", x - x.reduce_mean(0));
    g.signature("apart").input("x", x).output("y", x.softmax());
    g.save(folder.0.join("mixes.graph")).unwrap();
    let numbers: Vec<u8> = (0..10u8).flat_map(|x| f32::from(x * x).to_le_bytes()).collect();
    npy(&folder, "x.npy", "<f4", "(5, 2)", &numbers);
    for signature in ["predict", "apart"] {
        let predict = format!("predict mixes.graph --signature {signature} --input x.npy");
        let whole = folder.succeed(&predict);
        assert_eq!(whole.lines().count(), 5);
        assert_eq!(folder.succeed(&format!("{predict} --batch 2")), whole, "{signature}");
    }
}

fn png(folder: &Folder, name: &str, pixels: &[u8]) {
    let file = std::fs::File::create(folder.0.join(name)).unwrap();
    let mut encoder = png::Encoder::new(file, 6, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
}

fn npy(folder: &Folder, name: &str, descr: &str, shape: &str, elements: &[u8]) {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    std::fs::write(folder.0.join(name), bytes).unwrap();
}

#[test]
fn inputs_that_do_not_fit_are_told() {
    let folder = Folder::with_network("misfits");
    npy(&folder, "small.npy", "<f4", "(5, 5)", &[0; 100]);
    npy(&folder, "huge.npy", "<f4", "(18446744073709551615, 2)", &[0; 8]);
    npy(&folder, "long.npy", "<f4", "(1000000000000,)", &[0; 8]);
    npy(&folder, "half.npy", "<f2", "(6, 6)", &[0; 72]);
    npy(&folder, "records.npy", "x', ('a", "(6, 6)", &[0; 72]);
    std::fs::write(folder.0.join("cut.npy"), b"\x93NUMPY\x01\x00\xff\xff{").unwrap();
    std::fs::write(folder.0.join("cut.png"), b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR").unwrap();
    std::fs::write(folder.0.join("text.png"), "hello").unwrap();
    let file = std::fs::File::create(folder.0.join("large.png")).unwrap();
    let mut encoder = png::Encoder::new(file, 9, 4);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[0; 36]).unwrap();
    let mut said = String::new();
    for input in [
        "small.npy",
        "huge.npy",
        "long.npy",
        "half.npy",
        "records.npy",
        "cut.npy",
        "cut.png",
        "text.png",
        "large.png",
        "none.npy",
        "data",
        "labels=small.npy",
    ] {
        let ran = folder.run(&format!("predict net.graph --input {input}"));
        assert_eq!(ran.code, Some(1), "{input}: {}", ran.errors);
        let note =
            "note: no --checkpoint: variables have their first values, before any training\n";
        let errors = ran.errors.replace(note, "");
        said.push_str(&format!("--input {input}\n{errors}\n"));
    }
    insta::assert_snapshot!("misfits", said);
}

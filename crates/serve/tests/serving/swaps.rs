//! Versions come and go while requests run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use abeyance_serve::ServerOptions;
use serde_json::Value as Json;

use crate::support::{
    Folder, agent, base, expected, get, numbers, pack, post, request, rows, serve, session, wait,
};

const PATH: &str = "/v2/models/classifier/infer";

/// The versions of the model, with their states and errors.
fn states(base: &str) -> Vec<(String, String, String)> {
    let (_, status) = get(&agent(), base, "/api/status");
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let versions = status["models"][0]["versions"].as_array().cloned().unwrap_or_default();
    let told = |version: &Json| {
        (text(&version["version"]), text(&version["state"]), text(&version["error"]))
    };
    versions.iter().map(told).collect()
}

fn state(base: &str, wanted: &str) -> String {
    let found = states(base).into_iter().find(|(version, ..)| version == wanted);
    found.map(|(_, state, _)| state).unwrap_or_default()
}

#[test]
fn new_versions_take_over_without_a_failed_request() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new());
    let base = base(&server);
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let versions: Vec<_> = (1..=6).map(session).collect();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (base, done, answered, versions) = (&base, &done, &answered, &versions);
            scope.spawn(move || {
                let agent = agent();
                let mut newest = 0;
                for turn in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let rows = rows(1 + turn % 3, client * 100 + turn % 50);
                    let (status, answer) = post(&agent, base, PATH, &request(&rows));
                    assert_eq!(status, 200, "{answer}");
                    let version: usize = answer["model_version"].as_str().unwrap().parse().unwrap();
                    assert!(version >= newest, "version {version} after {newest}");
                    newest = version;
                    assert_eq!(numbers(&answer), expected(&versions[version - 1], &rows));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                assert_eq!(newest, 6);
            });
        }
        for version in 2..=6 {
            pack(&folder.0, "classifier", version, version);
            wait("the version answers", || state(&base, &version.to_string()) == "ready");
            let before = answered.load(Ordering::Relaxed);
            wait("requests go on", || answered.load(Ordering::Relaxed) > before + 20);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(state(&base, "1"), "retired");
    let (status, answer) =
        post(&agent(), &base, "/v2/models/classifier/versions/1/infer", &request(&rows(1, 0)));
    assert_eq!(status, 404);
    assert!(answer["error"].as_str().unwrap().contains("a newer one is"), "{answer}");
}

#[test]
fn a_version_that_cannot_be_loaded_leaves_the_old_one_and_says_why() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new());
    let base = base(&server);
    // Other weights than the golden case was recorded with.
    let other = Folder::new();
    pack(&other.0, "classifier", 2, 2);
    pack(&other.0, "classifier", 3, 3);
    let (two, three) = (other.0.join("classifier/2"), other.0.join("classifier/3"));
    std::fs::copy(three.join("weights.safetensors"), two.join("weights.safetensors")).unwrap();
    std::fs::rename(&two, folder.0.join("classifier/2")).unwrap();
    // And one with a graph that breaks off.
    let broken = folder.0.join("classifier/4");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("model.graph"), "graph broken {\n  x = placeholder").unwrap();
    wait("both are refused", || state(&base, "2") == "failed" && state(&base, "4") == "failed");
    let told = |wanted: &str| {
        let found = states(&base).into_iter().find(|(version, ..)| version == wanted);
        found.map(|(.., error)| error).unwrap_or_default()
    };
    assert!(told("2").contains("`y`"), "{}", told("2"));
    assert!(!told("4").is_empty());
    let (status, answer) = post(&agent(), &base, PATH, &request(&rows(1, 0)));
    assert_eq!((status, &answer["model_version"]), (200, &Json::from("1")));
    let mut metrics = agent().get(format!("{base}/metrics")).call().unwrap();
    let metrics = metrics.body_mut().read_to_string().unwrap();
    let line = "abeyance_model_loads_total{model=\"classifier\",outcome=\"failure\"} 2";
    assert!(metrics.contains(line), "{metrics}");
    let (status, answer) =
        post(&agent(), &base, "/v2/models/classifier/versions/2/infer", &request(&rows(1, 0)));
    assert_eq!(status, 503, "{answer}");
    // Mended, it answers.
    std::fs::remove_dir_all(&broken).unwrap();
    std::fs::rename(&three, folder.0.join("classifier/4")).unwrap();
    wait("the mended version answers", || state(&base, "4") == "ready");
}

#[test]
fn what_goes_from_the_folder_is_served_no_longer_and_what_comes_back_is() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    pack(&folder.0, "classifier", 2, 2);
    let server = serve(&folder.0, ServerOptions::new().versions(1));
    let base = base(&server);
    let version = || {
        let (status, answer) = post(&agent(), &base, PATH, &request(&rows(1, 0)));
        (status, answer["model_version"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(version(), (200, "2".to_owned()));
    let aside = Folder::new();
    std::fs::rename(folder.0.join("classifier/2"), aside.0.join("2")).unwrap();
    wait("the older one answers", || version() == (200, "1".to_owned()));
    std::fs::rename(aside.0.join("2"), folder.0.join("classifier/2")).unwrap();
    wait("the newer one answers again", || version() == (200, "2".to_owned()));
    std::fs::rename(folder.0.join("classifier"), aside.0.join("classifier")).unwrap();
    wait("the model is gone", || version().0 == 404);
    assert!(!server.is_ready());
}

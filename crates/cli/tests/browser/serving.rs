//! The page of a model server: a drawn digit is classified, and what is shown is what was asked.

use crate::support::{Browser, Folder, Program, abeyance, graph_file, in_browser};

/// Draws on the form's canvas and runs the model.
fn ask(browser: &Browser, stroke: &[(f64, f64)]) {
    browser.click("[data-do=clear]");
    browser.wait("document.querySelector('.pad').dataset.source === 'empty'");
    let before = browser.eval("document.querySelector('#try').dataset.count ?? '0'");
    browser.drag("canvas.sheet", stroke);
    browser.wait("Number(document.querySelector('.pad').dataset.ink) > 0");
    browser.click("#run");
    browser.wait(&format!(
        "document.querySelector('#try').dataset.state === 'shown' && document.querySelector('#try').dataset.count !== '{}'",
        before.as_str().unwrap_or("0")
    ));
}

/// The digit that the model gave, and the likeliest of its probabilities.
fn answer(browser: &Browser) -> (f64, f64) {
    let of = |output: &str, what: &str| {
        browser.number(&format!("document.querySelector('[data-output={output}]').dataset.{what}"))
    };
    (of("digit", "value"), of("probabilities", "largest"))
}

#[test]
fn a_drawn_digit_is_classified_by_a_served_model() {
    in_browser("serve", |browser| {
        let folder = Folder::new("serve");
        let trained = abeyance(&folder.0)
            .args(["train", &graph_file("mnist_mlp_relu")])
            .args(["--steps", "1500", "--checkpoint", "c"])
            .output()
            .unwrap();
        assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
        let server = Program::serve(&folder.0, "mnist_mlp_relu", "c");
        browser.open(&server.url);
        browser.wait("document.documentElement.dataset.ready === '1'");
        browser.wait("document.querySelector('#model')?.dataset.state === 'ready'");
        browser.wait("document.querySelector('canvas.sheet') !== null");
        // A stroke from above to below is a one.
        ask(browser, &[(0.52, 0.15), (0.52, 0.3), (0.5, 0.5), (0.49, 0.7), (0.48, 0.85)]);
        assert_eq!(answer(browser), (1.0, 1.0));
        // A ring is a zero.
        let ring: Vec<(f64, f64)> = (0..=24)
            .map(|part| f64::from(part) / 24.0 * std::f64::consts::TAU)
            .map(|angle| (0.5 + 0.2 * angle.sin(), 0.5 - 0.32 * angle.cos()))
            .collect();
        ask(browser, &ring);
        assert_eq!(answer(browser), (0.0, 0.0));
        // What was asked is counted.
        browser.wait("Number(document.querySelector('#live [data-fact=requests]').textContent.replace(/\\D/g, '')) >= 2");
        (server, folder)
    });
}

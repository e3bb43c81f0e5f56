//! A training that goes on while it is looked at.

use crate::support::{Browser, Folder, Program, in_browser};

const PANELS: [&str; 6] = ["batch", "loss", "accuracy", "test", "weights", "biases"];

/// The colours that a panel's drawing consists of, as one number; 0 for an empty one. The picture
/// is copied before it is read, for a browser warns of reading the same drawing again and again.
fn picture(key: &str) -> String {
    format!(
        "(() => {{
            const canvas = document.querySelector('#panel-{key} canvas');
            if (!canvas || !canvas.width) return 0;
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {{ willReadFrequently: true }});
            copy.drawImage(canvas, 0, 0);
            const colours = new Set(), bytes = copy.getImageData(0, 0, canvas.width, canvas.height).data;
            let sum = 0;
            for (let i = 0; i < bytes.length; i += 4) {{
                if (!bytes[i + 3]) continue;
                colours.add(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
                sum = (sum * 31 + bytes[i] + 2 * bytes[i + 1] + 3 * bytes[i + 2] + i) % 1000000007;
            }}
            return colours.size > 2 ? sum : 0;
        }})()"
    )
}

fn progress(browser: &Browser) -> f64 {
    browser.number("document.querySelector('#progress').dataset.step")
}

#[test]
fn six_panels_draw_and_move_while_training_runs_until_stop_is_pressed() {
    in_browser("six", |browser| {
        let folder = Folder::new("six");
        let training =
            Program::train(&folder.0, "mnist_softmax", "--steps 200000 --eval-every 2000");
        browser.open(&training.url);
        let mut before = Vec::new();
        for key in PANELS {
            browser.wait(&picture(key));
            before.push(browser.number(&picture(key)));
        }
        let data = |key: &str, name: &str| {
            format!("document.querySelector('#panel-{key}').dataset.{name}")
        };
        let (batch, test) =
            (browser.number(&data("batch", "step")), browser.number(&data("test", "step")));
        let last = browser.number(&data("loss", "last"));
        let right_end = browser.number(&data("weights", "xmax"));
        // All of them go on by themselves.
        for (key, before) in PANELS.into_iter().zip(before) {
            browser.wait(&format!("{} !== {before}", picture(key)));
        }
        browser.wait(&format!("{} > {batch}", data("batch", "step")));
        browser.wait(&format!("{} > {test}", data("test", "step")));
        browser.wait(&format!("{} > {last}", data("loss", "last")));
        browser.wait(&format!("{} > {right_end}", data("weights", "xmax")));
        // What they say is what a network that learns would.
        browser.wait(&format!("{} >= 85", data("test", "percent")));
        assert_eq!(browser.number(&data("batch", "count")), 100.0);
        assert_eq!(browser.number(&data("test", "count")), 10_000.0);
        let missed = browser.number(&data("test", "missed"));
        let percent = browser.number(&data("test", "percent"));
        assert!((missed - (100.0 - percent) * 100.0).abs() < 300.0, "{missed} {percent}");
        assert!(browser.number(&data("test", "shown")) >= 1000.0);
        browser.wait("document.querySelector('#panel-accuracy output[data-series$=\"test/accuracy\"]').textContent.endsWith(' %')");

        // The first press asks, the second one stops.
        browser.click("[data-control=stop]");
        browser
            .wait("document.querySelector('[data-control=stop]').textContent === 'Really stop?'");
        browser.click("[data-control=stop]");
        browser.wait("document.querySelector('#progress').dataset.state === 'stopped'");
        browser.wait("document.querySelector('#controls').hidden");
        let steps = progress(browser);
        browser.check();
        browser.leave();
        let (code, said) = training.interrupt();
        assert_eq!(code, Some(130), "{said}");
        let (_, at) = said.split_once("stopped at step ").unwrap();
        let stopped: f64 = at.split(' ').next().unwrap().parse().unwrap();
        // What is shown is the last step that was recorded, of which there is one in 20.
        assert!(stopped >= steps && stopped - steps <= 20.0, "{steps}: {said}");
        assert!(said.contains("nothing is saved without `--checkpoint FOLDER`"), "{said}");
    });
}

#[test]
fn training_is_paused_saved_and_resumed_by_buttons() {
    in_browser("pause", |browser| {
        let folder = Folder::new("pause");
        let arguments = "--steps 1000000 --eval-every 5000 --save-every 0 --checkpoint c";
        let training = Program::train(&folder.0, "mnist_softmax", arguments);
        browser.open(&training.url);
        let is = |state: &str| {
            format!("document.querySelector('#progress').dataset.state === '{state}'")
        };
        browser.wait(&is("running"));
        browser.click("[data-control=pause]");
        browser.wait(&is("paused"));
        // A pause is felt between two steps: what is saved in it is the step that it stands at.
        browser.click("[data-control=save]");
        browser.wait("document.querySelector('#message').textContent.includes('saved `c/step-')");
        let message = browser.text("document.querySelector('#message').textContent");
        let saved = |message: &str| -> f64 {
            let (_, step) = message.split_once("step-").unwrap();
            step.split('.').next().unwrap().parse().unwrap()
        };
        let step = saved(&message);
        assert!(folder.0.join(format!("c/step-{step}.safetensors")).exists());
        browser.eval("document.querySelector('#message').textContent = ''");
        browser.click("[data-control=save]");
        browser.wait("document.querySelector('#message').textContent.includes('saved `c/step-')");
        let again = saved(&browser.text("document.querySelector('#message').textContent"));
        assert_eq!(again, step, "it went on in its pause");

        browser.click("[data-control=resume]");
        browser.wait(&is("running"));
        browser.wait(&format!("document.querySelector('#progress').dataset.step > {step}"));
        browser.click("[data-control=stop]");
        browser.click("[data-control=stop]");
        browser.wait(&is("stopped"));
        browser.check();
        browser.leave();
        let (code, said) = training.interrupt();
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("`--resume` goes on from there"), "{said}");
    });
}

//! Going back through a recording.

use fantoccini::key::Key;

use crate::support::{Browser, Program, in_browser, two_recorded_runs};

const PANELS: [&str; 6] = ["batch", "loss", "accuracy", "test", "weights", "biases"];

fn data(key: &str, name: &str) -> String {
    format!("document.querySelector('#panel-{key}').dataset.{name}")
}

fn open(browser: &Browser, page: &Program) {
    browser.open(&format!("{}#runs=relu", page.url));
    let drawn = ["loss", "weights", "biases"]
        .map(|key| format!("{} > 3", data(key, "points")))
        .join(" && ");
    browser.wait(&format!("{drawn} && {} && {}", data("batch", "step"), data("test", "step")));
    browser.wait("document.querySelector('#step').dataset.step == 200");
}

#[test]
fn scrubbing_moves_all_six_panels_together() {
    in_browser("scrub", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        open(browser, &page);
        let newest = browser.number(&data("batch", "missed"));
        assert!(newest < 30.0, "{newest}");
        browser.focus("#scrub");
        browser.key(Key::Home);
        for key in PANELS {
            browser.wait(&format!("{} === '0'", data(key, "mark")));
        }
        // Before the first step nothing is learnt.
        browser.wait(&format!("{} == 0 && {} == 0", data("batch", "step"), data("test", "step")));
        assert!(browser.number(&data("batch", "missed")) > 50.0);
        assert!(browser.number(&data("test", "missed")) > 5000.0);
        let value = "document.querySelector('#panel-loss output[data-series=\"relu:train/loss\"]').textContent";
        let first: f64 = browser.text(value).replace(',', "").parse().unwrap();
        // To the middle, by the mouse.
        browser.drag("#scrub", &[(0.0, 0.5), (0.2, 0.5), (0.5, 0.5)]);
        browser.wait("document.querySelector('#step').dataset.step > 60 && document.querySelector('#step').dataset.step < 140");
        let step = browser.text("document.querySelector('#step').dataset.step");
        for key in PANELS {
            browser.wait(&format!("{} === '{step}'", data(key, "mark")));
        }
        browser.wait(&format!(
            "{} > 0 && {} <= {step}",
            data("batch", "step"),
            data("batch", "step")
        ));
        browser.wait(&format!(
            "{} > 0 && {} <= {step}",
            data("test", "step"),
            data("test", "step")
        ));
        let middle: f64 = browser.text(value).replace(',', "").parse().unwrap();
        assert!(middle < first / 2.0, "{middle} of {first}");
        // A recorded step back and forth.
        browser.focus("#main");
        browser.keys(&[',']);
        browser.wait(&format!("document.querySelector('#step').dataset.step < {step}"));
        browser.keys(&['.']);
        browser.wait(&format!("document.querySelector('#step').dataset.step == {step}"));
        browser.keys(&['n']);
        for key in PANELS {
            browser.wait(&format!("{} === ''", data(key, "mark")));
        }
        browser.wait(&format!("{} == {newest}", data("batch", "missed")));
        page
    });
}

#[test]
fn a_replay_goes_through_the_recorded_steps_in_order() {
    in_browser("replay", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        open(browser, &page);
        browser.eval(
            "(() => { window.passed = []; window.pictures = new Set(); new MutationObserver(() => { \
               passed.push(Number(document.querySelector('#step').dataset.step)); pictures.add(document.querySelector('#panel-batch').dataset.step); \
             }).observe(document.querySelector('#step'), { attributes: true, attributeFilter: ['data-step'] }); })()",
        );
        browser.click("#play");
        browser.wait("passed.length > 3 && document.querySelector('#play').getAttribute('aria-pressed') === 'false'");
        let passed: Vec<f64> = browser
            .eval("passed")
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|step| step.as_f64())
            .collect();
        assert!(passed.windows(2).all(|pair| pair[0] <= pair[1]), "{passed:?}");
        assert_eq!((passed.first(), passed.last()), (Some(&0.0), Some(&200.0)));
        assert!(browser.number("new Set(passed).size") > 5.0, "{passed:?}");
        assert!(browser.number("pictures.size") > 2.0, "the batch stood still");
        // Stopped half way, it stays there.
        browser.eval("passed.length = 0");
        browser.eval("(() => { const s = document.querySelector('#speed'); s.value = '0.5'; s.dispatchEvent(new Event('change')); })()");
        browser.click("#play");
        browser.wait("new Set(passed).size > 2");
        browser.click("#play");
        let stopped = browser.text("document.querySelector('#step').dataset.step");
        assert!(stopped.parse::<f64>().unwrap() < 200.0, "{stopped}");
        browser.wait(&format!("{} === '{stopped}'", data("weights", "mark")));
        page
    });
}

#[test]
fn a_link_opens_the_same_picture_again() {
    in_browser("link", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        open(browser, &page);
        browser.focus("#scrub");
        browser.key(Key::Home);
        browser.keys(&[Key::Right.into(), Key::Right.into(), Key::Right.into()]);
        browser.wait(&format!("{} > 0", data("loss", "mark")));
        let step = browser.text(&data("loss", "mark"));
        browser.click("#panel-accuracy [data-zoom=last]");
        browser.click("#panel-loss [data-do=log]");
        let axes =
            |key: &str| ["xmin", "xmax", "min", "max"].map(|name| browser.text(&data(key, name)));
        let (accuracy, loss) = (axes("accuracy"), axes("loss"));
        browser.wait("location.hash.includes('step=') && location.hash.includes('z.accuracy=') && location.hash.includes('z.loss=')");
        let hash = browser.text("location.hash");

        browser.leave();
        browser.open(&format!("{}{hash}", page.url));
        for key in PANELS {
            browser.wait(&format!("{} === '{step}'", data(key, "mark")));
        }
        browser.wait(&format!("{} === 'true'", data("accuracy", "zoomed")));
        browser.wait(&format!(
            "{} === '{}' && {} === '{}'",
            data("accuracy", "min"),
            accuracy[2],
            data("accuracy", "max"),
            accuracy[3]
        ));
        browser.wait(&format!(
            "{} === '{}' && {} === '{}'",
            data("loss", "min"),
            loss[2],
            data("loss", "max"),
            loss[3]
        ));
        assert_eq!(
            browser.text("document.querySelector('#panel-loss [data-do=log]').ariaPressed"),
            "true"
        );
        assert_eq!((axes("accuracy"), axes("loss")), (accuracy, loss));

        // A tab has its link too.
        browser.leave();
        browser.open(&format!("{}#runs=sigmoid&tab=confusion&step=100", page.url));
        browser.wait("document.querySelector('.part-confusion').dataset.step == 100");
        assert_eq!(browser.eval("document.querySelector('#view-panels').hidden"), true);
        page
    });
}

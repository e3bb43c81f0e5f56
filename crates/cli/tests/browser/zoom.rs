//! Zooming and panning curves.

use fantoccini::key::Key;

use crate::support::{Browser, Folder, Program, in_browser, two_recorded_runs};

/// A panel's axes.
#[derive(Debug, PartialEq)]
struct Seen {
    x: [f64; 2],
    y: [f64; 2],
    zoomed: bool,
}

impl Seen {
    fn of(browser: &Browser, key: &str) -> Self {
        let data = |name: &str| {
            browser.number(&format!("document.querySelector('#panel-{key}').dataset.{name}"))
        };
        let zoomed =
            browser.text(&format!("document.querySelector('#panel-{key}').dataset.zoomed"));
        let (x, y) = ([data("xmin"), data("xmax")], [data("min"), data("max")]);
        Self { x, y, zoomed: zoomed == "true" }
    }

    fn width(&self) -> f64 {
        self.x[1] - self.x[0]
    }

    fn height(&self) -> f64 {
        self.y[1] - self.y[0]
    }
}

const LOSS: &str = "#panel-loss .plot";
const OVER: &str = "#panel-loss .u-over";

fn near(one: f64, other: f64, by: f64) -> bool {
    (one - other).abs() <= by
}

#[test]
fn a_curve_is_zoomed_by_button_drag_wheel_and_keys_and_reset() {
    in_browser("zoom", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&page.url);
        browser.wait("document.querySelector('#panel-loss').dataset.points > 20 && document.querySelector('#panel-accuracy').dataset.points > 20");
        let whole = Seen::of(browser, "loss");
        assert!(!whole.zoomed && whole.x[0] == 0.0 && whole.x[1] >= 190.0, "{whole:?}");

        // The last percent: of an accuracy that reached 90 % no more is left than a few.
        let accuracy = Seen::of(browser, "accuracy");
        browser.click("#panel-accuracy [data-zoom=last]");
        let last = Seen::of(browser, "accuracy");
        assert!(
            last.zoomed && last.y[0] >= 80.0 && last.y[1] <= 100.0 && last.height() < 12.0,
            "{last:?}"
        );
        assert_eq!(last.x, accuracy.x);
        browser.click("#panel-accuracy [data-zoom=reset]");
        assert_eq!(Seen::of(browser, "accuracy"), accuracy);
        browser.click("#panel-loss [data-zoom=last]");
        let last = Seen::of(browser, "loss");
        assert!(last.zoomed && last.height() < whole.height() * 0.6, "{last:?}");
        browser.click("#panel-loss [data-zoom=reset]");

        // A box drawn with the mouse is what is seen next.
        browser.drag(OVER, &[(0.25, 0.5), (0.4, 0.7), (0.75, 0.9)]);
        let boxed = Seen::of(browser, "loss");
        assert!(boxed.zoomed);
        assert!(
            near(boxed.x[0], whole.x[0] + whole.width() * 0.25, whole.width() * 0.02),
            "{boxed:?}"
        );
        assert!(
            near(boxed.x[1], whole.x[0] + whole.width() * 0.75, whole.width() * 0.02),
            "{boxed:?}"
        );
        assert!(
            near(boxed.y[0], whole.y[0] + whole.height() * 0.1, whole.height() * 0.02),
            "{boxed:?}"
        );
        assert!(
            near(boxed.y[1], whole.y[0] + whole.height() * 0.5, whole.height() * 0.02),
            "{boxed:?}"
        );
        // A drag along one axis leaves the other alone.
        browser.click("#panel-loss [data-zoom=reset]");
        browser.drag(OVER, &[(0.2, 0.5), (0.3, 0.5), (0.6, 0.5)]);
        let band = Seen::of(browser, "loss");
        assert!(near(band.width(), whole.width() * 0.4, whole.width() * 0.02), "{band:?}");
        browser.click("#panel-loss [data-zoom=reset]");
        assert_eq!(Seen::of(browser, "loss"), whole);

        // The wheel zooms about the pointer.
        let mut before = whole.width();
        for _ in 0..3 {
            browser.wheel(OVER, (0.5, 0.5), -120);
            browser.wait(&format!("document.querySelector('#panel-loss').dataset.xmax - document.querySelector('#panel-loss').dataset.xmin < {before}"));
            before = Seen::of(browser, "loss").width();
        }
        let wheeled = Seen::of(browser, "loss");
        let middle = (wheeled.x[0] + wheeled.x[1]) / 2.0;
        assert!(near(middle, (whole.x[0] + whole.x[1]) / 2.0, whole.width() * 0.02), "{wheeled:?}");
        browser.wheel(OVER, (0.5, 0.5), 120);
        browser.wait(&format!("document.querySelector('#panel-loss').dataset.xmax - document.querySelector('#panel-loss').dataset.xmin > {before}"));

        // The keys do all that the mouse does.
        browser.focus(LOSS);
        browser.keys(&['0']);
        assert_eq!(Seen::of(browser, "loss"), whole);
        browser.keys(&['+', '+']);
        let nearer = Seen::of(browser, "loss");
        assert!(near(nearer.width(), whole.width() * 0.75 * 0.75, 1e-6), "{nearer:?}");
        browser.key(Key::Right);
        let moved = Seen::of(browser, "loss");
        assert!(near(moved.x[0] - nearer.x[0], nearer.width() * 0.1, 1e-6), "{moved:?}");
        assert_eq!(moved.y, nearer.y);
        browser.key(Key::Up);
        assert!(Seen::of(browser, "loss").y[0] > moved.y[0]);
        let before = Seen::of(browser, "loss");
        browser.key_with(Key::Shift, Key::Right);
        let narrower = Seen::of(browser, "loss");
        assert!(narrower.width() < before.width() && narrower.y == before.y, "{narrower:?}");
        browser.keys(&['-']);
        assert!(Seen::of(browser, "loss").width() > narrower.width());
        browser.key(Key::Home);
        assert_eq!(Seen::of(browser, "loss"), whole);
        browser.keys(&['l']);
        assert_eq!(Seen::of(browser, "loss").y, last.y);
        // Every other panel stayed as it was.
        assert_eq!(Seen::of(browser, "accuracy"), accuracy);
        page
    });
}

#[test]
fn the_axis_follows_new_data_until_it_is_zoomed_and_again_after_reset() {
    in_browser("follow", |browser| {
        let folder = Folder::new("follow");
        let training =
            Program::train(&folder.0, "mnist_softmax", "--steps 1000000 --eval-every 10000");
        browser.open(&training.url);
        let data = |name: &str| format!("document.querySelector('#panel-loss').dataset.{name}");
        browser.wait(&format!("{} > 40", data("points")));
        let end = browser.number(&data("xmax"));
        browser.wait(&format!("{} > {end} && {} === {}", data("xmax"), data("xmax"), data("last")));

        browser.drag(OVER, &[(0.3, 0.4), (0.5, 0.5), (0.7, 0.7)]);
        let zoomed = Seen::of(browser, "loss");
        assert!(zoomed.zoomed);
        let last = browser.number(&data("last"));
        browser.wait(&format!("{} > {last} + 100", data("last")));
        assert_eq!(Seen::of(browser, "loss"), zoomed);

        browser.click("#panel-loss [data-zoom=reset]");
        browser.wait(&format!(
            "{} > {last} && {} === {}",
            data("xmax"),
            data("xmax"),
            data("last")
        ));
        assert!(!Seen::of(browser, "loss").zoomed);
        (training, folder)
    });
}

//! Two runs at once.

use crate::support::{Program, in_browser, two_recorded_runs};

#[test]
fn two_runs_lie_over_each_other_and_stand_side_by_side() {
    in_browser("compare", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu", page.url));
        let loss = "document.querySelector('#panel-loss').dataset";
        browser.wait(&format!("{loss}.series && !{loss}.series.includes('sigmoid')"));
        browser.click("label:has(input[data-run=sigmoid])");
        let tags = ["relu:train/loss", "relu:test/loss", "sigmoid:train/loss", "sigmoid:test/loss"];
        for tag in tags {
            browser.wait(&format!("{loss}.series.split(' ').includes('{tag}')"));
        }
        // Each has its values in the legend; they are of two trainings.
        let value = |tag: &str| {
            format!(
                "document.querySelector('#panel-loss output[data-series=\"{tag}\"]').textContent"
            )
        };
        for tag in tags {
            browser.wait(&format!("Number({}.replace(',', '')) > 0", value(tag)));
        }
        assert_ne!(browser.text(&value(tags[1])), browser.text(&value(tags[3])));
        assert_eq!(browser.number("document.querySelectorAll('[data-panel=batch]').length"), 1.0);

        // Images and weights are those of one of them.
        let weights =
            "document.querySelector('#panel-weights output, #panel-weights .readout').textContent";
        browser.wait("document.querySelector('#panel-weights').dataset.points > 3");
        let of_relu = browser.text(weights);
        browser.eval("(() => { const s = document.querySelector('#focus'); s.value = 'sigmoid'; s.dispatchEvent(new Event('change')); })()");
        browser.wait(&format!("document.querySelector('#panel-weights').dataset.points > 3 && {weights} !== {of_relu:?}"));

        browser.click("label:has(#arrange-side)");
        for key in ["batch", "loss", "accuracy", "test", "weights", "biases"] {
            browser.wait(&format!("document.querySelectorAll('[data-panel={key}]').length === 2"));
        }
        let both = |key: &str, name: &str| {
            format!(
                "[...document.querySelectorAll('[data-panel={key}]')].map((p) => p.dataset.{name})"
            )
        };
        browser.wait(&format!("{}.every((s) => s)", both("loss", "series")));
        let series = browser.text(&format!("{}.join('|')", both("loss", "series")));
        let (left, right) = series.split_once('|').unwrap();
        assert!(left.contains("relu:") && !left.contains("sigmoid:"), "{series}");
        assert!(right.contains("sigmoid:") && !right.contains("relu:"), "{series}");
        // On one scale, however they are zoomed, or nothing could be compared.
        let same = |key: &str| {
            ["xmin", "xmax", "min", "max"]
                .map(|name| format!("new Set({}).size === 1", both(key, name)))
                .join(" && ")
        };
        for key in ["loss", "accuracy", "weights"] {
            // What is far below is drawn when it comes in sight.
            browser.eval(&format!("document.querySelector('[data-panel={key}]').scrollIntoView()"));
            browser.wait(&format!("{}.every((x) => x) && {}", both(key, "xmax"), same(key)));
        }
        browser.click("[data-panel=accuracy] [data-zoom=last]");
        browser.wait(&format!("{}.every((z) => z === 'true')", both("accuracy", "zoomed")));
        browser.wait(&same("accuracy"));
        browser.eval("document.querySelector('[data-panel=batch]').scrollIntoView()");
        // Both batches are at the step that is scrubbed to.
        browser.focus("#main");
        browser.keys(&[',']);
        browser.wait(&format!(
            "new Set({}).size === 1 && {}[0]",
            both("batch", "mark"),
            both("batch", "mark")
        ));
        browser.wait(&format!("{}.every((s) => s >= 0 && s !== '')", both("batch", "step")));

        // The table of runs has both with their settings.
        browser.click("#tab-runs");
        browser.wait("document.querySelectorAll('#view-runs tbody tr').length === 2");
        browser.wait(
            "document.querySelector('#view-runs table').textContent.includes('mnist_mlp_sigmoid')",
        );
        // One less again.
        browser.click("#view-runs input[data-run=relu]");
        browser.click("#tab-panels");
        browser.wait("document.querySelectorAll('[data-panel=loss]').length === 1");
        browser.wait("document.querySelector('[data-panel=loss]').dataset.series?.includes('sigmoid') && !document.querySelector('[data-panel=loss]').dataset.series.includes('relu')");
        page
    });
}

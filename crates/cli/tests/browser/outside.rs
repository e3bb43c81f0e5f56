//! Nothing leaves the machine; logs of other programs open.

use crate::support::{Folder, Program, in_browser, two_recorded_runs};

#[test]
fn no_view_asks_anybody_but_the_server_nor_writes_on_the_console() {
    in_browser("outside", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&page.url);
        browser.wait("document.querySelector('#panel-loss').dataset.points > 20");
        for (tab, shows) in [
            ("graph", "document.querySelector('.part-graph').dataset.drawn > 0"),
            ("timeline", "document.querySelector('.part-timeline').dataset.drawn > 0"),
            ("confusion", "document.querySelector('.part-confusion').dataset.images > 0"),
            ("text", "document.querySelector('.part-texts').dataset.lines > 10"),
            ("runs", "document.querySelectorAll('#view-runs tbody tr').length === 2"),
            ("panels", "document.querySelector('#panel-loss').dataset.points > 20"),
        ] {
            browser.click(&format!("#tab-{tab}"));
            browser.wait(shows);
            assert_eq!(
                browser.eval(&format!("document.querySelector('#view-{tab}').hidden")),
                false
            );
            browser.check();
        }
        // The page may not, either, if something in it tried to. The browser says so, and nobody is
        // asked.
        browser.allow("Content Security Policy");
        let refused = browser
            .eval("fetch('http://127.0.0.1:9/').then(() => 'answered', (error) => error.name)");
        assert_eq!(refused, "TypeError");
        page
    });
}

#[test]
fn logs_of_pytorch_and_tensorflow_open_on_the_page() {
    in_browser("foreign", |browser| {
        let folder = Folder::new("foreign");
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/data");
        for run in ["pytorch", "tensorflow1", "tensorflow2"] {
            std::fs::create_dir(folder.0.join(run)).unwrap();
            let file = folder.0.join(run).join("events.out.tfevents.1700000000.machine");
            std::fs::copy(format!("{data}/{run}.tfevents"), file).unwrap();
        }
        let page = Program::dashboard(&folder.0, "127.0.0.1:0");
        browser.open(&page.url);
        for run in ["pytorch", "tensorflow1", "tensorflow2"] {
            // One after the other, alone.
            browser.leave();
            browser.open(&format!("{}#runs={run}", page.url));
            browser.wait("document.querySelector('.panel[data-points]')?.dataset.points > 0");
            let series = browser.text("[...document.querySelectorAll('.panel[data-series]')].map((p) => p.dataset.series).join(' ')");
            assert!(series.split(' ').all(|line| line.starts_with(&format!("{run}:"))), "{series}");
            // Histograms are bands, though of other makers.
            browser.wait(
                "document.querySelector('#panel-weights, #panel-biases')?.dataset.points > 0",
            );
            browser.click("#tab-graph");
            browser.wait("document.querySelector('.part-graph').dataset.drawn > 0");
            browser.click("#tab-text");
            browser.wait("document.querySelector('.part-texts').dataset.lines > 0");
            browser.click("#tab-pictures");
            browser.wait("[...document.querySelectorAll('#view-pictures img')].some((image) => image.naturalWidth > 0)");
        }
        (page, folder)
    });
}

//! The graph, the timeline and the confusion matrix of a recorded run.

use fantoccini::key::Key;

use crate::support::{Program, in_browser, two_recorded_runs};

#[test]
fn the_graph_folds_and_unfolds_and_tells_of_a_node() {
    in_browser("graph", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu&tab=graph", page.url));
        let graph = "document.querySelector('.part-graph').dataset";
        browser.wait(&format!("{graph}.shown > 0 && {graph}.drawn > 0"));
        let nodes = browser.number(&format!("{graph}.nodes"));
        assert!(nodes > 100.0, "{nodes}");
        browser.click(".part-graph [data-do=fold]");
        browser.wait(&format!("{graph}.shown < {nodes} / 3"));
        let folded = browser.number(&format!("{graph}.shown"));
        browser.click(".part-graph [data-do=unfold]");
        browser.wait(&format!("{graph}.shown > 2 * {folded}"));
        browser.wait("document.querySelector('.outline-row[aria-expanded=true]')");
        // Without what is derived, less is drawn.
        let all = browser.number(&format!("{graph}.shown"));
        browser.click("label:has(input[data-role=backward])");
        browser.wait(&format!("{graph}.shown < {all}"));
        browser.click("label:has(input[data-role=backward])");
        browser.wait(&format!("{graph}.shown == {all}"));
        browser.click(".part-graph [data-do=fold]");

        // What is searched for is listed, and a click tells all about it.
        browser.click(".part-graph input[type=search]");
        browser.keys(&['m', 'a', 't', 'm', 'u', 'l']);
        browser.wait(&format!("{graph}.found > 3"));
        browser.click(".outline-row.role-forward");
        browser.wait(&format!("{graph}.selected"));
        let fact = |name: &str| {
            browser.text(&format!(
                "document.querySelector('.graph-panel [data-fact={name}]')?.textContent"
            ))
        };
        assert_eq!(fact("op"), "matmul");
        assert!(fact("type").starts_with("f32["), "{}", fact("type"));
        // Where in a program the node was made: a file, a line, a column.
        let source = fact("source");
        let mut place = source.rsplitn(3, ':');
        assert!(place.by_ref().take(2).all(|number| number.parse::<u32>().is_ok()), "{source}");
        assert!(place.next().is_some_and(|file| file.ends_with(".rs")), "{source}");
        assert!(fact("flops").contains("FLOP"), "{}", fact("flops"));
        assert!(fact("time").contains("in step"), "{}", fact("time"));
        // Its operands lead on.
        let selected = browser.text(&format!("{graph}.selected"));
        browser.click(".graph-panel [data-link]");
        browser.wait(&format!("{graph}.selected && {graph}.selected !== {selected:?}"));

        // By keys: the outline is a tree.
        browser.eval("(() => { const s = document.querySelector('.part-graph input[type=search]'); s.value = ''; s.dispatchEvent(new Event('input')); })()");
        browser.wait("document.querySelector('.outline-row[aria-expanded]')");
        browser.click(".part-graph [data-do=fold]");
        browser.focus(".part-outline");
        browser.key(Key::Home);
        browser.wait("document.querySelector('.outline-row[aria-selected=true]')");
        let shown = browser.number(&format!("{graph}.shown"));
        let chosen = "document.querySelector('.outline-row[aria-selected=true]')";
        for _ in 0..nodes as usize {
            if browser.eval(&format!("{chosen}?.ariaExpanded === 'false'")) == true {
                break;
            }
            browser.key(Key::Down);
        }
        browser.key(Key::Right);
        browser.wait(&format!("{graph}.shown > {shown}"));
        browser.key(Key::Left);
        browser.wait(&format!("{graph}.shown == {shown}"));
        page
    });
}

#[test]
fn the_timeline_shows_the_spans_of_a_traced_step() {
    in_browser("timeline", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu&tab=timeline", page.url));
        let timeline = "document.querySelector('.part-timeline').dataset";
        browser.wait(&format!("{timeline}.spans > 10 && {timeline}.drawn > 5"));
        assert_eq!(browser.text(&format!("{timeline}.step")), "100");
        let (from, to) = (
            browser.number(&format!("{timeline}.from")),
            browser.number(&format!("{timeline}.to")),
        );
        assert!(from == 0.0 && to > 0.0);
        browser.click(".part-timeline [data-do=in]");
        browser.wait(&format!("{timeline}.to - {timeline}.from < {to}"));
        browser.click(".part-timeline [data-do=fit]");
        browser.wait(&format!("{timeline}.to == {to} && {timeline}.from == 0"));
        browser.focus(".timeline-canvas");
        browser.key(Key::Right);
        browser.wait(&format!("{timeline}.selected"));
        let first = browser.text(&format!("{timeline}.selected"));
        browser.key(Key::Right);
        browser.wait(&format!("{timeline}.selected !== {first:?}"));
        // Enter leads to the node in the graph.
        browser.key(Key::Enter);
        browser.wait("document.querySelector('#tab-graph').ariaSelected === 'true' && document.querySelector('.part-graph').dataset.selected");
        browser.click("#tab-timeline");
        assert!(
            browser.number("document.querySelectorAll('.part-timeline tr[data-span]').length")
                > 5.0
        );
        page
    });
}

#[test]
fn a_cell_of_the_confusion_matrix_opens_its_images() {
    in_browser("confusion", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu&tab=confusion", page.url));
        let confusion = "document.querySelector('.part-confusion').dataset";
        browser.wait(&format!("{confusion}.step == 200"));
        let cells = "[...document.querySelectorAll('[data-cell]')]";
        assert_eq!(
            browser.number(&format!(
                "{cells}.reduce((sum, cell) => sum + Number(cell.dataset.count), 0)"
            )),
            10_000.0
        );
        let right = format!(
            "{cells}.filter((cell) => cell.dataset.cell[0] === cell.dataset.cell[2]).reduce((sum, cell) => sum + Number(cell.dataset.count), 0)"
        );
        assert_eq!(browser.number(&right), browser.number(&format!("{confusion}.correct")));
        assert!(browser.number(&format!("{confusion}.correct")) > 8000.0);

        let count = browser.number("document.querySelector('[data-cell=\"4-9\"]').dataset.count");
        assert!(count > 0.0);
        browser.click("[data-cell=\"4-9\"]");
        browser.wait(&format!("{confusion}.open === '4-9'"));
        assert_eq!(browser.number(&format!("{confusion}.images")), count);
        // The images are drawn.
        browser.wait(
            "(() => { const c = document.querySelector('.confusion-canvas'); \
               const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', { willReadFrequently: true }); copy.drawImage(c, 0, 0); \
               return copy.getImageData(0, 0, c.width, c.height).data.filter((byte, i) => i % 4 === 3 && byte).length > 500; })()",
        );
        // Keys go from cell to cell.
        browser.key(Key::Right);
        browser.wait("document.activeElement.dataset.cell === '4-9'");
        browser.key(Key::Left);
        browser.wait("document.activeElement.dataset.cell === '4-8'");
        browser.key(Key::Up);
        browser.key(Key::Enter);
        browser.wait(&format!("{confusion}.open === '3-8'"));
        // Scrubbing back moves it along, as soon as the page has the steps.
        browser.wait("!document.querySelector('#scrub').disabled");
        browser.focus("#scrub");
        browser.key(Key::Home);
        browser.wait(&format!("{confusion}.step == 0"));
        assert!(browser.number(&format!("{confusion}.correct")) < 5000.0);
        page
    });
}

//! The page without a mouse.

use std::collections::BTreeSet;

use fantoccini::key::Key;

use crate::support::{Browser, Program, in_browser, two_recorded_runs};

/// Gives everything that can be seen and worked a number in `data-nr`, and says how many there are.
/// Of a group of radio buttons the keyboard stops at one, of tabs at the chosen one; so they count
/// as one.
fn number_all(browser: &Browser) -> f64 {
    browser.number(
        "(() => { \
           const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length && !e.disabled; \
           const all = [...document.querySelectorAll('a[href], button, input, select, summary, textarea, .plot, canvas[tabindex], [tabindex=\"0\"]')]; \
           for (const e of document.querySelectorAll('[data-nr]')) delete e.dataset.nr; \
           const worked = all.filter((e) => seen(e) && !(e.getAttribute('role') === 'tab' && e.tabIndex < 0) && !(e.type === 'radio' && !e.checked)); \
           worked.forEach((e, i) => { e.dataset.nr = i; }); \
           return worked.length; \
         })()",
    )
}

/// Goes through the page by the tab key, and gives the numbers of what it met; what cannot be seen
/// to have the keyboard is a mistake.
fn tab_through(browser: &Browser, count: usize) -> BTreeSet<usize> {
    browser.eval("(() => { document.activeElement.blur(); window.scrollTo(0, 0); })()");
    let mut met = BTreeSet::new();
    for _ in 0..count + 20 {
        browser.key(Key::Tab);
        let at = browser.eval(
            "(() => { \
               const e = document.activeElement; \
               if (e === document.body) return null; \
               const outlined = (x) => x && getComputedStyle(x).outlineStyle !== 'none' && parseFloat(getComputedStyle(x).outlineWidth) > 0; \
               const around = [e, e.closest('label'), e.nextElementSibling, e.parentElement]; \
               return { nr: e.dataset.nr ?? '', shown: around.some(outlined), what: e.outerHTML.slice(0, 120) }; \
             })()",
        );
        let Some(number) = at["nr"].as_str() else { continue };
        assert_eq!(at["shown"], true, "nothing shows that the keyboard is at {}", at["what"]);
        if let Ok(number) = number.parse() {
            // Round once.
            if !met.insert(number) && met.len() >= count {
                break;
            }
        }
    }
    met
}

#[test]
fn the_tab_key_reaches_all_that_can_be_worked_and_shows_where_it_is() {
    in_browser("tab", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu,sigmoid", page.url));
        browser.wait("document.querySelector('#panel-loss').dataset.points > 20");
        for (tab, ready) in [
            ("panels", "document.querySelector('#panel-biases .plot')"),
            ("graph", "document.querySelector('.part-graph').dataset.drawn > 0"),
            ("timeline", "document.querySelector('.part-timeline').dataset.drawn > 0"),
            ("confusion", "document.querySelector('.part-confusion').dataset.images > 0"),
            ("text", "document.querySelector('.part-texts').dataset.lines > 10"),
            ("runs", "document.querySelectorAll('#view-runs tbody tr').length === 2"),
        ] {
            browser.click(&format!("#tab-{tab}"));
            browser.wait(ready);
            let count = number_all(browser) as usize;
            assert!(count > 8, "{tab}: {count}");
            let met = tab_through(browser, count);
            let missing: Vec<String> = (0..count)
                .filter(|number| !met.contains(number))
                .map(|number| {
                    browser.text(&format!(
                        "document.querySelector('[data-nr=\"{number}\"]')?.outerHTML.slice(0, 160)"
                    ))
                })
                .collect();
            assert!(missing.is_empty(), "{tab}: not reached: {missing:#?}");
        }
        page
    });
}

#[test]
fn tabs_runs_and_panels_are_worked_by_keys_alone() {
    in_browser("keys", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&format!("{}#runs=relu", page.url));
        browser.wait("document.querySelector('#panel-loss').dataset.points > 20");
        let focused = |browser: &Browser| browser.text("document.activeElement.id");
        // The first stop leads past what stands above.
        browser.key(Key::Tab);
        assert_eq!(browser.text("document.activeElement.className"), "skip");
        browser.key(Key::Tab);
        assert_eq!(focused(browser), "tab-panels");
        // Arrows go from tab to tab, to those that have nothing as well, and say why.
        for (tab, opens) in [
            ("graph", true),
            ("timeline", true),
            ("confusion", true),
            ("draw", false),
            ("pictures", false),
            ("text", true),
            ("runs", true),
        ] {
            browser.key(Key::Right);
            assert_eq!(focused(browser), format!("tab-{tab}"));
            let opened =
                browser.text(&format!("document.querySelector('#tab-{tab}').ariaSelected"));
            assert_eq!(opened, opens.to_string(), "{tab}");
            if !opens {
                assert_eq!(browser.eval("document.querySelector('#message').hidden"), false);
            }
        }
        browser.key(Key::Right);
        assert_eq!(focused(browser), "tab-panels");
        browser.key(Key::Left);
        assert_eq!(focused(browser), "tab-runs");
        browser.key(Key::Home);
        assert_eq!(focused(browser), "tab-panels");

        // Space chooses a run.
        browser.focus("input[data-run=sigmoid]");
        browser.keys(&[' ']);
        browser.wait("document.querySelector('#panel-loss').dataset.series.includes('sigmoid')");
        assert_eq!(browser.text("document.activeElement.dataset.run"), "sigmoid");
        browser.focus("#arrange-over");
        browser.key(Key::Right);
        browser.wait("document.querySelectorAll('[data-panel=loss]').length === 2");
        browser.key(Key::Left);
        browser.wait("document.querySelectorAll('[data-panel=loss]').length === 1");

        // A panel is enlarged by its button, and Escape takes that back.
        browser.focus("#panel-accuracy [data-do=enlarge]");
        browser.key(Key::Enter);
        browser.wait("document.querySelector('#panel-accuracy').classList.contains('large') && location.hash.includes('panel=accuracy')");
        browser.key(Key::Escape);
        browser.wait("!document.querySelector('#panel-accuracy').classList.contains('large')");
        // The test images, one after the other, are named.
        browser.focus("#panel-test .scroller");
        browser.key(Key::Right);
        browser.key(Key::Right);
        browser.wait("/^no\\. .*: a \\d, taken for \\d$/.test(document.querySelector('#panel-test .summary').textContent)");
        browser.key(Key::Escape);
        browser
            .wait("document.querySelector('#panel-test .summary').textContent.includes('missed')");
        // The help opens by keys, and holds them.
        browser.focus("#help summary");
        browser.key(Key::Enter);
        browser.wait("document.querySelector('#help').open && document.querySelector('#help dl').getClientRects().length");
        browser.key(Key::Enter);
        browser.wait("!document.querySelector('#help').open");
        page
    });
}

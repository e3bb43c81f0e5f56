//! A server that goes away and comes back.

use crate::support::{Folder, Program, in_browser};

#[test]
fn the_page_reconnects_after_the_server_was_restarted_and_keeps_its_zoom() {
    in_browser("restart", |browser| {
        let folder = Folder::with_two_runs("restart");
        let page = Program::dashboard(&folder.0, "127.0.0.1:0");
        let addr = page.addr().to_owned();
        browser.open(&format!("{}#runs=relu", page.url));
        let loss = "document.querySelector('#panel-loss').dataset";
        browser.wait(&format!("{loss}.points > 20"));
        browser.wait("document.querySelector('#connection').dataset.state === 'live'");
        browser.drag("#panel-loss .u-over", &[(0.25, 0.3), (0.4, 0.5), (0.7, 0.9)]);
        browser.wait(&format!("{loss}.zoomed === 'true'"));
        let seen =
            || ["xmin", "xmax", "min", "max"].map(|name| browser.text(&format!("{loss}.{name}")));
        let zoomed = seen();
        let token = "document.querySelector('meta[name=token]').content";
        let old = browser.text(token);

        // The browser itself says on the console that nobody answers.
        for words in ["net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING"] {
            browser.allow(words);
        }
        assert_eq!(page.interrupt().0, Some(0));
        browser.wait("document.querySelector('#connection').dataset.state === 'reconnecting'");
        assert_eq!(seen(), zoomed);
        // What is recorded while nobody serves it is there when somebody does.
        std::fs::rename(folder.0.join("sigmoid"), folder.0.join("later")).unwrap();
        let again = Program::dashboard(&folder.0, &addr);
        browser.wait("document.querySelector('#connection').dataset.state === 'live'");
        browser.wait("document.querySelector('input[data-run=later]')");
        browser.wait(&format!("{loss}.points > 20"));
        assert_eq!(seen(), zoomed);
        // The token of another start is another; the page took it over.
        browser.wait(&format!("{token} !== '{old}'"));
        browser.click("label:has(input[data-run=later])");
        browser.wait(&format!("{loss}.series.includes('later:test/loss')"));
        (again, folder)
    });
}

#[test]
fn a_page_that_was_opened_before_the_first_run_shows_it_when_it_comes() {
    in_browser("first", |browser| {
        let folder = Folder::new("first");
        let page = Program::dashboard(&folder.0, "127.0.0.1:0");
        browser.open_empty(&page.url);
        browser.wait("!document.querySelector('#empty').hidden");
        Folder::copy_run("relu", &folder.0);
        browser.wait("document.querySelector('#panel-loss')?.dataset.points > 20");
        browser.wait("document.querySelector('#panel-test')?.dataset.percent > 50");
        (page, folder)
    });
}

//! A digit drawn on the page.

use crate::support::{Browser, Folder, Program, in_browser, two_recorded_runs};

const DRAW: &str = "document.querySelector('.part-draw').dataset";

/// Waits for an answer, and gives the probabilities and what is the likeliest.
fn answer(browser: &Browser) -> (Vec<f64>, usize) {
    browser.wait(&format!("{DRAW}.state === 'shown' && {DRAW}.saliency === 'shown'"));
    // Both at once: while a stroke is drawn one answer follows the other.
    let shown = browser.eval(&format!(
        "[[...document.querySelectorAll('[data-probability]')].map((row) => Number(row.dataset.value)), Number({DRAW}.digit)]"
    ));
    let values: Vec<f64> =
        shown[0].as_array().unwrap().iter().filter_map(|value| value.as_f64()).collect();
    assert_eq!(values.len(), 10);
    let sum: f64 = values.iter().sum();
    assert!((sum - 1.0).abs() < 1e-3, "{values:?}");
    let most = values.iter().copied().fold(0.0, f64::max);
    let digit = shown[1].as_f64().unwrap() as usize;
    assert_eq!(values[digit], most, "{digit} of {values:?}");
    (values, digit)
}

/// Waits until an answer says that it is this digit.
fn recognises(browser: &Browser, digit: usize) {
    browser.wait(&format!("{DRAW}.state === 'shown' && {DRAW}.digit === '{digit}'"));
    let (values, found) = answer(browser);
    assert_eq!(found, digit);
    assert!(values[digit] > 0.4, "{values:?}");
}

/// Pixels of the saliency that are laid over the square.
fn shaded(browser: &Browser) -> f64 {
    browser.number(
        "(() => { \
           const over = document.querySelector('.draw-mini .draw-over'); \
           const copy = new OffscreenCanvas(over.width, over.height).getContext('2d', { willReadFrequently: true }); \
           copy.drawImage(over, 0, 0); \
           return copy.getImageData(0, 0, over.width, over.height).data.filter((byte, i) => i % 4 === 3 && byte).length; \
         })()",
    )
}

fn clear(browser: &Browser) {
    browser.click("[data-do=clear]");
    browser.wait(&format!("{DRAW}.state === 'empty' && {DRAW}.ink === '0'"));
}

#[test]
fn a_drawn_digit_is_classified_while_training_is_paused_and_after_its_end() {
    in_browser("draw", |browser| {
        let folder = Folder::new("draw");
        let training =
            Program::train(&folder.0, "mnist_mlp_relu", "--steps 100000 --eval-every 200");
        browser.open(&training.url);
        browser.wait("document.querySelector('#panel-test')?.dataset.percent > 94");
        browser.click("[data-control=pause]");
        browser.wait("document.querySelector('#progress').dataset.state === 'paused'");
        browser.click("#tab-draw");
        browser.wait(&format!("{DRAW}.state === 'empty'"));
        // A stroke from above to below is a one.
        browser.drag(
            ".draw-square",
            &[(0.52, 0.15), (0.52, 0.3), (0.5, 0.5), (0.49, 0.7), (0.48, 0.85)],
        );
        recognises(browser, 1);
        assert!(browser.number(&format!("{DRAW}.ink")) > 10.0);
        assert!(browser.number(&format!("{DRAW}.step")) > 100.0);
        // The pixels that it hangs on are shown, unless one does not want to see them.
        assert!(shaded(browser) > 10.0);
        browser.click("[data-do=saliency]");
        browser.wait(&format!("{DRAW}.saliency === 'off'"));
        assert_eq!(shaded(browser), 0.0);
        browser.click("[data-do=saliency]");
        browser.wait(&format!("{DRAW}.saliency === 'shown'"));
        clear(browser);
        // A ring is a zero.
        let ring: Vec<(f64, f64)> = (0..=24)
            .map(|part| f64::from(part) / 24.0 * std::f64::consts::TAU)
            .map(|angle| (0.5 + 0.2 * angle.sin(), 0.5 - 0.32 * angle.cos()))
            .collect();
        browser.drag(".draw-square", &ring);
        recognises(browser, 0);
        clear(browser);

        // Test images are asked as they are: most of them are recognised.
        let mut recognised = 0;
        for image in 0..10 {
            clear(browser);
            let sent = browser.number(&format!("{DRAW}.sent"));
            browser.eval(&format!("document.querySelector('.draw-take input').value = '{image}'"));
            browser.click("[data-do=take]");
            browser.wait(&format!("{DRAW}.sent > {sent} && {DRAW}.truth !== undefined"));
            let (_, digit) = answer(browser);
            recognised += u32::from(browser.number(&format!("{DRAW}.truth")) as usize == digit);
        }
        assert!(recognised >= 8, "{recognised} of 10");
        clear(browser);

        browser.click("[data-control=stop]");
        browser.click("[data-control=stop]");
        browser.wait("document.querySelector('#progress').dataset.state === 'stopped'");
        browser.drag(
            ".draw-square",
            &[(0.52, 0.15), (0.52, 0.3), (0.5, 0.5), (0.49, 0.7), (0.48, 0.85)],
        );
        recognises(browser, 1);
        // By the keyboard alone: the pen goes down at the middle.
        clear(browser);
        browser.focus(".draw-square");
        browser.keys(&['p']);
        for _ in 0..8 {
            browser.key(fantoccini::key::Key::Down);
        }
        recognises(browser, 1);
        (training, folder)
    });
}

#[test]
fn without_weights_the_square_says_so() {
    in_browser("no-weights", |browser| {
        let page = Program::dashboard(two_recorded_runs(), "127.0.0.1:0");
        browser.open(&page.url);
        browser.wait("document.querySelector('#tab-draw').ariaDisabled === 'true'");
        browser.click("#tab-draw");
        browser.wait("document.querySelector('#message').textContent.includes('no weights')");
        assert_eq!(browser.eval("document.querySelector('#view-draw').hidden"), true);
        page
    });
}

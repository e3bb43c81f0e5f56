//! A browser with one page.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
    WheelAction, WheelActions,
};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use super::driver::{self, Driver};
use super::recordings::Folder;
use super::{PATIENCE, wait_for};

/// One browser at a time: they and the trainings share few cores.
static TURN: Mutex<()> = Mutex::new(());

/// A browser. It ends when this is dropped.
pub struct Browser {
    client: Option<Client>,
    runtime: tokio::runtime::Runtime,
    driver: Option<Driver>,
    /// The page's server: nothing else may be asked.
    origin: RefCell<String>,
    /// Requests that were sent to it.
    requests: Cell<usize>,
    /// Words of messages on the console that are no mistake of the page.
    allowed: RefCell<Vec<&'static str>>,
    _profile: Folder,
    _turn: MutexGuard<'static, ()>,
}

/// Runs a test in a browser, and checks at its end that the page asked nothing but its server and
/// that nothing stands on the console. What the test gives back, such as the server, is kept until
/// then. Where there is no browser the test is left out, with a word about it.
pub fn in_browser<T>(name: &str, test: impl FnOnce(&Browser) -> T) {
    let Some((chromium, driver)) = driver::programs() else { return };
    let turn = TURN.lock();
    let profile = Folder::new(&format!("{name}-profile"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let driver = Driver::start(driver);
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1600,1100",
        &format!("--user-data-dir={}", profile.0.display()),
    ];
    let capabilities = json!({
        "goog:chromeOptions": { "binary": chromium, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!() };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let client = runtime.block_on(builder.connect(&driver.url)).expect("the browser starts");
    let browser = Browser {
        client: Some(client),
        runtime,
        driver: Some(driver),
        origin: RefCell::default(),
        requests: Cell::default(),
        allowed: RefCell::default(),
        _profile: profile,
        _turn: turn,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let kept = test(&browser);
        browser.check();
        // While the server is there, so that nothing is asked in vain.
        browser.leave();
        drop(kept);
    }));
    if let Err(panic) = outcome {
        browser.tell();
        resume_unwind(panic);
    }
}

impl Browser {
    fn run<T>(&self, work: impl Future<Output = Result<T, CmdError>>) -> Result<T, CmdError> {
        let limited = async { tokio::time::timeout(PATIENCE, work).await };
        self.runtime.block_on(limited).expect("the browser answers")
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is there until it is dropped")
    }

    /// Opens a page, and waits until its runs are listed.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.open_empty(url);
        self.wait("document.documentElement.dataset.ready > 0");
    }

    /// Opens a page, which may have no runs yet.
    #[track_caller]
    pub fn open_empty(&self, url: &str) {
        let origin = url.split('#').next().unwrap_or(url).trim_end_matches('/');
        self.origin.replace(origin.to_owned());
        self.run(self.client().goto(url)).unwrap();
        self.wait("document.documentElement.dataset.ready");
    }

    /// Leaves the page.
    pub fn leave(&self) {
        self.run(self.client().goto("about:blank")).unwrap();
    }

    /// Lets a message stand on the console that holds these words.
    pub fn allow(&self, words: &'static str) {
        self.allowed.borrow_mut().push(words);
    }

    /// The value of an expression.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        match self.run(self.client().execute(&format!("return ({expression});"), Vec::new())) {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// The number that an expression has.
    #[track_caller]
    pub fn number(&self, expression: &str) -> f64 {
        let value = self.eval(&format!("Number({expression})"));
        value.as_f64().unwrap_or_else(|| panic!("{expression} is {value}"))
    }

    /// The text that an expression has.
    #[track_caller]
    pub fn text(&self, expression: &str) -> String {
        self.eval(&format!("String({expression})")).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true, or as good as.
    #[track_caller]
    pub fn wait(&self, expression: &str) {
        let is_true = format!("Boolean({expression})");
        wait_for(expression, || (self.eval(&is_true) == true).then_some(()));
    }

    /// Clicks on what a selector finds first, once it can be clicked on.
    #[track_caller]
    pub fn click(&self, css: &str) {
        wait_for(css, || {
            let click = async { self.client().find(Locator::Css(css)).await?.click().await };
            self.run(click).ok()
        });
    }

    /// Gives the keyboard to what a selector finds first.
    #[track_caller]
    pub fn focus(&self, css: &str) {
        let found = self.eval(&format!(
            "(() => {{ const e = document.querySelector({css:?}); e?.focus(); return Boolean(e); }})()"
        ));
        assert_eq!(found, true, "{css}");
    }

    /// Presses keys, one after the other.
    pub fn keys(&self, keys: &[char]) {
        let mut actions = KeyActions::new("keys".to_owned());
        for &value in keys {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.run(self.client().perform_actions(actions)).unwrap();
    }

    /// Presses a key once.
    pub fn key(&self, key: Key) {
        self.keys(&[key.into()]);
    }

    /// Presses a key while another is held.
    pub fn key_with(&self, held: Key, key: Key) {
        let (held, value) = (held.into(), key.into());
        let actions = KeyActions::new("keys".to_owned())
            .then(KeyAction::Down { value: held })
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value })
            .then(KeyAction::Up { value: held });
        self.run(self.client().perform_actions(actions)).unwrap();
    }

    /// Places in an element, given in parts of its width and height from the left and from above,
    /// as places in the window.
    #[track_caller]
    fn places(&self, css: &str, parts: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let rect = self.eval(&format!(
            "(() => {{ const e = document.querySelector({css:?}); e.scrollIntoView({{ block: 'nearest' }}); \
             const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }})()"
        ));
        let side = |index: usize| rect[index].as_f64().unwrap();
        let place = |&(x, y): &(f64, f64)| {
            ((side(0) + x * side(2)).round(), (side(1) + y * side(3)).round())
        };
        parts.iter().map(place).collect()
    }

    /// Draws with the mouse in an element, through places given in parts of its width and height.
    #[track_caller]
    pub fn drag(&self, css: &str, parts: &[(f64, f64)]) {
        let duration = Some(Duration::from_millis(15));
        let mut actions = MouseActions::new("mouse".to_owned());
        for (index, (x, y)) in self.places(css, parts).into_iter().enumerate() {
            actions = actions.then(PointerAction::MoveTo { duration, x, y });
            if index == 0 {
                actions = actions.then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
            }
        }
        let actions = actions.then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.run(self.client().perform_actions(actions)).unwrap();
    }

    /// Turns the wheel over an element; less than nothing is away from the hand.
    #[track_caller]
    pub fn wheel(&self, css: &str, part: (f64, f64), by: i64) {
        let (x, y) = self.places(css, &[part])[0];
        let mut actions = WheelActions::new("wheel".to_owned());
        let (x, y) = (x as i64, y as i64);
        actions.push(WheelAction::Scroll { duration: None, x, y, delta_x: 0, delta_y: by });
        self.run(self.client().perform_actions(actions)).unwrap();
    }

    /// Takes what the browser logged since the last time.
    fn log(&self, kind: &'static str) -> Vec<Value> {
        let found = self.run(self.client().issue_cmd(TakeLog(kind))).unwrap();
        found.as_array().cloned().unwrap_or_default()
    }

    /// That the page asked nobody but its server, and that nothing stands on the console.
    #[track_caller]
    pub fn check(&self) {
        let origin = self.origin.borrow().clone();
        for entry in self.log("performance") {
            let event: Value =
                serde_json::from_str(entry["message"].as_str().unwrap_or_default()).unwrap();
            if event["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = event["message"]["params"]["request"]["url"].as_str().unwrap_or_default();
            // `chrome:` and `chrome-untrusted:` are the browser's own first page and what is in it.
            let inside = ["data:", "blob:", "about:", "chrome:", "chrome-untrusted:"]
                .iter()
                .any(|kind| url.starts_with(kind));
            assert!(inside || url.starts_with(&format!("{origin}/")), "{url} was asked for");
            self.requests.set(self.requests.get() + usize::from(!inside));
        }
        // The log is one that fills.
        assert!(self.requests.get() > 20, "{} requests", self.requests.get());
        let allowed = self.allowed.borrow().clone();
        let messages: Vec<String> = self
            .log("browser")
            .iter()
            .map(|entry| format!("{} {}", entry["level"], entry["message"]))
            .filter(|message| !allowed.iter().any(|words| message.contains(words)))
            .collect();
        assert!(messages.is_empty(), "on the console: {messages:#?}");
    }

    /// Says what is to be seen, for a test that failed.
    fn tell(&self) {
        let page = self.client().execute("return document.body.innerText;", Vec::new());
        if let Ok(text) = self.run(page) {
            eprintln!("the page: {}", text.as_str().unwrap_or_default());
        }
        if let Ok(picture) = self.run(self.client().screenshot()) {
            let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("failed.png");
            if std::fs::write(&file, picture).is_ok() {
                eprintln!("a picture of it: {}", file.display());
            }
        }
        if let Ok(log) = self.run(self.client().issue_cmd(TakeLog("browser"))) {
            eprintln!("its console: {log:#}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Takes the browser with it.
            let _ = self.run(client.close());
        }
        drop(self.driver.take());
    }
}

/// Takes a log of the browser: a command that only this driver knows.
#[derive(Debug)]
struct TakeLog(&'static str);

impl WebDriverCompatibleCommand for TakeLog {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}

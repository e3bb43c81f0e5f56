//! Tests of the terminal view: snapshots of whole screens, and drawing at every size.

use std::sync::Arc;

use abeyance_record::quantiles::Spread;
use abeyance_record::sprite::Sprite;
use abeyance_record::summary::{classes, event, percentiles, scalar, settings, sprite, state};
use abeyance_record::{Run, tags};
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};
use ratatui::{Terminal, layout::Position};
use serde_json::json;

use super::keys::{AfterKey, KeyState};
use super::palette::Palette;
use super::scene::Scene;
use super::{Tui, view};
use crate::{ControlRequest, Controls, Error, Runs, ShownRun};

const COLOURS: Palette = Palette { has_colours: true };
const PLAIN: Palette = Palette { has_colours: false };

/// Rings and bars: what a digit looks like from afar.
fn image(index: usize) -> impl Iterator<Item = u8> {
    (0..28 * 28).map(move |pixel| {
        let (x, y) = ((pixel % 28) as f64 - 13.5, (pixel / 28) as f64 - 13.5);
        let ring = ((x * x + y * y).sqrt() - 8.0).abs() < 2.0;
        let bar = x.abs() < 2.0 && y.abs() < 10.0;
        if if index.is_multiple_of(2) { ring } else { bar } { 255 } else { 0 }
    })
}

fn spread(width: f64) -> Spread {
    let percentiles = [-4.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 4.0].map(|place| place * width);
    Spread { percentiles: Some(percentiles), ..Spread::default() }
}

/// A training of 2,000 steps, of which 1,200 are done.
fn run(id: &str) -> Arc<Run> {
    let run = Run::new(id);
    let known = json!({ "graph": "mnist_softmax", "steps": 2000 });
    let known = known.as_object().cloned().unwrap_or_default();
    run.apply(&event(1000.0, 0, vec![settings(&known), state("running")]), None);
    for step in (0..=1200).step_by(20) {
        let share = step as f32 / 1200.0;
        let mut values = vec![
            scalar("train/loss", 230.0 * (-6.0 * share).exp() + 20.0 + 5.0 * (step as f32).sin()),
            scalar("train/accuracy", 0.95 - 0.85 * (-8.0 * share).exp()),
            scalar("train/images_per_second", 51_234.0),
            percentiles("weights", &spread(0.1 + f64::from(share))),
            percentiles("biases", &spread(0.01 + 0.1 * f64::from(share))),
        ];
        if step % 100 == 0 {
            values.push(scalar("test/loss", 230.0 * (-6.0 * share).exp() + 25.0));
            values.push(scalar("test/accuracy", 0.92 - 0.82 * (-8.0 * share).exp()));
        }
        run.apply(&event(1000.0 + step as f64 / 10.0, step, values), None);
    }
    let pixels: Vec<u8> = (0..100).flat_map(image).collect();
    let labels: Vec<u16> = (0..100).map(|index| index * 7 % 10).collect();
    let mut found = labels.clone();
    for index in [3, 44, 97] {
        found[index] = (found[index] + 1) % 10;
    }
    let values = vec![
        sprite(tags::BATCH, Sprite::new(&pixels, 28, 28, 10).unwrap()),
        classes(tags::BATCH_LABELS, &labels),
        classes(tags::BATCH_PREDICTIONS, &found),
    ];
    run.apply(&event(1120.0, 1200, values), None);
    run
}

fn drawn(
    keys: &mut KeyState,
    runs: &Runs,
    [width, height]: [u16; 2],
    palette: Palette,
) -> Terminal<TestBackend> {
    let mut scene = Scene::default();
    if let Some(shown) = keys.shown(runs) {
        scene.read(&shown.run);
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, &scene, &keys.options, palette)).unwrap();
    terminal
}

fn runs(run: Arc<Run>, controls: Option<Arc<Controls>>) -> Runs {
    let runs = Runs::new();
    runs.add(ShownRun { run, controls, predictor: None });
    runs
}

fn key(letter: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)
}

#[test]
fn a_training_in_a_small_terminal() {
    let runs = runs(run("."), Some(Arc::new(Controls::new())));
    insta::assert_snapshot!(drawn(&mut KeyState::default(), &runs, [80, 24], COLOURS).backend());
}

#[test]
fn a_training_in_a_large_terminal_without_colours() {
    let runs = runs(run("."), Some(Arc::new(Controls::new())));
    insta::assert_snapshot!(drawn(&mut KeyState::default(), &runs, [200, 60], PLAIN).backend());
}

#[test]
fn zoomed_to_the_last_percent_with_help() {
    let runs = runs(run("a/b"), None);
    let mut keys = KeyState::default();
    assert_eq!(keys.press(key('z'), &runs), AfterKey::Stay);
    assert_eq!(keys.press(key('?'), &runs), AfterKey::Stay);
    insta::assert_snapshot!(drawn(&mut keys, &runs, [80, 24], COLOURS).backend());
}

#[test]
fn a_run_of_another_program() {
    let run = Run::new("keras");
    for step in 0..50 {
        run.apply(&event(10.0, step, vec![scalar("epoch_mae", 1.0 / (1.0 + step as f32))]), None);
    }
    insta::assert_snapshot!(
        drawn(&mut KeyState::default(), &runs(run, None), [60, 14], COLOURS).backend()
    );
}

#[test]
fn a_digit_that_was_missed_stands_on_red() {
    let runs = runs(run("."), None);
    let terminal = drawn(&mut KeyState::default(), &runs, [80, 24], COLOURS);
    // The batch is the last eleven rows above the keys; the fourth image was missed.
    let cell = |column: u16| terminal.backend().buffer().cell(Position::new(column, 13)).unwrap();
    assert_eq!((cell(7).symbol(), cell(7).bg), ("4", Color::Indexed(255)));
    assert_eq!((cell(10).symbol(), cell(10).bg), ("2", Color::Indexed(160)));
    let terminal = drawn(&mut KeyState::default(), &runs, [80, 24], PLAIN);
    let cell = |column: u16| terminal.backend().buffer().cell(Position::new(column, 13)).unwrap();
    assert!(!cell(7).modifier.contains(Modifier::REVERSED));
    assert!(cell(10).modifier.contains(Modifier::REVERSED));
    let coloured = terminal.backend().buffer().content.iter();
    assert!(coloured.into_iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn every_size_is_drawn() {
    let runs = runs(run("."), None);
    for width in (0..240).step_by(7).chain([1, 29, 30]) {
        for height in (0..80).step_by(3).chain([1, 7, 8]) {
            drawn(&mut KeyState::default(), &runs, [width, height], COLOURS);
        }
    }
}

#[test]
fn numbers_that_are_none_and_empty_runs_are_drawn() {
    let run = Run::new("\u{1b}[2J");
    drawn(&mut KeyState::default(), &runs(run.clone(), None), [80, 24], COLOURS);
    let values = vec![scalar("train/loss", f32::NAN), scalar("train/accuracy", f32::INFINITY)];
    run.apply(&event(f64::NAN, i64::MAX, values), None);
    let terminal = drawn(&mut KeyState::default(), &runs(run, None), [80, 24], COLOURS);
    let text = terminal.backend().to_string();
    assert!(text.contains("not finite"), "{text}");
    assert!(!text.contains('\u{1b}'));
    drawn(&mut KeyState::default(), &Runs::new(), [80, 24], COLOURS);
}

#[test]
fn keys_turn_the_switches_of_the_training() {
    let controls = Arc::new(Controls::new());
    let runs = runs(run("."), Some(controls.clone()));
    let mut keys = KeyState::default();
    keys.press(key(' '), &runs);
    assert!(controls.is_paused());
    keys.press(key(' '), &runs);
    assert!(!controls.is_paused());
    keys.press(key('s'), &runs);
    assert!(!keys.listen(), "nothing is saved yet");
    match controls.check(|| false, |_| ()) {
        Some(ControlRequest::Save(reply)) => reply.send(Ok("saved `a`".to_owned())),
        other => panic!("{other:?}"),
    }
    assert!(keys.listen());
    assert_eq!(keys.options.message.as_deref(), Some("saved `a`"));
    let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(keys.press(stop, &runs), AfterKey::Stay);
    assert!(matches!(controls.check(|| false, |_| ()), Some(ControlRequest::Stop)));
    assert_eq!(
        keys.press(stop, &runs),
        AfterKey::Leave,
        "a second time, of a step that takes long"
    );
}

#[test]
fn a_training_that_has_ended_is_left_with_one_key() {
    let (run, controls) = (run("."), Arc::new(Controls::new()));
    let runs = runs(run.clone(), Some(controls));
    let mut stopped = KeyState::default();
    assert_eq!(stopped.press(key('q'), &runs), AfterKey::Stay);
    assert!(!stopped.has_left(), "a step is still under way");
    run.apply(&event(1130.0, 1200, vec![state("stopped")]), None);
    stopped.shown(&runs);
    assert!(stopped.has_left());
    let mut watched = KeyState::default();
    watched.shown(&runs);
    assert!(!watched.has_left(), "what ended by itself stays to be looked at");
    assert!(!watched.options.has_controls);
    assert_eq!(watched.press(key('q'), &runs), AfterKey::Leave);
}

#[test]
fn a_run_that_trains_elsewhere_is_left() {
    let runs = runs(run("."), None);
    let mut keys = KeyState::default();
    assert_eq!(keys.press(key('c'), &runs), AfterKey::Stay);
    assert_eq!(keys.press(key(' '), &runs), AfterKey::Stay);
    assert!(keys.options.message.is_some_and(|text| text.contains("does not train here")));
    assert_eq!(KeyState::default().press(key('q'), &runs), AfterKey::Leave);
}

#[test]
fn tab_goes_round_the_runs() {
    let runs = Runs::new();
    for id in ["a", "b", "c"] {
        runs.add(ShownRun::recorded(Run::new(id)));
    }
    let mut keys = KeyState::default();
    let mut seen = Vec::new();
    for code in [KeyCode::Tab, KeyCode::Tab, KeyCode::Tab, KeyCode::BackTab] {
        keys.press(KeyEvent::new(code, KeyModifiers::NONE), &runs);
        seen.extend(keys.shown(&runs).map(|shown| shown.run.id().to_owned()));
    }
    assert_eq!(seen, ["b", "c", "a", "c"]);
    assert_eq!(keys.options.place, [3, 3]);
}

#[test]
fn without_a_terminal_it_says_so() {
    use std::io::IsTerminal;
    if std::io::stdout().is_terminal() {
        return;
    }
    let error = Tui::start(Run::new("."), None).unwrap_err();
    assert!(matches!(&error, Error::Terminal { .. }));
    assert!(error.to_string().contains("terminal"), "{error}");
    assert!(!super::is_on());
}

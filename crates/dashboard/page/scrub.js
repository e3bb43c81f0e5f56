// The bar over the whole recording: back to any step, replay, hold the picture, back to the newest.

import { make } from "./plot.js";
import { at } from "./store.js";

// Recorded steps a second at single speed.
const RATE = 10;

export class Scrub {
  // change(step|null) moves all panels; hold(bool) holds the picture.
  constructor(host, { change, hold }) {
    this.change = change;
    this.hold = hold;
    this.steps = [];
    this.step = null;
    this.playing = 0;
    this.held = false;
    this.live = false;
    this.pause = make("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => this.setHeld(!this.held) });
    this.play = make("button", { type: "button", id: "play", "aria-pressed": "false", onclick: () => (this.playing ? this.stop() : this.start()) });
    this.speed = make("select", { id: "speed", "aria-label": "Speed of the replay" });
    for (const [value, text] of [[0.5, "½×"], [1, "1×"], [2, "2×"], [5, "5×"], [20, "20×"]]) this.speed.append(make("option", { value, text, selected: value === 2 }));
    this.slider = make("input", { type: "range", id: "scrub", min: 0, max: 0, step: 1, value: 0, "aria-label": "Step of the recording" });
    this.slider.addEventListener("input", () => this.slid());
    this.slider.addEventListener("keydown", (event) => this.key(event));
    this.text = make("output", { id: "step", for: "scrub" });
    this.newest = make("button", { type: "button", id: "live", onclick: () => this.goLive() });
    host.append(this.pause, this.play, this.speed, this.slider, this.text, this.newest);
    this.show();
  }

  // Takes the steps that were recorded, in order.
  setSteps(steps, live) {
    this.live = live;
    this.steps = steps;
    this.slider.max = Math.max(0, steps.length - 1);
    this.slider.disabled = steps.length < 2;
    this.play.disabled = steps.length < 2;
    this.show();
  }

  // Moves to a step without telling the page, which knows.
  setStep(step) {
    this.step = step;
    this.show();
  }

  go(step) {
    this.step = step;
    this.show();
    this.change(step);
  }

  slid() {
    this.stop();
    const index = Number(this.slider.value);
    // The end of the bar of a run that goes on is a step like any other; only "live" follows.
    if (this.steps.length) this.go(this.steps[index]);
  }

  key(event) {
    if (event.key !== "PageUp" && event.key !== "PageDown") return;
    event.preventDefault();
    const by = Math.max(1, Math.round(this.steps.length / 20)) * (event.key === "PageUp" ? 1 : -1);
    this.slider.value = Number(this.slider.value) + by;
    this.slid();
  }

  goLive() {
    this.stop();
    if (this.held) this.setHeld(false);
    this.go(null);
  }

  setHeld(held) {
    this.held = held;
    this.show();
    this.hold(held);
  }

  start() {
    if (this.steps.length < 2) return;
    const current = this.step === null ? this.steps.length - 1 : Math.max(0, at(this.steps, this.step));
    let from = current >= this.steps.length - 1 ? 0 : current;
    let begun = performance.now();
    this.playing = 1;
    this.go(this.steps[from]);
    let speed = Number(this.speed.value);
    const tick = (now) => {
      if (!this.playing) return;
      if (Number(this.speed.value) !== speed) {
        from = Math.max(0, at(this.steps, this.step));
        begun = now;
        speed = Number(this.speed.value);
      }
      const index = from + Math.floor(((now - begun) / 1000) * RATE * speed);
      if (index >= this.steps.length - 1) {
        this.playing = 0;
        this.go(this.live ? null : this.steps[this.steps.length - 1]);
        return;
      }
      if (this.steps[index] !== this.step) this.go(this.steps[Math.max(0, index)]);
      this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.show();
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.show();
  }

  show() {
    const last = this.steps.length - 1;
    const index = this.step === null ? last : Math.max(0, at(this.steps, this.step));
    if (Number(this.slider.value) !== index) this.slider.value = Math.max(0, index);
    const step = this.step === null ? this.steps[last] : this.step;
    const number = step === undefined ? "–" : Math.round(step).toLocaleString("en");
    this.text.textContent = `step ${number}`;
    const shown = step === undefined ? "" : String(step);
    if (this.text.dataset.step !== shown) this.text.dataset.step = shown;
    this.slider.setAttribute("aria-valuetext", this.step === null ? `newest, step ${number}` : `step ${number}`);
    // The part that is played is coloured by the style sheet.
    this.slider.style.setProperty("--part", `${last > 0 ? (100 * Math.max(0, index)) / last : 0}%`);
    const button = (element, text, title, pressed) => {
      if (element.textContent !== text) element.textContent = text;
      element.title = title;
      if (pressed !== null) element.setAttribute("aria-pressed", String(pressed));
    };
    button(this.pause, this.held ? "Go on" : "Hold", this.held ? "Show new data again (space)" : "Hold the picture while training goes on (space)", this.held);
    button(this.play, this.playing ? "■ Stop" : "▶ Replay", this.playing ? "Stop the replay (P)" : "Replay the recording (P)", Boolean(this.playing));
    button(this.newest, this.live ? "Live" : "Newest", "Back to the newest step and follow it", this.step === null && !this.held);
    this.newest.classList.toggle("on", this.step === null && !this.held && this.live);
  }
}

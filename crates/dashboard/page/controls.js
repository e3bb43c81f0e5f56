// The controls of the training itself: pause, resume, save now, stop.

import { make } from "./plot.js";
import { post } from "./api.js";

export class Controls {
  constructor(host, { store, say }) {
    this.host = host;
    this.store = store;
    this.say = say;
    this.run = null;
    const button = (what, text, title) => make("button", { type: "button", "data-control": what, text, title, onclick: (event) => this.press(what, event.currentTarget) });
    this.label = make("span", { class: "quiet" });
    this.buttons = {
      pause: button("pause", "Pause training", "Pause the training after this step"),
      resume: button("resume", "Resume training", "Let the training go on"),
      save: button("save", "Save now", "Write a checkpoint after this step"),
      stop: button("stop", "Stop", "End the training after this step; asks once more"),
    };
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", "Training");
    host.append(this.label, ...Object.values(this.buttons));
    this.sure = 0;
  }

  // Shows the controls of a run if it can be controlled.
  show(id) {
    const run = this.store.run(id);
    const on = Boolean(run && run.info.live && this.store.controls);
    this.run = id;
    this.host.hidden = !on;
    if (!on) return;
    const paused = run.info.state === "paused";
    this.buttons.pause.hidden = paused;
    this.buttons.resume.hidden = !paused;
    this.label.textContent = this.store.runs.size > 1 ? id : "";
  }

  press(what, button) {
    if (what === "stop" && !this.sure) {
      button.textContent = "Really stop?";
      button.classList.add("sure");
      this.sure = setTimeout(() => this.calm(), 4000);
      return;
    }
    this.calm();
    button.disabled = true;
    post("/api/control", { run: this.run, do: what })
      .then((found) => this.say(found.message || "done"))
      .catch((error) => this.say(error.message, true))
      .then(() => {
        button.disabled = false;
        return this.store.load(false);
      })
      .catch(() => {});
  }

  calm() {
    clearTimeout(this.sure);
    this.sure = 0;
    this.buttons.stop.textContent = "Stop";
    this.buttons.stop.classList.remove("sure");
  }
}

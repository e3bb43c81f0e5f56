// The form that tries a model.
//
// Read by tests: `#try` with `data-state` (`idle`, `running`, `shown`, `failed`), `data-count`
// (answers so far), `data-ms`, `data-status` of a failure; `#run`, `#cancel`, `#alike`;
// `#result .output[data-output=NAME]`, `#result .failure`.
import { Failure, infer } from "./api.js";
import { copyButton } from "./copy.js";
import { button, check, element, write } from "./elements.js";
import { Wrong, inputField } from "./inputs.js";
import { three } from "./numbers.js";
import { outputView } from "./results.js";
import { print } from "./json.js";

// After a change so many milliseconds pass before the model is asked by itself.
const PAUSE = 120;

/** The form for one signature of a model. `target()` gives the version to ask, or why none. */
export function tryout({ model, signature, isDefault, target }) {
  let running = null;
  let again = false;
  let timer = 0;
  const fields = signature.inputs.map((input) => inputField(input, changed));
  const run = element("button", { type: "submit", id: "run", class: "main" }, "Run");
  const cancel = button("Cancel", { id: "cancel", hidden: true }, () => running && running.abort());
  const alike = check("run at each change", {
    id: "alike",
    checked: fields.some((field) => field.isImage()),
  });
  const why = element("p", { id: "notrun", class: "quiet", hidden: true });
  const said = element("p", { class: "took quiet" });
  const outputs = element("div", { id: "result" });
  const spoken = element("p", { class: "unseen", "aria-live": "polite" });
  const form = element(
    "form",
    {
      id: "try",
      "data-state": "idle",
      "data-count": "0",
      novalidate: true,
      "aria-label": `Try ${model}`,
      onsubmit: (event) => {
        event.preventDefault();
        ask(true);
      },
    },
    element(
      "div",
      { class: "inputs" },
      fields.length
        ? fields.map(({ root }) => root)
        : element("p", { class: "quiet" }, "It takes no inputs."),
      element("div", { class: "runbar" }, run, cancel, alike),
      why,
    ),
    element("div", { class: "answer" }, said, outputs, spoken),
  );

  // A form that lacks something shows no answer: it would be one to another question.
  function forget() {
    outputs.replaceChildren(element("p", { class: "quiet nothing" }, "The answer stands here."));
    write(said, "");
    form.dataset.state = "idle";
  }

  function changed(whole) {
    if (!running && !fields.every((field) => field.ready())) forget();
    if (!alike.querySelector("input").checked) return;
    clearTimeout(timer);
    timer = setTimeout(() => fields.every((field) => field.ready()) && ask(false), whole ? 0 : PAUSE);
  }

  function body() {
    const tensors = [];
    let first = null;
    for (const field of fields) {
      try {
        tensors.push(field.tensor());
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        first ||= field;
      }
    }
    if (first) return { wrong: first };
    const inputs = tensors.map(
      ({ name, shape, datatype, data }) =>
        // The data is text already, so that no digit of it is lost.
        `${JSON.stringify({ name, shape, datatype }).slice(0, -1)},"data":${data}}`,
    );
    const parameters = isDefault ? "" : `"parameters":{"signature":${JSON.stringify(signature.name)}},`;
    return { text: `{${parameters}"inputs":[${inputs.join(",")}]}` };
  }

  // `asked` is whether the person pressed the button, and not only changed something.
  async function ask(asked) {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    const { version, reason } = target();
    if (reason) return;
    const { text, wrong } = body();
    if (wrong) {
      if (asked) wrong.focus();
      return;
    }
    running = new AbortController();
    form.dataset.state = "running";
    cancel.hidden = false;
    const start = performance.now();
    try {
      const answer = await infer(model, version, text, running.signal);
      show(answer, performance.now() - start, version);
    } catch (error) {
      fail(error, performance.now() - start);
    } finally {
      running = null;
      cancel.hidden = true;
    }
    if (again) {
      again = false;
      ask(false);
    }
  }

  function show(answer, took, version) {
    if (!answer || !Array.isArray(answer.outputs)) {
      fail(new Failure(200, "Unreadable answer", print(answer).slice(0, 2000)), took);
      return;
    }
    const views = answer.outputs.map(outputView);
    write(said, `Version ${answer.model_version || version} answered in ${three(took)} ms.`);
    outputs.replaceChildren(
      ...views.map(({ root }) => root),
      copyButton("Copy the answer", () => print(answer)),
    );
    write(spoken, `${views.map(({ words }) => words).join(" ")} In ${three(took)} milliseconds.`);
    end("shown", took);
    delete form.dataset.status;
  }

  function fail(error, took) {
    if (error.name === "AbortError") {
      write(said, "Cancelled.");
      end("idle", took);
      return;
    }
    const { status = 0, title = "The page failed", message, retry } = error;
    write(said, `Failed after ${three(took)} ms.`);
    outputs.replaceChildren(
      element(
        "div",
        { class: "failure", role: "alert" },
        element("b", {}, title),
        element("p", {}, message),
        retry ? element("p", { class: "quiet" }, `Try again in ${retry} s.`) : null,
      ),
    );
    form.dataset.status = status;
    end("failed", took);
  }

  function end(state, took) {
    form.dataset.state = state;
    form.dataset.ms = took.toFixed(1);
    form.dataset.count = Number(form.dataset.count) + 1;
  }

  forget();
  return {
    root: form,
    /** Says whether there is a version to ask. */
    update() {
      const { reason } = target();
      run.disabled = Boolean(reason);
      why.hidden = !reason;
      write(why, reason || "");
    },
    destroy() {
      clearTimeout(timer);
      again = false;
      if (running) running.abort();
    },
  };
}

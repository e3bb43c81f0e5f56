// The ready-made calls, one tab each, with a button that copies.
//
// Read by tests: `#calls [role=tab][data-call=ID]` with `curl`, `tritonclient`, `grpc`, `requests`,
// `rust`; `#calltext`; `#calls [data-do=copy]` with `data-copied`.
import { calls, TOKEN } from "./calls.js";
import { copyButton } from "./copy.js";
import { button, element, put, write } from "./elements.js";

// The tab stays chosen from model to model.
let chosen = "curl";

/** The box. `update(call)` takes what `calls` takes. */
export function callBox() {
  const tabs = element("div", {
    role: "tablist",
    class: "tabs",
    "aria-label": "Ready-made calls",
    onkeydown: keys,
  });
  const text = element("code", {});
  const pre = element("pre", { id: "calltext", role: "tabpanel", tabindex: "0" }, text);
  const note = element("p", { class: "quiet" });
  const copy = copyButton("Copy", () => text.textContent);
  const root = element("div", { id: "calls" }, element("div", { class: "callbar" }, tabs, copy), pre, note);
  let made = [];

  function show() {
    const shown = made.find(({ id }) => id === chosen) || made[0];
    for (const tab of tabs.children) {
      const on = tab.dataset.call === shown.id;
      put(tab, "aria-selected", String(on));
      put(tab, "tabindex", on ? "0" : "-1");
      if (on) put(pre, "aria-labelledby", tab.id);
    }
    write(text, shown.text);
  }

  function choose(id) {
    chosen = id;
    show();
  }

  function keys(event) {
    const at = made.findIndex(({ id }) => id === chosen);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: made.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(made[(to + made.length) % made.length].id);
    tabs.querySelector('[aria-selected="true"]').focus();
  }

  return {
    root,
    update(call) {
      const fresh = calls(call);
      if (fresh.map(({ id }) => id).join() !== made.map(({ id }) => id).join()) {
        tabs.replaceChildren(
          ...fresh.map(({ id, name }) =>
            button(
              name,
              { role: "tab", id: `call-${id}`, "data-call": id, "aria-controls": "calltext" },
              () => choose(id),
            ),
          ),
        );
      }
      made = fresh;
      if (!made.some(({ id }) => id === chosen)) chosen = made[0].id;
      show();
      note.hidden = !call.token;
      write(note, `The server asks for a token: the calls take it from the environment variable ${TOKEN}.`);
    },
  };
}

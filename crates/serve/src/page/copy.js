// A button that puts a text on the clipboard.
import { button, element } from "./elements.js";

// How long the button says that it did, in milliseconds.
const SAID = 1600;

/** A button with `label`; `text()` gives what is copied. */
export function copyButton(label, text, attributes) {
  let timer = 0;
  const made = button(label, { class: "copy", "data-do": "copy", ...attributes }, async () => {
    const done = await copied(text());
    made.textContent = done ? "Copied" : "Not copied";
    made.dataset.copied = String(done);
    clearTimeout(timer);
    timer = setTimeout(() => {
      made.textContent = label;
    }, SAID);
  });
  made.setAttribute("aria-live", "polite");
  return made;
}

// The clipboard is open to pages of a safe origin only; a server in the own network over plain
// HTTP is none, and there the older way still works.
async function copied(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed: the older way may be.
    }
  }
  const area = element("textarea", {
    class: "unseen",
    readonly: true,
    "aria-hidden": "true",
    tabindex: "-1",
  });
  area.value = text;
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before) before.focus({ preventScroll: true });
  return done;
}

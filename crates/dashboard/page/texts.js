// Text summaries of a run, the printed graph among them, with line numbers and
// a search. Only the lines in sight are in the page, so a long text is no burden.
//
// Read by tests, on `.part-texts`: `data-tag`, `data-step`, `data-lines`, `data-found` lines that hold what is sought, `data-at` the one shown.
// Lines: `[data-line="1"]`.
import { absent, atMostEvery, button, element, everyFrame, follow, has, notice, pathOf, stepAt, whole } from "./parts.js";

const LINE = 18;
const WIDEST = 600;
// The tallest element a browser places exactly.
const TALLEST = 8_000_000;

/** A text without the Markdown fence around it, which is there for TensorBoard: a wide font is wanted for all texts here. */
function unfenced(text) {
  const fence = /^(`{3,})[^`\n]*\n/.exec(text);
  return fence && text.trimEnd().endsWith(`\n${fence[1]}`) ? text.trimEnd().slice(fence[0].length, -fence[1].length - 1) : text;
}

/** The view of text summaries. */
export function TextsView(host, context) {
  let run = null;
  let tags = {};
  let lines = [];
  let found = [];
  let at = -1;
  let gone = false;
  const status = element("p", { class: "part-status", role: "status" });
  const choice = element("select", { "aria-label": "Tag", onchange: () => draw() });
  const search = element("input", { type: "search", placeholder: "Find in the text", "aria-label": "Find in the text", oninput: () => find(0), onkeydown: (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    next(event.shiftKey ? -1 : 1);
  } });
  const bar = element("div", { class: "part-bar" },
    element("label", {}, "Text ", choice), search,
    element("span", { class: "part-group" }, button("↑", { "aria-label": "Match before", "data-do": "before" }, () => next(-1)), button("↓", { "aria-label": "Next match", "data-do": "next" }, () => next(1))),
    button("Copy", { "data-do": "copy" }, copy), status);
  const message = element("div", {});
  const space = element("div", { class: "texts-space" });
  const box = element("div", { class: "texts-box", tabindex: "0", role: "region", "aria-label": "Text" }, space);
  const root = element("section", { class: "part-texts", "aria-label": "Texts" }, bar, message, box);
  host.replaceChildren(root);
  const redraw = everyFrame(paint);
  box.addEventListener("scroll", redraw);
  const watcher = new ResizeObserver(redraw);
  watcher.observe(box);
  const refresh = atMostEvery(20000, read);
  let current = "";
  let text = "";

  function load() {
    run = context.run;
    tags = {};
    current = "";
    return read();
  }

  async function read() {
    const asked = run;
    try {
      if (has(context, "texts") === false) throw absent();
      const answer = await context.api.get(pathOf(asked, "texts"));
      if (run !== asked || gone) return;
      tags = answer.tags;
    } catch (error) {
      if (run !== asked || gone) return;
      if (error.status !== 404) {
        notice(message, error.message, "error");
        return;
      }
      tags = {};
    }
    const names = Object.keys(tags).filter((name) => tags[name].length);
    bar.hidden = box.hidden = !names.length;
    if (!names.length) {
      notice(message, "This run holds no texts.");
      return;
    }
    message.replaceChildren();
    if (choice.dataset.names !== names.join("\n")) {
      const before = choice.value;
      choice.dataset.names = names.join("\n");
      choice.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
      if (names.includes(before)) choice.value = before;
    }
    draw();
  }

  function draw() {
    const entries = tags[choice.value];
    if (!entries) return;
    const step = stepAt(entries.map((entry) => entry.step), context.step);
    const entry = entries.findLast((one) => one.step === step);
    const key = `${run}\n${choice.value}\n${step}\n${entry.text.length}`;
    if (key === current) return;
    current = key;
    text = unfenced(entry.text);
    lines = [];
    let number = 0;
    for (const whole of text.split("\n")) {
      number += 1;
      // A line without end is shown in pieces; the later ones bear no number.
      for (let from = 0; from === 0 || from < whole.length; from += WIDEST) lines.push([from ? 0 : number, whole.slice(from, from + WIDEST)]);
      if (lines.length * LINE > TALLEST) break;
    }
    root.dataset.tag = choice.value;
    root.dataset.step = step;
    root.dataset.lines = number;
    space.style.height = `${lines.length * LINE + 8}px`;
    let widest = 0;
    for (const [, line] of lines) widest = Math.max(widest, line.length);
    space.style.width = `calc(${widest + 8}ch + 2rem)`;
    box.scrollTop = 0;
    box.scrollLeft = 0;
    find(0);
  }

  function find(from) {
    const sought = search.value.toLowerCase();
    found = [];
    if (sought) lines.forEach(([, line], index) => {
      if (line.toLowerCase().includes(sought)) found.push(index);
    });
    at = found.length ? from : -1;
    root.dataset.found = sought ? found.length : "";
    if (at >= 0) reach(found[at]);
    tell();
    redraw();
  }

  function next(way) {
    if (!found.length) return;
    at = (at + way + found.length) % found.length;
    reach(found[at]);
    tell();
    redraw();
  }

  function reach(index) {
    const top = index * LINE;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 2 * LINE) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
  }

  function tell() {
    root.dataset.at = at >= 0 ? lines[found[at]][0] : "";
    const step = `step ${whole(Number(root.dataset.step))}, ${whole(Number(root.dataset.lines))} lines`;
    status.textContent = search.value ? `${found.length ? `${whole(at + 1)} of ${whole(found.length)} lines` : "not found"}; ${step}` : step;
  }

  function paint() {
    const first = Math.max(0, Math.floor(box.scrollTop / LINE) - 10);
    const last = Math.min(lines.length, first + Math.ceil((box.clientHeight || 600) / LINE) + 20);
    const sought = search.value.toLowerCase();
    const made = [];
    for (let i = first; i < last; i += 1) {
      const [number, line] = lines[i];
      const row = element("div", { class: `texts-line${at >= 0 && found[at] === i ? " here" : ""}`, "data-line": number || null }, element("span", { class: "texts-number" }, number ? String(number) : ""), ...marked(line, sought));
      row.style.top = `${i * LINE + 4}px`;
      made.push(row);
    }
    space.replaceChildren(...made);
  }

  function marked(line, sought) {
    if (!sought) return [line];
    const parts = [];
    const low = line.toLowerCase();
    let from = 0;
    for (let hit = low.indexOf(sought); hit >= 0; hit = low.indexOf(sought, from)) {
      parts.push(line.slice(from, hit), element("mark", {}, line.slice(hit, hit + sought.length)));
      from = hit + sought.length;
    }
    parts.push(line.slice(from));
    return parts;
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "copied";
    } catch {
      status.textContent = "the browser does not let the page copy";
    }
  }

  function update() {
    if (run !== context.run) load();
    else if (root.offsetParent) {
      draw();
      refresh();
    }
  }

  update();
  const endFollow = follow(context, ["texts"], update, () => {
    current = "";
    if (root.offsetParent) read();
  });
  return {
    update,
    destroy() {
      gone = true;
      endFollow();
      redraw.cancel();
      watcher.disconnect();
      root.remove();
    },
  };
}

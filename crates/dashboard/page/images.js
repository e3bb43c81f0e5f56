// Image summaries of a run by tag and step.
//
// Read by tests, on `.part-images`: `data-tag`, `data-step`, `data-count`. Pictures: `img[data-image="0"]`.
import { absent, atMostEvery, element, follow, has, notice, pathOf, stepAt, whole } from "./parts.js";

const MOST = 200;

/** The view of image summaries. It follows the page's step until its own slider is moved. */
export function ImagesView(host, context) {
  let run = null;
  let tags = {};
  let own = null;
  let seenStep = context.step;
  let gone = false;
  const status = element("p", { class: "part-status", role: "status" });
  const choice = element("select", { "aria-label": "Tag", onchange: () => {
    own = null;
    draw();
  } });
  const slider = element("input", { type: "range", min: "0", "aria-label": "Step of the images", oninput: () => {
    own = tags[choice.value].steps[Number(slider.value)];
    draw();
  } });
  const output = element("output", { class: "images-step" });
  const size = element("input", { type: "range", min: "32", max: "320", value: "112", "aria-label": "Size of the images", oninput: () => sheet.style.setProperty("--image", `${size.value}px`) });
  const message = element("div", {});
  const sheet = element("div", { class: "images-sheet", role: "list", "aria-label": "Images" });
  const bar = element("div", { class: "part-bar" }, element("label", {}, "Tag ", choice), element("label", {}, "Step ", slider, output), element("label", {}, "Size ", size), status);
  const root = element("section", { class: "part-images", "aria-label": "Images" }, bar, message, sheet);
  sheet.style.setProperty("--image", "112px");
  host.replaceChildren(root);

  const refresh = atMostEvery(3000, read);

  function load() {
    run = context.run;
    tags = {};
    own = null;
    sheet.replaceChildren();
    sheet.dataset.shown = "";
    status.textContent = "Reading";
    return read();
  }

  async function read() {
    const asked = run;
    try {
      if (has(context, "images") === false) throw absent();
      const answer = await context.api.get(pathOf(asked, "images"));
      if (run !== asked || gone) return;
      tags = answer.tags;
      status.textContent = "";
    } catch (error) {
      if (run !== asked || gone) return;
      status.textContent = "";
      if (error.status !== 404) {
        notice(message, error.message, "error");
        return;
      }
      tags = {};
    }
    const names = Object.keys(tags);
    bar.hidden = !names.length;
    if (!names.length) {
      notice(message, "This run holds no images. A graph names what is to be seen: g.summaries().image(\"filters\", ..).");
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
    const tag = choice.value;
    const entry = tags[tag];
    if (!entry || !entry.steps.length) return;
    const step = stepAt(entry.steps, own === null ? context.step : own);
    slider.max = String(entry.steps.length - 1);
    slider.value = String(entry.steps.indexOf(step));
    slider.setAttribute("aria-valuetext", `step ${step}`);
    output.textContent = whole(step);
    const key = `${run}\n${tag}\n${step}\n${entry.count}`;
    if (sheet.dataset.shown === key) return;
    sheet.dataset.shown = key;
    root.dataset.tag = tag;
    root.dataset.step = step;
    root.dataset.count = entry.count;
    const count = Math.min(entry.count, MOST);
    // Elements are kept while only the step changes, so that nothing jumps.
    while (sheet.children.length > count) sheet.lastChild.remove();
    for (let i = 0; i < count; i += 1) {
      let figure = sheet.children[i];
      if (!figure) {
        figure = element("figure", { role: "listitem" }, element("img", { "data-image": i }), element("figcaption", {}, String(i)));
        sheet.append(figure);
      }
      const img = figure.firstChild;
      img.alt = `${tag}, image ${i}, step ${step}`;
      img.src = context.api.url(pathOf(run, "image", tag, step, i));
    }
    status.textContent = entry.count > MOST ? `the first ${MOST} of ${whole(entry.count)} images` : `${whole(entry.count)} ${entry.count === 1 ? "image" : "images"}`;
  }

  function update() {
    if (context.step !== seenStep) {
      seenStep = context.step;
      own = null;
    }
    if (run !== context.run) load();
    else if (root.offsetParent) {
      draw();
      refresh();
    }
  }

  update();
  const endFollow = follow(context, ["images"], update, () => {
    sheet.dataset.shown = "";
    if (root.offsetParent) read();
  });
  return {
    update,
    destroy() {
      gone = true;
      endFollow();
      root.remove();
    },
  };
}

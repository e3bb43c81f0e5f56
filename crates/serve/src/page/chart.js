// A small chart over the last minutes: lines on a logarithmic axis or on one from zero.
//
// Read by tests, on `.chart`: `data-chart`, `data-points` (samples with a value); the shown value
// of a line is `output[data-series]`.
import { drawn, element, put, write } from "./elements.js";
import { span } from "./numbers.js";

const HEIGHT = 132;

// Seconds from the left edge to now: the least that holds all samples.
const SPANS = [60, 120, 300];
const EDGE = { left: 52, right: 8, top: 8, bottom: 18 };

/**
 * `series` are `{ key, name, ink }`: the sample's field, its name, and a class of the style.
 * `format` gives a value as text; `log` chooses the axis.
 */
export function lineChart({ name, title, series, format, log }) {
  let samples = [];
  let now = 0;
  let past = SPANS[0];
  let width = 0;
  let cursor = null;
  const grid = drawn("g", { class: "grid" });
  const lines = series.map(({ ink }) => drawn("path", { class: `line ${ink}`, fill: "none" }));
  const dots = series.map(({ ink }) => drawn("circle", { class: `dot ${ink}`, r: 3, visibility: "hidden" }));
  const rule = drawn("line", { class: "rule", y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: "hidden" });
  const svg = drawn(
    "svg",
    {
      class: "plot",
      height: HEIGHT,
      role: "img",
      tabindex: "0",
      onpointermove: (event) => look(event.offsetX),
      onpointerleave: leave,
      onblur: leave,
      onkeydown: keys,
    },
    grid,
    rule,
    lines,
    dots,
  );
  const outputs = series.map(({ key }) => element("output", { "data-series": key }));
  const legend = element(
    "ul",
    { class: "legend" },
    series.map(({ name: label, ink }, i) =>
      element(
        "li",
        {},
        element("span", { class: `swatch ${ink}`, "aria-hidden": "true" }),
        label,
        outputs[i],
      ),
    ),
  );
  const when = element("span", { class: "quiet when" });
  const empty = element("p", { class: "nothing quiet" }, "nothing yet");
  const root = element(
    "figure",
    { class: "chart", "data-chart": name },
    element("figcaption", {}, element("b", {}, title), when),
    legend,
    element("div", { class: "plotbox" }, svg, empty),
  );
  new ResizeObserver(([entry]) => {
    const wide = Math.round(entry.contentRect.width);
    if (wide === width) return;
    width = wide;
    paint();
  }).observe(svg.parentElement);

  const x = (at) => EDGE.left + (1 - (now - at) / past) * (width - EDGE.left - EDGE.right);

  function leave() {
    cursor = null;
    paint();
  }

  // The sample nearest to a place, by its time, so that it stays the same while the lines move.
  function look(place) {
    let best = null;
    for (const sample of samples) {
      const far = Math.abs(x(sample.at) - place);
      if (has(sample) && (!best || far < best.far)) best = { far, at: sample.at };
    }
    cursor = best && best.at;
    paint();
  }

  function keys(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") leave();
    if (!way) return;
    event.preventDefault();
    const known = samples.filter(has);
    if (!known.length) return;
    const here = cursor === null ? known.length : known.findIndex(({ at }) => at === cursor);
    cursor = known[Math.max(0, Math.min(known.length - 1, here + way))].at;
    paint();
  }

  function has(sample) {
    return series.some(({ key }) => Number.isFinite(sample[key]));
  }

  function paint() {
    if (!width) return;
    put(svg, "width", width);
    const known = samples.filter(has);
    root.dataset.points = known.length;
    empty.hidden = known.length > 0;
    const axis = axisOf(
      known.flatMap((sample) => series.map(({ key }) => sample[key]).filter(Number.isFinite)),
      log,
    );
    const y = (value) => HEIGHT - EDGE.bottom - axis.part(value) * (HEIGHT - EDGE.top - EDGE.bottom);
    grid.replaceChildren(
      ...(known.length ? axis.ticks : []).flatMap((tick) => [
        drawn("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }),
        drawn("text", { x: EDGE.left - 6, y: y(tick) + 4, "text-anchor": "end" }, format(tick)),
      ]),
      ...times(),
    );
    lines.forEach((line, i) => put(line, "d", pathOf(samples, series[i].key, x, y)));
    const shown = known.find(({ at }) => at === cursor) || samples.at(-1) || {};
    const marked = cursor !== null && shown.at === cursor;
    put(rule, "visibility", marked ? "visible" : "hidden");
    if (marked) for (const end of ["x1", "x2"]) put(rule, end, x(shown.at).toFixed(1));
    series.forEach(({ key }, i) => {
      const there = Number.isFinite(shown[key]);
      write(outputs[i], there ? format(shown[key]) : "–");
      put(dots[i], "visibility", marked && there ? "visible" : "hidden");
      if (!marked || !there) return;
      put(dots[i], "cx", x(shown.at).toFixed(1));
      put(dots[i], "cy", y(shown[key]).toFixed(1));
    });
    write(when, marked ? `${span(now - shown.at)} ago` : "");
    const said = series.map(({ name: label }, i) => `${label} ${outputs[i].textContent}`).join(", ");
    put(svg, "aria-label", `${title}, last ${span(past)}; ${marked ? when.textContent : "now"}: ${said}`);
  }

  function times() {
    const [unit, size] = past > 120 ? ["min", 60] : ["s", 1];
    const step = (past / (past > 120 ? 5 : 4)) * (width > 340 ? 1 : 2);
    const ticks = [];
    for (let ago = 0; ago <= past; ago += step) ticks.push(ago);
    return ticks.map((ago) => {
      const anchor = ago === 0 ? "end" : ago === past ? "start" : "middle";
      const text = ago ? `−${ago / size} ${unit}` : "now";
      return drawn("text", { x: x(now - ago), y: HEIGHT - 4, "text-anchor": anchor }, text);
    });
  }

  return {
    root,
    draw(given, time) {
      samples = given;
      now = time;
      const age = samples.length ? now - samples[0].at : 0;
      past = SPANS.find((seconds) => age <= seconds) || SPANS.at(-1);
      if (cursor !== null && !samples.some(({ at }) => at === cursor)) cursor = null;
      paint();
    },
  };
}

// A path with a break where a sample has no value. A value alone is a dash.
function pathOf(samples, key, x, y) {
  let path = "";
  let open = false;
  for (const sample of samples) {
    const value = sample[key];
    if (!Number.isFinite(value)) {
      open = false;
      continue;
    }
    const place = `${x(sample.at).toFixed(1)} ${y(value).toFixed(1)}`;
    path += open ? `L${place}` : `M${place}h.5`;
    open = true;
  }
  return path;
}

// Where values lie on the axis, from 0 to 1, and which are written beside it.
function axisOf(values, log) {
  if (!log) {
    const step = stepFor(Math.max(1.5, ...values) / 3);
    const most = Math.max(2, Math.ceil(Math.max(0, ...values) / step)) * step;
    const ticks = Array.from({ length: Math.round(most / step) + 1 }, (_, i) => i * step);
    return { ticks, part: (value) => value / most };
  }
  const above = values.filter((value) => value > 0);
  let low = Math.log10(above.length ? Math.min(...above) : 1);
  let high = Math.log10(above.length ? Math.max(...above) : 10);
  // At least a decade, so that noise does not look like a change.
  const room = Math.max(0, 1 - (high - low)) / 2 + 0.08;
  low -= room;
  high += room;
  const ticks = ticksBetween(low, high, [1, 2, 5]);
  const few = [[1, 2, 5], [1, 3], [1]]
    .map((digits) => ticksBetween(low, high, digits))
    .find(({ length }) => length <= 4);
  return {
    ticks: few || ticks,
    part: (value) => Math.max(0, (Math.log10(Math.max(value, 1e-9)) - low) / (high - low)),
  };
}

function ticksBetween(low, high, digits) {
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const digit of digits) {
      const tick = digit * 10 ** power;
      if (Math.log10(tick) >= low && Math.log10(tick) <= high) ticks.push(tick);
    }
  }
  return ticks;
}

// The least of 1, 2, 5 times a power of ten that is not below.
function stepFor(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least * 0.999);
}

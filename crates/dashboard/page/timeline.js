// The timeline of a traced step: a row a thread, spans coloured by what they
// compute, and a table of what takes most time.
//
// Read by tests, on `.part-timeline`: `data-step`, `data-spans` in all, `data-drawn` in sight, `data-from` and `data-to`
// (microseconds in sight), `data-selected` the chosen span's name. Rows of the table: `[data-span="NAME"]`; `[data-do="fit|in|out"]`.
import { absent, amount, atMostEvery, button, colours, duration, element, everyFrame, fitCanvas, follow, has, notice, onScheme, pathOf, percent, stepAt, whole } from "./parts.js";
import { panning } from "./pan.js";

const NAMES = ["panel", "ground", "ink", "quiet", "line", "focus", "forward", "backward", "update", "forward-fill", "backward-fill", "update-fill", "mixed", "mixed-fill"];
const LEFT = 76;
const TOP = 26;
const LANE = 40;
const MOST = 200;

/** The view of the run's traced steps. */
export function TimelineView(host, context) {
  let run = null;
  let graph = null;
  let traces = [];
  let trace = null;
  let picked = null;
  let rows = [];
  let groups = [];
  let from = 0;
  let to = 1;
  let end = 1;
  let chosen = -1;
  let hover = -1;
  let inks = null;
  let reading = false;
  let gone = false;
  const status = element("p", { class: "part-status", role: "status" });
  const steps = element("select", { "aria-label": "Traced step", onchange: () => {
    picked = Number(steps.value);
    loadTrace();
  } });
  const bar = element("div", { class: "part-bar" },
    element("label", {}, "Step ", steps),
    element("span", { class: "part-group" },
      button("Fit", { "data-do": "fit", title: "The whole step (0)" }, fit),
      button("−", { "data-do": "out", "aria-label": "Zoom out" }, () => zoom(1 / 1.5, null)),
      button("+", { "data-do": "in", "aria-label": "Zoom in" }, () => zoom(1.5, null))),
    element("ul", { class: "timeline-legend" }, ...["forward", "backward", "update", "mixed"].map((role) => element("li", { class: `role-${role}` }, element("span", { class: "role-mark", "aria-hidden": "true" }), role === "mixed" ? "several at once" : role))),
    status);
  const canvas = element("canvas", {
    class: "timeline-canvas", tabindex: "0", role: "application", "aria-roledescription": "timeline",
    "aria-label": "Timeline. Left and right go from span to span, up and down from thread to thread, plus and minus zoom, shift with arrows pans, 0 shows the whole step, enter opens the node in the graph. The table holds the same as text.",
    onkeydown: keys,
  });
  const about = element("div", { class: "timeline-about", "aria-live": "polite" });
  const body = element("tbody");
  const table = element("table", { class: "part-table" },
    element("caption", { class: "part-hidden" }, "What takes most time, by spans of the same nodes"),
    element("thead", {}, element("tr", {}, ...["Nodes", "Time", "Share", "Parts", "FLOP/s"].map((name, i) => element("th", { scope: "col", class: i ? "number" : null }, name)))), body);
  const message = element("div", {});
  const work = element("div", { class: "timeline-body" },
    element("div", { class: "timeline-picture" }, canvas, about),
    element("div", { class: "timeline-table", tabindex: "0", role: "region", "aria-label": "Table of times" }, table));
  const root = element("section", { class: "part-timeline", "aria-label": "Timeline of a step" }, bar, message, work);
  host.replaceChildren(root);

  const redraw = everyFrame(paint);
  const ends = [
    onScheme(() => {
      inks = null;
      redraw();
    }),
    panning(canvas, {
      zoom: (factor, x) => zoom(factor, x),
      pan: (dx) => shift((-dx * (to - from)) / (canvas.clientWidth - LEFT)),
      tap: (x, y) => {
        canvas.focus({ preventScroll: true });
        choose(spanAt(x, y));
        if (chosen >= 0) openNode(trace.spans[chosen]);
      },
      hover: (x, y) => {
        const next = x === null ? -1 : spanAt(x, y);
        if (next === hover) return;
        hover = next;
        canvas.style.cursor = next >= 0 ? "pointer" : "grab";
        tell();
        redraw();
      },
    }),
  ];
  const watcher = new ResizeObserver(redraw);
  watcher.observe(canvas);
  const refresh = atMostEvery(4000, loadTraces);

  async function load() {
    const asked = context.run;
    run = asked;
    reading = true;
    graph = trace = picked = null;
    traces = [];
    work.hidden = true;
    message.replaceChildren();
    status.textContent = "Reading";
    try {
      if (has(context, "trace") === false || has(context, "graph") === false) throw absent();
      graph = await context.api.get(pathOf(asked, "graph"));
    } catch {
      graph = null; // times are told without roles and costs then
    }
    if (run === asked && !gone) await loadTraces();
    reading = false;
  }

  async function loadTraces() {
    const asked = run;
    try {
      if (has(context, "trace") === false) throw absent();
      const answer = await context.api.get(pathOf(asked, "traces"));
      if (run !== asked || gone) return;
      traces = answer.traces;
    } catch (error) {
      if (run !== asked || gone) return;
      if (error.status !== 404) {
        status.textContent = "";
        notice(message, error.message, "error");
        return;
      }
      traces = [];
    }
    if (!traces.length) {
      status.textContent = "";
      work.hidden = true;
      notice(message, "No step of this run was traced.");
      return;
    }
    message.replaceChildren();
    const values = traces.map((one) => String(one.step)).join();
    if (steps.dataset.values !== values) {
      steps.dataset.values = values;
      steps.replaceChildren(...traces.map((one) => element("option", { value: one.step }, whole(one.step))));
    }
    await loadTrace();
  }

  async function loadTrace() {
    const asked = run;
    const known = traces.map((one) => one.step);
    const step = picked !== null && known.includes(picked) ? picked : stepAt(known, context.step);
    steps.value = String(step);
    if (trace && trace.step === step && trace.run === asked) return;
    try {
      const answer = await context.api.get(pathOf(asked, "trace", step));
      if (run !== asked || gone) return;
      take({ ...answer, run: asked });
    } catch (error) {
      if (run === asked && !gone) notice(message, error.message, "error");
    }
  }

  function take(answer) {
    trace = answer;
    chosen = hover = -1;
    work.hidden = false;
    rows = trace.threads.map(() => []);
    end = 0;
    const sums = new Map();
    trace.spans.forEach((span, index) => {
      (rows[span.thread] ||= []).push(index);
      end = Math.max(end, span.end);
      const group = sums.get(span.name) || { name: span.name, nodes: span.nodes, time: 0, parts: 0, first: index };
      group.time += span.end - span.start;
      group.parts += 1;
      sums.set(span.name, group);
    });
    end = end || 1;
    for (const row of rows) row.sort((a, b) => trace.spans[a].start - trace.spans[b].start);
    const total = [...sums.values()].reduce((sum, group) => sum + group.time, 0);
    groups = [...sums.values()].sort((a, b) => b.time - a.time);
    for (const group of groups) group.share = group.time / total;
    canvas.style.height = `${TOP + rows.length * LANE + 12}px`;
    root.dataset.step = trace.step;
    root.dataset.spans = trace.spans.length;
    const busy = total / (end * Math.max(1, rows.length));
    status.textContent = `${duration(end)} on ${rows.length} ${rows.length === 1 ? "thread" : "threads"}, busy ${percent(busy, 0)}; ${whole(trace.spans.length)} spans`;
    fillTable();
    fit();
    tell();
  }

  function roleOf(nodes) {
    let role = null;
    for (const index of nodes) {
      const node = graph && graph.nodes[index];
      if (!node) continue;
      if (role && role !== node.role) return "mixed";
      role = node.role;
    }
    return role || "mixed";
  }

  function flopsOf(nodes) {
    let sum = 0;
    for (const index of nodes) sum += (graph && graph.nodes[index] && graph.nodes[index].flops) || 0;
    return sum;
  }

  const rate = (group) => {
    const flops = flopsOf(group.nodes);
    return flops && group.time ? amount((flops / group.time) * 1e6, "") : "–";
  };

  function fillTable() {
    body.replaceChildren(...groups.slice(0, MOST).map((group) => {
      const bar = element("span", { class: "table-bar", "aria-hidden": "true" });
      bar.style.width = `${(100 * group.time) / groups[0].time}%`;
      return element("tr", { "data-span": group.name, class: `role-${roleOf(group.nodes)}` },
        element("td", {}, element("span", { class: "table-name" }, element("span", { class: "role-mark", "aria-hidden": "true" }), button(shortName(group), { class: "part-link", title: group.name }, () => {
          choose(group.first);
          openNode(group);
        })), bar),
        element("td", { class: "number" }, duration(group.time)),
        element("td", { class: "number" }, percent(group.share)),
        element("td", { class: "number" }, whole(group.parts)),
        element("td", { class: "number" }, rate(group)));
    }));
    if (groups.length > MOST) body.append(element("tr", {}, element("td", { colspan: "5", class: "quiet" }, `and ${whole(groups.length - MOST)} more`)));
  }

  function shortName(group) {
    if (group.nodes.length < 2 || !graph) return group.name;
    const first = graph.nodes[group.nodes[0]];
    return first ? `${first.name} + ${group.nodes.length - 1} more` : group.name;
  }

  function openNode(group) {
    const node = graph && graph.nodes[group.nodes[0]];
    if (node) context.select({ tab: "graph", node: node.name });
  }

  function fit() {
    from = 0;
    to = end;
    limit();
  }

  function zoom(factor, x) {
    const width = canvas.clientWidth - LEFT;
    const at = x === null ? (from + to) / 2 : from + ((Math.max(LEFT, x) - LEFT) / width) * (to - from);
    const span = Math.max(end / 1e5, Math.min(end, (to - from) / factor));
    const share = (at - from) / (to - from);
    from = at - share * span;
    to = from + span;
    limit();
  }

  function shift(by) {
    from += by;
    to += by;
    limit();
  }

  function limit() {
    const span = Math.min(end, to - from);
    from = Math.max(0, Math.min(end - span, from));
    to = from + span;
    redraw();
  }

  const scale = (time) => LEFT + ((time - from) / (to - from)) * (canvas.clientWidth - LEFT - 8);

  function spanAt(x, y) {
    if (!trace) return -1;
    const row = rows[Math.floor((y - TOP) / LANE)];
    if (!row || x < LEFT) return -1;
    return row.find((index) => x >= scale(trace.spans[index].start) - 1 && x <= Math.max(scale(trace.spans[index].end), scale(trace.spans[index].start) + 2)) ?? -1;
  }

  function choose(index) {
    chosen = index;
    root.dataset.selected = index >= 0 ? trace.spans[index].name : "";
    if (index >= 0) {
      const span = trace.spans[index];
      if (span.start < from || span.end > to) {
        const wide = Math.max(to - from, (span.end - span.start) * 1.2);
        from = (span.start + span.end) / 2 - wide / 2;
        to = from + wide;
        limit();
      }
    }
    tell();
    redraw();
  }

  function tell() {
    const index = hover >= 0 ? hover : chosen;
    if (index < 0 || !trace) {
      about.replaceChildren(element("p", { class: "quiet" }, "Point at a span, or go through them with the arrow keys."));
      return;
    }
    const span = trace.spans[index];
    const group = groups.find((one) => one.name === span.name);
    const flops = flopsOf(span.nodes);
    const names = span.nodes.map((node) => (graph && graph.nodes[node] ? `${graph.nodes[node].name} (${graph.nodes[node].op})` : String(node)));
    about.replaceChildren(
      element("p", {}, element("strong", {}, duration(span.end - span.start)), ` on ${trace.threads[span.thread]}, from ${duration(span.start)} to ${duration(span.end)}`,
        group.parts > 1 ? `; part of ${group.parts}, ${duration(group.time)} in all` : "",
        flops ? `; ${amount(flops, "FLOP")}, ${amount((flops / group.time) * 1e6, "FLOP/s")} a thread` : ""),
      element("p", { class: "timeline-names" }, names.slice(0, 12).join(", ") + (names.length > 12 ? `, and ${names.length - 12} more` : "")));
  }

  function keys(event) {
    if (!trace || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && event.shiftKey) shift((way * (to - from)) / 8);
    else if (way || event.key === "ArrowUp" || event.key === "ArrowDown") step(way || 0, { ArrowUp: -1, ArrowDown: 1 }[event.key] || 0);
    else if (event.key === "+" || event.key === "=") zoom(1.5, chosen >= 0 ? scale((trace.spans[chosen].start + trace.spans[chosen].end) / 2) : null);
    else if (event.key === "-") zoom(1 / 1.5, null);
    else if (event.key === "0") fit();
    else if (event.key === "Enter" && chosen >= 0) openNode(trace.spans[chosen]);
    else if (event.key === "Escape") choose(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function step(way, lane) {
    if (chosen < 0) {
      const first = rows.find((row) => row.length);
      if (first) choose(first[0]);
      return;
    }
    const span = trace.spans[chosen];
    if (lane) {
      for (let at = span.thread + lane; rows[at]; at += lane) {
        if (!rows[at].length) continue;
        const gap = (index) => Math.abs(trace.spans[index].start - span.start);
        choose(rows[at].reduce((best, index) => (gap(index) < gap(best) ? index : best)));
        return;
      }
      return;
    }
    const row = rows[span.thread];
    const next = row[row.indexOf(chosen) + way];
    if (next !== undefined) choose(next);
  }

  function paint() {
    if (!trace || gone) return;
    const { pen, width, height } = fitCanvas(canvas);
    const ink = (inks ||= colours(root, NAMES));
    pen.fillStyle = ink.panel;
    pen.fillRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const gap = tickOf((to - from) / Math.max(2, (width - LEFT) / 90));
    pen.textAlign = "center";
    for (let tick = Math.ceil(from / gap) * gap; tick <= to; tick += gap) {
      const x = Math.round(scale(tick)) + 0.5;
      pen.strokeStyle = ink.line;
      pen.beginPath();
      pen.moveTo(x, TOP - 4);
      pen.lineTo(x, height);
      pen.stroke();
      pen.fillStyle = ink.quiet;
      if (x > LEFT + 14) pen.fillText(gap >= 1000 ? `${+(tick / 1000).toFixed(3)} ms` : `${+tick.toFixed(2)} µs`, Math.min(x, width - 24), 11);
    }
    let drawn = 0;
    rows.forEach((row, lane) => {
      const y = TOP + lane * LANE;
      pen.textAlign = "left";
      let last = -1;
      for (const index of row) {
        const span = trace.spans[index];
        if (span.end < from || span.start > to) continue;
        const x0 = Math.max(LEFT, scale(span.start));
        const x1 = Math.min(width, Math.max(scale(span.end), x0 + 1));
        // Spans thinner than a pixel beside one that is drawn add nothing.
        if (x1 - x0 < 1.5 && x1 <= last && index !== chosen) continue;
        last = x1;
        drawn += 1;
        const role = roleOf(span.nodes);
        const strong = index === chosen || index === hover || (chosen >= 0 && trace.spans[chosen].name === span.name);
        pen.fillStyle = x1 - x0 > 4 ? ink[`${role}-fill`] : ink[role];
        pen.fillRect(x0, y, x1 - x0, LANE - 6);
        pen.fillStyle = ink[role];
        pen.fillRect(x0, y, x1 - x0, strong ? 5 : 3);
        if (x1 - x0 > 3) {
          pen.strokeStyle = index === chosen ? ink.focus : ink[role];
          pen.lineWidth = strong ? 2 : 0.6;
          pen.strokeRect(x0 + 0.5, y + 0.5, x1 - x0 - 1, LANE - 7);
        }
        if (x1 - x0 > 30) {
          pen.save();
          pen.beginPath();
          pen.rect(x0 + 3, y, x1 - x0 - 6, LANE - 6);
          pen.clip();
          pen.fillStyle = ink.ink;
          pen.fillText(span.name, x0 + 5, y + (LANE - 6) / 2 + 2);
          pen.restore();
        }
      }
      pen.fillStyle = ink.panel;
      pen.fillRect(0, y - 3, LEFT - 2, LANE);
      pen.fillStyle = ink.quiet;
      pen.fillText(trace.threads[lane] || `thread ${lane}`, 6, y + (LANE - 6) / 2);
    });
    root.dataset.drawn = drawn;
    root.dataset.from = from.toFixed(1);
    root.dataset.to = to.toFixed(1);
  }

  function update() {
    if (run !== context.run || (!trace && !graph && has(context, "trace") && has(context, "graph") && !reading)) load();
    else if (root.offsetParent && run) {
      if (trace && traces.length && picked === null && stepAt(traces.map((one) => one.step), context.step) !== trace.step) loadTrace();
      refresh();
    }
  }

  update();
  ends.push(follow(context, ["info", "trace"], update));
  return {
    update,
    destroy() {
      gone = true;
      redraw.cancel();
      watcher.disconnect();
      for (const stop of ends) stop();
      root.remove();
    },
  };
}

// A round distance of at least so much: 1, 2 or 5 times a power of ten.
function tickOf(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((times) => times * power).find((gap) => gap >= least) || least;
}

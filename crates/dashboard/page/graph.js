// The graph of a run in layers: scopes fold and unfold, roles are told apart by
// colour and shape, and a panel tells all about what is chosen. An outline beside the picture holds the
// same tree as text, for the keyboard and for screen readers; both fold together.
//
// Read by tests, on `.part-graph`: `data-nodes` nodes in all, `data-shown` boxes in the picture, `data-drawn` boxes in sight,
// `data-selected` the chosen node's name or scope's path, `data-found` matches of the search, `data-layout-ms` and `data-paint-ms`,
// `data-scale`, `data-roles`. Buttons: `[data-do="fold|unfold|fit|in|out"]`; `input[data-role="forward"]`. See also `outline.js` and `node.js`.
import { button, colours, element, everyFrame, fitCanvas, follow, absent, atMostEvery, has, notice, onScheme, pathOf, stepAt, whole } from "./parts.js";
import { Outline, rowsOf } from "./outline.js";
import { nodePanel } from "./node.js";
import { panning } from "./pan.js";
import { NAMES, paint, sizeOf, textOf } from "./picture.js";
import { ROLES, measure, pictureOf, scopesOf } from "./scopes.js";

const MOST_FOUND = 2000;
// What is laid out in about a second.
const MOST_BOXES = 30_000;
const SAID = { forward: "forward", backward: "backward", update: "update" };

/** The view of the run's graph. `show(name)` chooses a node or a scope. */
export function GraphView(host, context) {
  let run = null;
  let graph = null;
  let tree = null;
  let picture = null;
  let users = [];
  let backwards = new Map();
  let traced = null;
  let totalTime = 0;
  let open = new Set();
  const roles = new Set(ROLES);
  const camera = { x: 0, y: 0, k: 1 };
  let chosen = null;
  let hover = null;
  let matches = null;
  let wanted = null;
  let missing = false;
  let gone = false;

  const status = element("p", { class: "part-status", role: "status" });
  const spoken = element("p", { class: "part-hidden", "aria-live": "polite" });
  const search = element("input", { type: "search", placeholder: "Find a name or an operator", "aria-label": "Find nodes by name or operator", oninput: find, onkeydown: searchKeys });
  const filters = ROLES.map((role) =>
    element("label", { class: `role-filter role-${role}` },
      element("input", { type: "checkbox", checked: true, "data-role": role, onchange: (event) => setRole(role, event.target.checked) }),
      element("span", { class: "role-mark", "aria-hidden": "true" }), SAID[role]));
  const bar = element("div", { class: "part-bar" },
    search,
    element("fieldset", { class: "part-set" }, element("legend", { class: "part-hidden" }, "Roles shown"), ...filters),
    element("span", { class: "part-group" },
      button("Fold all", { "data-do": "fold" }, foldAll),
      button("Unfold all", { "data-do": "unfold" }, unfoldAll)),
    element("span", { class: "part-group" },
      button("Fit", { "data-do": "fit", title: "Show the whole picture (0)" }, fit),
      button("−", { "data-do": "out", "aria-label": "Zoom out", title: "Zoom out (−)" }, () => zoomMiddle(1 / 1.3)),
      button("+", { "data-do": "in", "aria-label": "Zoom in", title: "Zoom in (+)" }, () => zoomMiddle(1.3))),
    status);
  const canvas = element("canvas", {
    class: "graph-canvas", tabindex: "0", role: "application", "aria-roledescription": "graph",
    "aria-label": "Picture of the graph. Down and up follow edges, left and right go to neighbours, space folds, enter opens the details, plus and minus zoom, 0 fits, shift with arrows pans. The outline holds the same as a tree.",
    onkeydown: keys,
  });
  const outlineHost = element("div", { class: "graph-outline" });
  const panel = element("aside", { class: "graph-panel", "aria-label": "Details of what is chosen" });
  const message = element("div", { class: "graph-message" });
  const root = element("section", { class: "part-graph", "aria-label": "Graph" }, bar, element("div", { class: "graph-body" }, outlineHost, element("div", { class: "graph-picture" }, canvas, message), panel), spoken);
  host.replaceChildren(root);
  const outline = Outline(outlineHost, {
    choose: (item, far) => {
      choose(item, true);
      if (far) panel.querySelector("h3")?.focus();
    },
    toggle,
    describe: (item) => ({
      name: matches && item.node !== null ? graph.nodes[item.node].name : item.label,
      side: item.children ? whole(item.count) : graph.nodes[item.node].op,
      full: nameOf(item),
    }),
  });

  const redraw = everyFrame(() => {
    if (!picture || gone) return;
    const { pen, width, height } = fitCanvas(canvas);
    if (width < 2) return;
    const started = performance.now();
    const ink = (inks ||= colours(root, NAMES));
    const item = boxOf(chosen);
    const drawn = paint(pen, width, height, { picture, graph, camera, chosen: item, side: chosen && chosen !== item ? chosen.node : null, hover, found: isFound, ink });
    root.dataset.paintMs = (performance.now() - started).toFixed(1);
    root.dataset.drawn = drawn;
    root.dataset.scale = camera.k.toFixed(4);
  });
  let inks = null;
  const ends = [
    onScheme(() => {
      inks = null;
      redraw();
    }),
    panning(canvas, {
      zoom: zoomAt,
      pan(dx, dy) {
        camera.x += dx;
        camera.y += dy;
        redraw();
      },
      tap(x, y, event) {
        const hit = hitAt(x, y);
        canvas.focus({ preventScroll: true });
        if (!hit) {
          choose(null);
          return;
        }
        const twice = event.timeStamp - tapped.at < 350 && tapped.item === hit.item;
        tapped = { at: event.timeStamp, item: hit.item };
        choose(hit.item, false);
        if (hit.item.children && (twice || hit.mark)) toggle(hit.item);
      },
      hover(x, y) {
        const hit = x === null ? null : hitAt(x, y);
        const next = hit ? hit.item : null;
        canvas.style.cursor = next ? "pointer" : "grab";
        if (next !== hover) {
          hover = next;
          canvas.title = next ? nameOf(next) : "";
          redraw();
        }
      },
    }),
  ];
  let tapped = { at: -1000, item: null };
  let sized = "";
  const watcher = new ResizeObserver(() => {
    const now = `${canvas.clientWidth} ${canvas.clientHeight}`;
    if (now === sized) return;
    const first = sized === "" || sized.startsWith("0 ");
    sized = now;
    if (first && picture) fit();
    redraw();
    outline.draw();
  });
  watcher.observe(canvas);

  const refresh = atMostEvery(4000, loadTrace);

  async function load() {
    const asked = context.run;
    run = asked;
    graph = tree = picture = chosen = matches = null;
    traced = null;
    missing = false;
    root.dataset.nodes = "0";
    root.dataset.selected = "";
    tellPanel();
    message.replaceChildren();
    status.textContent = "Reading the graph";
    let answer;
    try {
      if (has(context, "graph") === false) throw absent();
      answer = await context.api.get(pathOf(asked, "graph"));
    } catch (error) {
      if (gone || run !== asked) return;
      status.textContent = "";
      outline.fill([], () => false, null);
      redrawEmpty();
      notice(message, error.status === 404 ? "This run holds no graph. A run records one when training starts with a log folder." : error.message, error.status === 404 ? "empty" : "error");
      missing = true;
      return;
    }
    if (gone || run !== asked) return;
    take(answer);
    await loadTrace();
  }

  function take(answer) {
    const known = (list) => (list || []).filter((index) => index >= 0 && index < answer.nodes.length);
    const nodes = (answer.nodes || []).map((node) => ({ ...node, inputs: known(node.inputs), controls: known(node.controls), role: ROLES.includes(node.role) ? node.role : "forward" }));
    graph = { name: answer.name, nodes };
    users = nodes.map(() => []);
    backwards = new Map();
    nodes.forEach((node, index) => {
      for (const from of new Set([...node.inputs, ...node.controls])) users[from]?.push(index);
      if (Number.isInteger(node.of)) {
        if (!backwards.has(node.of)) backwards.set(node.of, []);
        backwards.get(node.of).push(index);
      }
    });
    tree = scopesOf(graph);
    open = new Set();
    // A single scope around all says nothing: unfold it.
    let only = tree.root;
    while (only.children.length === 1 && only.children[0].children) {
      only = only.children[0];
      open.add(only.key);
    }
    root.dataset.nodes = nodes.length;
    arrange();
    fit();
    if (!nodes.length) notice(message, "This run's graph has no nodes.");
    if (wanted) show(wanted);
  }

  async function loadTrace() {
    const asked = run;
    if (!graph || has(context, "trace") === false) return;
    let traces;
    try {
      ({ traces } = await context.api.get(pathOf(asked, "traces")));
      const step = stepAt(traces.map((trace) => trace.step), context.step);
      if (step === null || (traced && traced.step === step)) return;
      const trace = await context.api.get(pathOf(asked, "trace", step));
      if (gone || run !== asked || !tree) return;
      traced = trace;
    } catch {
      return; // a run without a trace shows no times
    }
    const spans = traced.spans.map((span) => ({ ...span, nodes: span.nodes.filter((index) => tree.leaves[index]) }));
    totalTime = spans.reduce((sum, span) => sum + span.end - span.start, 0);
    for (const span of spans) if (span.nodes.length > 1) for (const index of span.nodes) tree.leaves[index].fused = true;
    measure(tree, spans);
    root.dataset.traced = traced.step;
    tellPanel();
    arrange(chosen && boxOf(chosen));
  }

  function arrange(kept) {
    const before = kept && placeOf(kept);
    const at = before && [before.x * camera.k + camera.x, before.y * camera.k + camera.y];
    picture = pictureOf(tree, graph, open, roles, (item) => sizeOf(item, graph));
    const after = kept && placeOf(kept);
    if (at && after) {
      camera.x = at[0] - after.x * camera.k;
      camera.y = at[1] - after.y * camera.k;
    }
    root.dataset.shown = picture.drawn.length;
    root.dataset.layoutMs = picture.took.toFixed(1);
    root.dataset.roles = [...roles].join(" ");
    hover = null;
    tellStatus();
    tellOutline();
    redraw();
  }

  function tellStatus() {
    const hidden = graph.nodes.filter((node) => !roles.has(node.role)).length;
    status.textContent = `${whole(graph.nodes.length)} nodes in ${whole(picture.drawn.length)} boxes shown${hidden ? `, ${whole(hidden)} hidden` : ""}${matches ? `; ${whole(matches.length)} found` : ""}`;
  }

  function tellOutline() {
    const rows = matches
      ? matches.slice(0, MOST_FOUND).map((item, index, all) => ({ item, depth: 0, place: index + 1, of: all.length }))
      : rowsOf(tree.root, isOpen, roles);
    outline.fill(rows, isOpen, chosen);
  }

  function tellPanel() {
    if (!chosen) {
      panel.replaceChildren(element("p", { class: "quiet panel-hint" }, "Choose a node or a scope: click it, or go along edges with the arrow keys. Space or a double click folds and unfolds a scope."), legend());
      return;
    }
    nodePanel(panel, { graph, item: chosen, users, backwards, whole: totalTime, traced, isOpen, go: (index) => reveal(tree.leaves[index]), toggle, reveal });
  }

  function isOpen(item) {
    return open.has(item.key);
  }

  function isFound(item) {
    return Boolean(foundKeys) && foundKeys.has(item.key);
  }
  let foundKeys = null;

  function nameOf(item) {
    return item.children ? item.key : graph.nodes[item.node].name;
  }

  // What stands for an item in the picture: itself, the folded scope around it, or for a side input its first user.
  function boxOf(item) {
    if (!item || !picture) return null;
    if (item.node !== null && picture.beside.has(item.node)) {
      const user = users[item.node].find((index) => picture.seen[index] && picture.seen[index].node !== null);
      return user === undefined ? null : picture.seen[user];
    }
    let at = item;
    for (let up = item.parent; up && up !== tree.root; up = up.parent) if (!isOpen(up)) at = up;
    return at;
  }

  function placeOf(item) {
    return picture && picture.drawn.find((box) => box.item === item);
  }

  function choose(item, centre) {
    chosen = item;
    root.dataset.selected = item ? nameOf(item) : "";
    tellPanel();
    tellOutline();
    const box = item && placeOf(boxOf(item));
    if (box && centre) bring(box);
    if (item) spoken.textContent = say(item);
    redraw();
  }

  function say(item) {
    const [, more] = textOf(item, graph);
    if (item.children) return `${item.key}, ${item.role} scope, ${isOpen(item) ? "unfolded" : "folded"}, ${more}`;
    const node = graph.nodes[item.node];
    return `${node.name}, ${node.op}, ${node.type || ""}, ${node.role}, ${node.inputs.length} operands, ${users[item.node].length} users`;
  }

  // Brings a box into sight, without moving the picture more than needed.
  function bring(box) {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (camera.k < 0.45) {
      camera.k = 0.8;
      camera.x = width / 2 - (box.x + Math.min(box.w, width) / 2) * camera.k;
      camera.y = height / 2 - (box.y + Math.min(box.h, height) / 2) * camera.k;
      return;
    }
    const margin = 40;
    const x0 = box.x * camera.k + camera.x;
    const y0 = box.y * camera.k + camera.y;
    const x1 = x0 + Math.min(box.w * camera.k, width - 2 * margin);
    const y1 = y0 + Math.min(box.h * camera.k, height - 2 * margin);
    if (x0 < margin) camera.x += margin - x0;
    else if (x1 > width - margin) camera.x -= x1 - width + margin;
    if (y0 < margin) camera.y += margin - y0;
    else if (y1 > height - margin) camera.y -= y1 - height + margin;
  }

  function reveal(item) {
    if (!roles.has(item.role)) setRole(item.role, true);
    let changed = false;
    for (let up = item.parent; up && up !== tree.root; up = up.parent) {
      if (!isOpen(up)) {
        open.add(up.key);
        changed = true;
      }
    }
    if (changed) arrange();
    choose(item, true);
  }

  function toggle(item, to) {
    const next = to === undefined ? !isOpen(item) : to;
    if (next) open.add(item.key);
    else open.delete(item.key);
    arrange(item);
    if (chosen && !next && boxOf(chosen) !== chosen && chosen !== item) choose(item);
    else tellPanel();
    if (next && camera.k < 0.45) {
      const box = placeOf(item);
      if (box) frame(box);
    }
    spoken.textContent = say(item);
  }

  function foldAll() {
    open = new Set();
    arrange();
    fit();
  }

  function unfoldAll() {
    open = new Set();
    let boxes = tree.root.children.length;
    const scopes = [...tree.scopes.values()].filter((item) => item !== tree.root).sort((a, b) => a.depth - b.depth);
    for (const item of scopes) {
      boxes += item.children.length;
      if (boxes > MOST_BOXES) break;
      open.add(item.key);
    }
    arrange();
    fit();
    if (open.size < scopes.length) status.textContent += `; ${whole(scopes.length - open.size)} scopes stay folded, more would be too much to draw`;
  }

  function setRole(role, shown) {
    if (shown) roles.add(role);
    else roles.delete(role);
    root.querySelector(`[data-role="${role}"]`).checked = shown;
    if (!tree) return;
    arrange();
    fit();
  }

  function find() {
    const text = search.value.trim().toLowerCase();
    matches = null;
    foundKeys = null;
    if (tree && text) {
      const scopes = [...tree.scopes.values()].filter((item) => item.key.toLowerCase().includes(text) && item.key !== "" && roles.has(item.role) && item.label.toLowerCase().includes(text));
      const leaves = tree.leaves.filter((leaf) => roles.has(leaf.role) && (graph.nodes[leaf.node].name.toLowerCase().includes(text) || graph.nodes[leaf.node].op.toLowerCase().includes(text)));
      matches = [...scopes, ...leaves];
      foundKeys = new Set();
      for (const item of matches) for (let at = item; at && at !== tree.root && !foundKeys.has(at.key); at = at.parent) foundKeys.add(at.key);
    }
    root.dataset.found = matches ? matches.length : "";
    if (!tree) return;
    tellStatus();
    tellOutline();
    redraw();
  }

  function searchKeys(event) {
    if (event.key === "Enter" && matches && matches.length) {
      const next = matches[(matches.indexOf(chosen) + 1) % matches.length];
      reveal(next);
    } else if (event.key === "Escape" && search.value) {
      search.value = "";
      find();
    } else if (event.key === "ArrowDown") outline.box.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function show(name) {
    if (!tree) {
      wanted = name;
      return;
    }
    wanted = null;
    const index = graph.nodes.findIndex((node) => node.name === name);
    // The scope of one node is that node.
    const only = index < 0 && !tree.scopes.has(name) ? graph.nodes.findIndex((node) => node.name.startsWith(`${name}/`)) : index;
    const item = only >= 0 ? tree.leaves[only] : tree.scopes.get(name);
    if (item) reveal(item);
  }

  function hitAt(x, y) {
    if (!picture) return null;
    const px = (x - camera.x) / camera.k;
    const py = (y - camera.y) / camera.k;
    let ground = null;
    for (let i = picture.drawn.length - 1; i >= 0; i -= 1) {
      const box = picture.drawn[i];
      for (const small of box.sides) if (px >= small.x && px <= small.x + small.w && py >= small.y && py <= small.y + small.h) return { item: tree.leaves[small.node] };
      if (px < box.x || px > box.x + box.w || py < box.y || py > box.y + box.h) continue;
      if (!box.open) return { item: box.item };
      if (!ground || box.item.depth > ground.item.depth) ground = { item: box.item, mark: py < box.y + 24 && px < box.x + 26 };
    }
    return ground;
  }

  function zoomAt(factor, x, y) {
    const k = Math.min(4, Math.max(0.0004, camera.k * factor));
    camera.x = x - ((x - camera.x) * k) / camera.k;
    camera.y = y - ((y - camera.y) * k) / camera.k;
    camera.k = k;
    redraw();
  }

  function zoomMiddle(factor) {
    zoomAt(factor, canvas.clientWidth / 2, canvas.clientHeight / 2);
  }

  function frame(box) {
    const width = canvas.clientWidth || 800;
    const height = canvas.clientHeight || 600;
    camera.k = Math.max(0.0004, Math.min(1.1, (width - 40) / Math.max(1, box.w), (height - 40) / Math.max(1, box.h)));
    camera.x = width / 2 - (box.x + box.w / 2) * camera.k;
    camera.y = height / 2 - (box.y + box.h / 2) * camera.k;
    redraw();
  }

  // The whole picture where it can be read so; else its upper end at a scale that can.
  function fit(event) {
    if (!picture) return;
    frame({ x: 0, y: 0, w: picture.width, h: picture.height });
    const least = picture.drawn.length >= 200 ? 0.05 : canvas.clientWidth < 500 ? 0.8 : 0.55;
    if (!event && camera.k < least) {
      const width = canvas.clientWidth || 800;
      camera.k = Math.min(1, Math.max(least, (width - 40) / Math.max(1, picture.width)));
      if (least < 0.5) camera.k = Math.max(camera.k, 0.2);
      // A picture too wide to be shown so is entered at its first box.
      const top = picture.drawn.reduce((best, box) => (box.y < best.y ? box : best), picture.drawn[0]);
      const middle = picture.width * camera.k > width ? top.x + top.w / 2 : picture.width / 2;
      camera.x = width / 2 - middle * camera.k;
      camera.y = 20;
    }
  }

  function keys(event) {
    if (!picture || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowDown: [0, -60], ArrowUp: [0, 60], ArrowLeft: [60, 0], ArrowRight: [-60, 0] }[event.key];
    if (arrow && event.shiftKey) {
      camera.x += arrow[0];
      camera.y += arrow[1];
      redraw();
    } else if (arrow) walk(event.key);
    else if (event.key === "+" || event.key === "=") zoomMiddle(1.3);
    else if (event.key === "-") zoomMiddle(1 / 1.3);
    else if (event.key === "0") fit(event);
    else if (event.key === " " && chosen && chosen.children) toggle(chosen);
    else if (event.key === "Enter" && chosen) panel.querySelector("h3")?.focus();
    else if (event.key === "Escape" && chosen) choose(null);
    else if (event.key === "/") search.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function walk(key) {
    const item = boxOf(chosen);
    const here = item && placeOf(item);
    if (!here) {
      if (picture.drawn.length) choose(picture.drawn[0].item, true);
      return;
    }
    const middle = (box) => box.x + box.w / 2;
    const near = (items) => items.map((other) => placeOf(other)).filter(Boolean).sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)))[0];
    let next = null;
    if (key === "ArrowDown" && here.open) next = picture.drawn.find((box) => box.item.parent === item);
    else if (key === "ArrowDown") next = near(picture.lines.filter((line) => line.from === item).map((line) => line.to));
    else if (key === "ArrowUp") {
      next = near(picture.lines.filter((line) => line.to === item).map((line) => line.from));
      if (!next && item.parent !== tree.root) next = placeOf(item.parent);
    } else {
      const side = here.sides.findIndex((small) => chosen !== item && small.node === chosen.node);
      const ahead = key === "ArrowLeft" ? side + 1 : side - 1;
      if (here.sides[ahead]) {
        choose(tree.leaves[here.sides[ahead].node], true);
        return;
      }
      if (side >= 0 && key === "ArrowRight") next = here;
      else {
        const sign = key === "ArrowRight" ? 1 : -1;
        const row = picture.drawn.filter((box) => box.item.parent === item.parent && box !== here && Math.sign(middle(box) - middle(here)) === sign && Math.abs(box.y + box.h / 2 - here.y - here.h / 2) < Math.max(here.h, box.h) / 2);
        next = row.sort((a, b) => sign * (middle(a) - middle(b)))[0];
      }
    }
    if (next) choose(next.item, true);
  }

  function legend() {
    return element("ul", { class: "panel-legend" },
      ...ROLES.map((role) => element("li", { class: `role-${role}` }, element("span", { class: "role-mark", "aria-hidden": "true" }), { forward: "forward: round", backward: "backward: corners cut, under grad/", update: "update: square, with a bar" }[role])),
      element("li", {}, element("span", { class: "disc-mark", "aria-hidden": "true" }), "variable, beside its user"),
      element("li", {}, element("span", { class: "ring-mark", "aria-hidden": "true" }), "constant, beside its user"),
      element("li", {}, element("span", { class: "dash-mark", "aria-hidden": "true" }), "runs after, without a value"));
  }

  function redrawEmpty() {
    const { pen, width, height } = fitCanvas(canvas);
    pen.clearRect(0, 0, width, height);
  }

  function update() {
    if (run !== context.run || (!graph && missing && has(context, "graph"))) load();
    else if (root.offsetParent && graph) refresh();
    if (context.node) {
      const name = context.node;
      context.node = null;
      show(name);
    }
  }

  tellPanel();
  update();
  ends.push(follow(context, ["info", "graph", "trace"], update));
  return {
    update,
    show,
    destroy() {
      gone = true;
      redraw.cancel();
      watcher.disconnect();
      for (const end of ends) end();
      root.remove();
    },
  };
}

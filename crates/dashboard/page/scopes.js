// The graph as a tree of name scopes, and the picture that the unfolded ones
// make: boxes in boxes, each laid out in layers. Knows no page.
import { layered } from "./layers.js";

export const ROLES = ["forward", "backward", "update"];
const ROOTS = { backward: "grad", update: "update" };
const DEEPEST = 24;
const SIDES = 4;
const LINE = 15;

/** What has no operands and is drawn small beside its users. */
export function isSide(node) {
  return (node.op === "constant" || node.op === "variable") && !node.inputs.length && !node.controls.length;
}

/**
 * The tree. Items are `{ key, label, parent, depth, children | null, node | null, role, count, flops, time, first }`:
 * a scope has children, a leaf its node's index. Backward nodes stand under `grad`, those of the update under `update`.
 */
export function scopesOf(graph) {
  const root = scope("", "", null, "forward");
  const scopes = new Map([["", root]]);
  const paths = graph.nodes.map((node) => {
    const parts = String(node.name).split("/").filter((part) => part !== "");
    const head = ROOTS[node.role];
    if (head && parts[0] !== head) parts.unshift(head);
    if (parts.length > DEEPEST) parts.splice(DEEPEST - 1, parts.length, parts.slice(DEEPEST - 1).join("/"));
    let inside = "";
    for (let i = 0; i + 1 < parts.length; i += 1) {
      const key = inside ? `${inside}/${parts[i]}` : parts[i];
      if (!scopes.has(key)) {
        const parent = scopes.get(inside);
        const made = scope(key, parts[i], parent, node.role);
        scopes.set(key, made);
        parent.children.push(made);
      }
      inside = key;
    }
    return { inside, label: parts[parts.length - 1] || String(node.name) };
  });
  const leaves = graph.nodes.map((node, index) => {
    const { inside, label } = paths[index];
    // A node that has a scope's name (`update/w` of `update/w/mul`) is inside.
    const full = inside ? `${inside}/${label}` : label;
    const own = scopes.get(full);
    const parent = own || scopes.get(inside);
    const leaf = {
      key: `#${index}`, label, parent, depth: parent.depth + 1, children: null, node: index,
      role: node.role, count: 1, flops: node.flops || 0, time: 0, first: index,
    };
    parent.children.push(leaf);
    for (let at = parent; at; at = at.parent) {
      at.count += 1;
      at.flops += leaf.flops;
      at.first = Math.min(at.first, index);
    }
    return leaf;
  });
  // A scope of one node is that node.
  for (const item of [...scopes.values()].reverse()) {
    if (item.count !== 1 || item === root) continue;
    const [leaf] = item.children;
    leaf.label = `${item.label}/${leaf.label}`;
    leaf.parent = item.parent;
    leaf.depth = item.depth;
    item.parent.children[item.parent.children.indexOf(item)] = leaf;
    scopes.delete(item.key);
  }
  for (const item of scopes.values()) item.children.sort((a, b) => a.first - b.first);
  return { root, scopes, leaves };
}

function scope(key, label, parent, role) {
  return {
    key, label, parent, depth: parent ? parent.depth + 1 : -1, children: [], node: null,
    role, count: 0, flops: 0, time: 0, first: Infinity,
  };
}

/** Notes measured times: a span counts for each node it holds and once for each scope around them. */
export function measure(tree, spans) {
  for (const item of tree.scopes.values()) item.time = 0;
  for (const leaf of tree.leaves) leaf.time = 0;
  for (const span of spans) {
    const met = new Set();
    for (const index of span.nodes) {
      for (let at = tree.leaves[index]; at && !met.has(at); at = at.parent) {
        met.add(at);
        at.time += span.end - span.start;
      }
    }
  }
}

/** Lays out what is unfolded. `open` holds keys of scopes, `roles` the roles shown, `sizeOf(item)` gives `{ w, h }`. */
export function pictureOf(tree, graph, open, roles, sizeOf) {
  const started = performance.now();
  const shown = (item) => roles.has(item.role);
  const seen = tree.leaves.map((leaf) => {
    if (!shown(leaf)) return null;
    let at = leaf;
    for (let up = leaf.parent; up !== tree.root; up = up.parent) if (!open.has(up.key)) at = up;
    return at;
  });
  const { sides, beside } = sidesOf(graph, seen);
  const levels = new Map();
  const level = (item) => {
    if (!levels.has(item)) levels.set(item, { items: [], index: new Map(), edges: new Map() });
    return levels.get(item);
  };
  const add = (item) => {
    for (let at = item; at !== tree.root; at = at.parent) {
      const { items, index } = level(at.parent);
      if (index.has(at)) return;
      index.set(at, items.length);
      items.push(at);
    }
  };
  level(tree.root);
  seen.forEach((item, index) => {
    if (item && !beside.has(index)) add(item);
  });
  const edges = new Map();
  graph.nodes.forEach((node, to) => {
    if (!seen[to] || beside.has(to)) return;
    const link = (from, control) => {
      if (!seen[from] || beside.has(from) || seen[from] === seen[to]) return;
      const key = `${seen[from].key} ${seen[to].key}`;
      const known = edges.get(key);
      if (known) {
        known.count += 1;
        known.control &&= control;
        return;
      }
      let a = seen[from];
      let b = seen[to];
      while (a.depth > b.depth && a.parent !== b) a = a.parent;
      while (b.depth > a.depth && b.parent !== a) b = b.parent;
      while (a.parent !== b.parent) {
        if (a.depth >= b.depth) a = a.parent;
        else b = b.parent;
      }
      const at = level(a.parent);
      const pair = `${at.index.get(a)} ${at.index.get(b)}`;
      if (!at.edges.has(pair)) at.edges.set(pair, at.edges.size);
      edges.set(key, { from: seen[from], to: seen[to], upper: a, lower: b, slot: at.edges.get(pair), node: from, count: 1, control });
    };
    for (const from of node.inputs) link(from, false);
    for (const from of node.controls) link(from, true);
  });
  // Inner levels first: the size of an unfolded scope is that of what is in it.
  const boxes = new Map();
  const order = [...levels.keys()].sort((a, b) => b.depth - a.depth);
  for (const item of order) {
    const { items, edges: pairs } = levels.get(item);
    const sorted = items.map((_, index) => index).sort((a, b) => items[a].first - items[b].first);
    const rank = new Int32Array(items.length);
    sorted.forEach((index, at) => (rank[index] = at));
    const sizes = sorted.map((index) => {
      const box = boxes.get(items[index]);
      if (box) return { w: box.w, h: box.h };
      const size = sizeOf(items[index]);
      const small = sides.get(items[index]) || [];
      // Side inputs stand at both sides' width, so that the box stays in the middle.
      return { w: size.w + (small.length ? 2 * (sideWidth(small) + 12) : 0), h: Math.max(size.h, small.length * LINE) };
    });
    const linked = [...pairs.keys()].map((pair) => pair.split(" ").map((index) => rank[index]));
    const laid = layered(sizes, linked, { started });
    const pad = item === tree.root ? 0 : 14;
    const head = item === tree.root ? 0 : 26;
    boxes.set(item, {
      w: Math.max(laid.width + 2 * pad, item === tree.root ? 0 : sizeOf(item).w),
      h: laid.height + head + pad,
      laid, rank, items, sizes, pad, head,
    });
  }
  // Outer levels first: places.
  const places = new Map([[tree.root, { x: 0, y: 0, ...pick(boxes.get(tree.root)) }]]);
  const drawn = [];
  for (const item of order.reverse()) {
    const box = boxes.get(item);
    const at = places.get(item);
    const shift = at.x + Math.max(box.pad, (box.w - box.laid.width) / 2);
    const top = at.y + box.head;
    box.shift = shift;
    box.top = top;
    box.items.forEach((child, index) => {
      const place = box.rank[index];
      const inner = boxes.get(child);
      const size = inner ? pick(inner) : sizeOf(child);
      const middle = shift + box.laid.x[place];
      const centre = top + box.laid.y[place] + box.sizes[place].h / 2;
      const put = { x: middle - size.w / 2, y: centre - size.h / 2, w: size.w, h: size.h, open: Boolean(inner) };
      places.set(child, put);
      drawn.push({ item: child, ...put, sides: placeSides(sides.get(child), put) });
    });
  }
  const lines = [];
  for (const edge of edges.values()) {
    const box = boxes.get(edge.upper.parent);
    const from = places.get(edge.from);
    const to = places.get(edge.to);
    const outer = places.get(edge.upper);
    const into = places.get(edge.lower);
    const middles = [];
    const route = box.laid.routes[edge.slot];
    for (let i = 0; i < route.length; i += 2) middles.push(route[i] + box.shift, route[i + 1] + box.top);
    // The way out of the unfolded scopes around its source, the way between, and the way in.
    const points = [from.x + from.w / 2, from.y + from.h];
    const outward = edge.from === edge.upper ? 0 : 2;
    if (outward) points.push(clamp(from.x + from.w / 2, outer), outer.y + outer.h);
    if (outer.y < into.y + into.h) for (const middle of middles) points.push(middle);
    const inward = edge.to === edge.lower ? 0 : 2;
    if (inward) points.push(clamp(to.x + to.w / 2, into), into.y);
    points.push(to.x + to.w / 2, to.y);
    lines.push({ ...edge, points, first: outward, last: points.length - inward });
  }
  return { drawn, lines, width: boxes.get(tree.root).w, height: boxes.get(tree.root).h, seen, beside, took: performance.now() - started };
}

const pick = ({ w, h }) => ({ w, h });
const clamp = (x, box) => Math.min(Math.max(x, box.x + 8), box.x + box.w - 8);
const sideWidth = (small) => Math.max(...small.map((side) => side.w));

// Constants and variables beside the leaves that use them.
function sidesOf(graph, seen) {
  const sides = new Map();
  const beside = new Set();
  graph.nodes.forEach((node, to) => {
    const user = seen[to];
    if (!user || user.node === null) return;
    for (const from of new Set(node.inputs)) {
      const item = seen[from];
      if (!item || item.node === null || !isSide(graph.nodes[from])) continue;
      const small = sides.get(user) || [];
      if (small.length === SIDES) {
        small[SIDES - 1].more += 1;
      } else {
        small.push({ node: from, label: item.label, w: Math.min(110, 20 + item.label.length * 6.6), more: 0 });
      }
      sides.set(user, small);
      beside.add(from);
    }
  });
  return { sides, beside };
}

function placeSides(small, box) {
  if (!small) return [];
  const top = box.y + box.h / 2 - (small.length * LINE) / 2;
  return small.map((side, index) => ({ ...side, x: box.x - 12 - side.w, y: top + index * LINE + 1, h: LINE - 2 }));
}

// Layered drawing of a directed graph, top to bottom (after Sugiyama): edges of
// cycles turned round, layers by the longest path, long edges led through
// the layers between, crossings lessened by barycentres, and coordinates by
// least squares under the order (pools of adjacent violators). Knows sizes and edges only.

const SWEEPS = 6;
const DUMMIES = 40_000;
const BUDGET = 400;

/**
 * Places boxes. `boxes` holds `{ w, h }`, `edges` pairs of indices, in an order of the boxes that
 * edges mostly follow. Returns the middles `x` and tops `y` of the boxes, `width`, `height`, and for each edge
 * the points `[x, y, x, y, ..]` it passes between its ends, from the upper end to the lower one.
 */
export function layered(boxes, edges, { gapX = 18, gapY = 34, started = performance.now() } = {}) {
  const count = boxes.length;
  if (!count) return { x: [], y: [], width: 0, height: 0, routes: [] };
  const down = turned(count, edges);
  const layer = longestPaths(count, down);
  const net = chained(boxes, down, layer);
  const rows = ordered(net, started);
  const { top, bottom, height } = heights(net, rows, boxes, gapY);
  const x = placed(net, rows, gapX, started);
  let left = Infinity;
  let right = -Infinity;
  for (let i = 0; i < net.size; i += 1) {
    left = Math.min(left, x[i] - net.width[i] / 2);
    right = Math.max(right, x[i] + net.width[i] / 2);
  }
  for (let i = 0; i < net.size; i += 1) x[i] -= left;
  const y = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    // In the middle of its layer, but near the top beside something tall.
    const spare = bottom[net.layer[i]] - top[net.layer[i]] - boxes[i].h;
    y[i] = top[net.layer[i]] + Math.min(spare / 2, 20);
  }
  const routes = net.routes.map((dummies) => {
    const points = [];
    for (const dummy of dummies) {
      points.push(x[dummy], top[net.layer[dummy]], x[dummy], bottom[net.layer[dummy]]);
    }
    return points;
  });
  return { x: x.slice(0, count), y, width: right - left, height, routes };
}

// Edges with those that close a cycle turned round.
function turned(count, edges) {
  const out = Array.from({ length: count }, () => []);
  edges.forEach(([from, to], index) => {
    if (from !== to) out[from].push([to, index]);
  });
  const state = new Uint8Array(count);
  const back = new Uint8Array(edges.length);
  for (let root = 0; root < count; root += 1) {
    if (state[root]) continue;
    const stack = [[root, 0]];
    state[root] = 1;
    while (stack.length) {
      const frame = stack[stack.length - 1];
      const next = out[frame[0]][frame[1]];
      frame[1] += 1;
      if (!next) {
        state[frame[0]] = 2;
        stack.pop();
      } else if (state[next[0]] === 1) {
        back[next[1]] = 1;
      } else if (!state[next[0]]) {
        state[next[0]] = 1;
        stack.push([next[0], 0]);
      }
    }
  }
  return edges.map(([from, to], index) => (back[index] ? [to, from] : [from, to]));
}

// The layer of each box: below all it comes from; a source stands just above the first that uses it.
function longestPaths(count, edges) {
  const out = Array.from({ length: count }, () => []);
  const waits = new Int32Array(count);
  for (const [from, to] of edges) {
    if (from === to) continue;
    out[from].push(to);
    waits[to] += 1;
  }
  const source = waits.slice();
  const layer = new Int32Array(count);
  const ready = [];
  for (let i = 0; i < count; i += 1) if (!waits[i]) ready.push(i);
  for (let at = 0; at < ready.length; at += 1) {
    const box = ready[at];
    for (const to of out[box]) {
      layer[to] = Math.max(layer[to], layer[box] + 1);
      waits[to] -= 1;
      if (!waits[to]) ready.push(to);
    }
  }
  for (let i = 0; i < count; i += 1) {
    if (source[i] || !out[i].length) continue;
    let first = Infinity;
    for (const to of out[i]) first = Math.min(first, layer[to]);
    layer[i] = Math.max(0, first - 1);
  }
  return layer;
}

// Boxes and the dummies of long edges. The edges of one box share a chain of dummies.
function chained(boxes, edges, layerOf) {
  const layer = Array.from(layerOf);
  const width = boxes.map((box) => box.w);
  const links = [];
  const chains = new Map();
  let left = DUMMIES;
  const routes = edges.map(([from, to]) => {
    const span = layer[to] - layer[from];
    if (span <= 0) return [];
    if (span === 1) {
      links.push([from, to]);
      return [];
    }
    const chain = chains.get(from) || [];
    if (span - 1 - chain.length > left) return []; // drawn straight: too much is routed already
    while (chain.length < span - 1) {
      const dummy = layer.length;
      layer.push(layer[from] + chain.length + 1);
      width.push(4);
      links.push([chain.length ? chain[chain.length - 1] : from, dummy]);
      chain.push(dummy);
      left -= 1;
    }
    chains.set(from, chain);
    links.push([chain[span - 2], to]);
    return chain.slice(0, span - 1);
  });
  const size = layer.length;
  const up = Array.from({ length: size }, () => []);
  const down = Array.from({ length: size }, () => []);
  for (const [from, to] of links) {
    down[from].push(to);
    up[to].push(from);
  }
  return { size, real: boxes.length, layer, width, up, down, routes };
}

// The boxes of each layer in an order with few crossings; the best of several sweeps.
function ordered(net, started) {
  const rows = [];
  for (let i = 0; i < net.size; i += 1) (rows[net.layer[i]] ||= []).push(i);
  for (let i = 0; i < rows.length; i += 1) rows[i] ||= [];
  const place = new Float64Array(net.size);
  const number = (row) => row.forEach((box, index) => (place[box] = index));
  rows.forEach(number);
  const middle = new Float64Array(net.size);
  const sort = (row, sides) => {
    for (const box of row) {
      const near = sides[box];
      let sum = 0;
      for (const other of near) sum += place[other];
      middle[box] = near.length ? sum / near.length : place[box];
    }
    row.sort((a, b) => middle[a] - middle[b] || place[a] - place[b]);
    number(row);
  };
  let best = rows.map((row) => row.slice());
  let fewest = crossings(net, rows, place);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep += 1) {
    if (performance.now() - started > BUDGET) break;
    if (sweep % 2 === 0) for (let i = 1; i < rows.length; i += 1) sort(rows[i], net.up);
    else for (let i = rows.length - 2; i >= 0; i -= 1) sort(rows[i], net.down);
    const now = crossings(net, rows, place);
    if (now < fewest) {
      fewest = now;
      best = rows.map((row) => row.slice());
    }
  }
  return best;
}

// Pairs of links that cross, counted with a tree of sums over each lower layer.
function crossings(net, rows, place) {
  let total = 0;
  for (let i = 0; i + 1 < rows.length; i += 1) {
    const size = rows[i + 1].length;
    const tree = new Int32Array(size + 1);
    let before = 0;
    for (const box of rows[i]) {
      const ends = net.down[box].map((to) => place[to]);
      for (const end of ends) {
        let below = 0;
        for (let at = end + 1; at > 0; at -= at & -at) below += tree[at];
        total += before - below;
      }
      for (const end of ends) {
        for (let at = end + 1; at <= size; at += at & -at) tree[at] += 1;
        before += 1;
      }
    }
  }
  return total;
}

function heights(net, rows, boxes, gapY) {
  const top = [];
  const bottom = [];
  let y = 0;
  for (const row of rows) {
    let tall = 0;
    let links = 0;
    for (const box of row) {
      if (box < net.real) tall = Math.max(tall, boxes[box].h);
      links += net.down[box].length;
    }
    top.push(y);
    bottom.push(y + tall);
    y += tall + gapY + Math.min(60, links * 0.8);
  }
  return { top, bottom, height: bottom.length ? bottom[bottom.length - 1] : 0 };
}

// Middles: each layer by turns as near as its order allows to the middles of its neighbours.
function placed(net, rows, gapX, started) {
  const x = new Float64Array(net.size);
  for (const row of rows) {
    let at = 0;
    for (const box of row) {
      x[box] = at + net.width[box] / 2;
      at += net.width[box] + gapX;
    }
    for (const box of row) x[box] -= at / 2;
  }
  const pull = (row, both, sides) => {
    const wish = row.map((box) => {
      const near = both ? net.up[box].concat(net.down[box]) : sides[box];
      if (!near.length) return [x[box], 0.01];
      let sum = 0;
      let weight = 0;
      for (const other of near) {
        const strong = box >= net.real && other >= net.real ? 8 : box >= net.real || other >= net.real ? 2 : 1;
        sum += x[other] * strong;
        weight += strong;
      }
      return [sum / weight, weight];
    });
    pools(row, wish, net.width, gapX, x);
  };
  for (let turn = 0; turn < 10; turn += 1) {
    if (turn > 1 && performance.now() - started > 2 * BUDGET) break;
    const both = turn >= 6;
    if (turn % 2 === 0) for (let i = both ? 0 : 1; i < rows.length; i += 1) pull(rows[i], both, net.up);
    else for (let i = rows.length - (both ? 1 : 2); i >= 0; i -= 1) pull(rows[i], both, net.down);
  }
  return x;
}

// Least squares of `x - wish` where neighbours of the row keep their distance.
function pools(row, wish, width, gapX, x) {
  const pooled = [];
  let offset = 0;
  const offsets = [];
  row.forEach((box, index) => {
    if (index) offset += (width[row[index - 1]] + width[box]) / 2 + gapX;
    offsets.push(offset);
    let [value, weight] = wish[index];
    let sum = (value - offset) * weight;
    let size = 1;
    while (pooled.length && pooled[pooled.length - 1].sum / pooled[pooled.length - 1].weight > sum / weight) {
      const last = pooled.pop();
      sum += last.sum;
      weight += last.weight;
      size += last.size;
    }
    pooled.push({ sum, weight, size });
  });
  let index = 0;
  for (const pool of pooled) {
    for (let i = 0; i < pool.size; i += 1, index += 1) x[row[index]] = pool.sum / pool.weight + offsets[index];
  }
}

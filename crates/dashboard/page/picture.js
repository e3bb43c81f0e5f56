// Draws the graph's picture on a canvas: only what is in sight, and only as
// much of it as can be read at the scale it has.
import { amount, duration } from "./parts.js";

export const NAMES = ["ground", "panel", "ink", "quiet", "line", "focus", "forward", "backward", "update", "forward-fill", "backward-fill", "update-fill"];

const FONT = "system-ui, sans-serif";

/** The two lines in a box. */
export function textOf(item, graph) {
  if (item.children) {
    const more = [`${item.count} nodes`];
    if (item.flops) more.push(amount(item.flops, "FLOP"));
    if (item.time) more.push(duration(item.time));
    return [item.label, more.join(" · ")];
  }
  const node = graph.nodes[item.node];
  const plain = item.label.split("/").pop().replace(/_\d+$/, "") === node.op;
  return [item.label, `${plain ? "" : `${node.op} `}${node.type || ""}`];
}

/** The size of a box that is not unfolded. */
export function sizeOf(item, graph) {
  const [name, more] = textOf(item, graph);
  const letters = Math.max(name.length * 7.4, more.length * 6);
  return { w: Math.min(Math.max(letters + 30, 80), 240), h: item.children ? 42 : 38 };
}

// The outline of a role: forward round, backward with its corners cut, update with plain corners and a bar.
function outline(pen, role, x, y, w, h) {
  pen.beginPath();
  if (role === "backward") {
    const c = Math.min(9, h / 2, w / 2);
    pen.moveTo(x + c, y);
    pen.lineTo(x + w - c, y);
    pen.lineTo(x + w, y + c);
    pen.lineTo(x + w, y + h - c);
    pen.lineTo(x + w - c, y + h);
    pen.lineTo(x + c, y + h);
    pen.lineTo(x, y + h - c);
    pen.lineTo(x, y + c);
    pen.closePath();
  } else if (role === "update") {
    pen.rect(x, y, w, h);
  } else {
    pen.roundRect(x, y, w, h, Math.min(9, h / 2));
  }
}

function cut(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

function curve(pen, points, plain, first = 0, last = points.length) {
  pen.moveTo(points[first], points[first + 1]);
  for (let i = first + 2; i < last; i += 2) {
    const x = points[i];
    const y = points[i + 1];
    const before = points[i - 2];
    const middle = (points[i - 1] + y) / 2;
    if (plain || before === x || y <= points[i - 1]) pen.lineTo(x, y);
    else pen.bezierCurveTo(before, middle, x, middle, x, y);
  }
}

/** The edges that a choice makes strong: those of the item, or of all within a scope. */
export function touches(line, item) {
  return Boolean(item) && (line.from === item || line.to === item);
}

/** Paints; returns how many boxes were in sight. */
export function paint(pen, width, height, { picture, graph, camera, chosen, side, hover, found, ink }) {
  const { k } = camera;
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, width, height);
  pen.save();
  pen.translate(camera.x, camera.y);
  pen.scale(k, k);
  const left = -camera.x / k;
  const top = -camera.y / k;
  const right = left + width / k;
  const bottom = top + height / k;
  const out = (x0, y0, x1, y1) => x1 < left || x0 > right || y1 < top || y0 > bottom;
  const readable = k > 0.42;

  const inside = [];
  for (const box of picture.drawn) {
    const l = box.sides.length ? Math.min(...box.sides.map((small) => small.x)) : box.x;
    if (!out(l, box.y, box.x + box.w, box.y + box.h)) inside.push(box);
  }
  // The grounds of unfolded scopes first, then the edges, then boxes.
  for (const box of inside) {
    if (!box.open) continue;
    outline(pen, box.item.role, box.x, box.y, box.w, box.h);
    pen.fillStyle = ink[`${box.item.role}-fill`];
    pen.globalAlpha = 0.45;
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = box.item === chosen ? 2.5 / Math.min(1, k) : 1;
    pen.strokeStyle = box.item === chosen ? ink.focus : found(box.item) ? ink.focus : ink[box.item.role];
    pen.stroke();
    if (!readable) continue;
    pen.fillStyle = ink.ink;
    pen.font = `600 12px ${FONT}`;
    pen.textAlign = "left";
    const title = cut(pen, `▾ ${box.item.label}`, box.w * 0.7);
    const room = box.w - 34 - pen.measureText(title).width;
    pen.fillText(title, box.x + 10, box.y + 17);
    pen.fillStyle = ink.quiet;
    pen.font = `11px ${FONT}`;
    pen.textAlign = "right";
    if (room > 40) pen.fillText(cut(pen, textOf(box.item, graph)[1], room), box.x + box.w - 10, box.y + 17);
  }
  const strong = [];
  const plain = k < 0.3;
  pen.strokeStyle = ink.quiet;
  pen.globalAlpha = chosen ? 0.3 : 0.5;
  const inner = [];
  for (const control of [false, true]) {
    pen.lineWidth = Math.max(1, 0.6 / k);
    // Dashes of a line across a far view would be millions.
    pen.setLineDash(control && !plain ? [4, 4] : []);
    pen.beginPath();
    for (const line of picture.lines) {
      if (line.control !== control) continue;
      if (touches(line, chosen) || touches(line, hover)) {
        strong.push(line);
        continue;
      }
      const box = (line.box ||= bounds(line.points));
      if (out(...box)) continue;
      curve(pen, line.points, plain, line.first, line.last);
      if (line.first || line.last < line.points.length) inner.push(line);
    }
    pen.stroke();
  }
  // Ways through unfolded scopes are faint: they run across what is in there.
  pen.globalAlpha = 0.14;
  pen.setLineDash([]);
  pen.beginPath();
  for (const { points, first, last } of inner) {
    if (first) curve(pen, points, plain, 0, first + 2);
    if (last < points.length) curve(pen, points, plain, last - 2);
  }
  pen.stroke();
  pen.globalAlpha = 1;
  for (const line of strong) {
    const box = (line.box ||= bounds(line.points));
    if (out(...box)) continue;
    pen.setLineDash(line.control && !plain ? [5, 4] : []);
    pen.strokeStyle = ink.focus;
    pen.lineWidth = 2 / Math.min(1, Math.max(k, 0.2));
    pen.beginPath();
    curve(pen, line.points, plain);
    pen.stroke();
    tip(pen, line.points, ink.focus);
  }
  pen.setLineDash([]);
  pen.textBaseline = "alphabetic";
  for (const box of inside) {
    if (box.open) continue;
    const { item } = box;
    const role = ink[item.role];
    if (box.h * k < 5) {
      pen.fillStyle = item === chosen ? ink.focus : role;
      pen.fillRect(box.x, box.y, box.w, box.h);
      continue;
    }
    if (item.children && readable) {
      outline(pen, item.role, box.x + 4, box.y + 4, box.w, box.h);
      pen.fillStyle = ink.panel;
      pen.fill();
      pen.strokeStyle = role;
      pen.lineWidth = 1;
      pen.stroke();
    }
    outline(pen, item.role, box.x, box.y, box.w, box.h);
    pen.fillStyle = ink[`${item.role}-fill`];
    pen.fill();
    pen.strokeStyle = item === chosen || found(item) ? ink.focus : role;
    pen.lineWidth = item === chosen ? 3 : found(item) ? 2.5 : item === hover ? 2 : 1.2;
    pen.stroke();
    if (item.role === "update") {
      pen.fillStyle = role;
      pen.fillRect(box.x, box.y, 4, box.h);
    }
    if (!readable) continue;
    const [name, more] = textOf(item, graph);
    pen.textAlign = "center";
    pen.fillStyle = ink.ink;
    pen.font = `600 12px ${FONT}`;
    pen.fillText(cut(pen, item.children ? `▸ ${name}` : name, box.w - 14), box.x + box.w / 2, box.y + box.h / 2 - 3);
    pen.fillStyle = ink.quiet;
    pen.font = `11px ${FONT}`;
    pen.fillText(cut(pen, more, box.w - 12), box.x + box.w / 2, box.y + box.h / 2 + 12);
    for (const small of box.sides) drawSide(pen, small, box, graph, ink, small.node === side);
  }
  pen.restore();
  return inside.length;
}

function drawSide(pen, small, box, graph, ink, chosen) {
  const node = graph.nodes[small.node];
  const middle = small.y + small.h / 2;
  pen.strokeStyle = chosen ? ink.focus : ink.quiet;
  pen.lineWidth = chosen ? 2 : 1;
  pen.beginPath();
  pen.moveTo(small.x + small.w, middle);
  pen.lineTo(box.x, middle);
  pen.stroke();
  pen.beginPath();
  // A variable is a filled disc, a constant an open ring.
  pen.arc(small.x + small.w - 5, middle, 3.6, 0, 7);
  pen.fillStyle = node.op === "variable" ? ink[node.role] : ink.panel;
  pen.fill();
  pen.strokeStyle = chosen ? ink.focus : ink[node.role];
  pen.stroke();
  pen.font = `10.5px ${FONT}`;
  pen.textAlign = "right";
  pen.fillStyle = chosen ? ink.focus : ink.quiet;
  const label = small.more ? `${small.label} and ${small.more} more` : small.label;
  pen.fillText(cut(pen, label, small.w - 12), small.x + small.w - 12, middle + 3.5);
}

function tip(pen, points, colour) {
  const x = points[points.length - 2];
  const y = points[points.length - 1];
  pen.setLineDash([]);
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(x - 4, y - 7);
  pen.lineTo(x + 4, y - 7);
  pen.closePath();
  pen.fill();
}

function bounds(points) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    box[0] = Math.min(box[0], points[i]);
    box[1] = Math.min(box[1], points[i + 1]);
    box[2] = Math.max(box[2], points[i]);
    box[3] = Math.max(box[3], points[i + 1]);
  }
  return box;
}

// The outline of the graph: a tree (or what a search found) of rows of one
// height, of which only those in sight are in the page.
//
// Read by tests: `[data-row="KEY"]` a row (a scope's path, or `#INDEX` of a node), `[data-name]` its name.
import { element } from "./parts.js";

const HEIGHT = 26;
let outlines = 0;

/** Fills `host`. `act` has `choose(item, open)`, `toggle(item, open | undefined)` and `describe(item)`. */
export function Outline(host, act) {
  const id = `outline${(outlines += 1)}`;
  const space = element("div", { class: "outline-space", role: "presentation" });
  const box = element("div", { class: "part-outline", role: "tree", tabindex: "0", "aria-label": "Scopes and nodes of the graph" }, space);
  host.append(box);
  let rows = [];
  let chosen = -1;
  let isOpen = () => false;

  function draw() {
    space.style.height = `${rows.length * HEIGHT}px`;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 4);
    const last = Math.min(rows.length, first + Math.ceil((box.clientHeight || 400) / HEIGHT) + 9);
    const made = [];
    for (let i = first; i < last; i += 1) made.push(row(rows[i], i));
    if (chosen >= 0 && (chosen < first || chosen >= last)) made.push(row(rows[chosen], chosen));
    space.replaceChildren(...made);
    if (chosen >= 0) box.setAttribute("aria-activedescendant", `${id}-${chosen}`);
    else box.removeAttribute("aria-activedescendant");
  }

  function row({ item, depth, place, of }, index) {
    const open = item.children ? isOpen(item) : null;
    const { name, side, full } = act.describe(item);
    const mark = element("span", { class: "outline-mark", "aria-hidden": "true" }, open === null ? "" : open ? "▾" : "▸");
    const made = element(
      "div",
      {
        class: `outline-row role-${item.role}${index === chosen ? " chosen" : ""}`, role: "treeitem", id: `${id}-${index}`,
        "aria-level": depth + 1, "aria-posinset": place, "aria-setsize": of, "aria-selected": index === chosen ? "true" : "false",
        "aria-expanded": open === null ? null : String(open), "data-row": item.key, "data-name": full, title: full,
      },
      mark,
      element("span", { class: "role-mark", "aria-hidden": "true" }),
      element("span", { class: "outline-name" }, name),
      element("span", { class: "outline-side" }, side),
    );
    made.style.top = `${index * HEIGHT}px`;
    made.style.paddingLeft = `${4 + Math.min(depth, 8) * 12}px`;
    return made;
  }

  function show(index) {
    chosen = index;
    const top = index * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + HEIGHT - box.clientHeight;
    draw();
  }

  box.addEventListener("scroll", draw);
  box.addEventListener("click", (event) => {
    const hit = event.target.closest("[data-row]");
    if (!hit) return;
    const found = rows.findIndex((entry) => entry.item.key === hit.dataset.row);
    if (found < 0) return;
    if (event.target.closest(".outline-mark") && rows[found].item.children) act.toggle(rows[found].item);
    else act.choose(rows[found].item);
  });
  box.addEventListener("dblclick", (event) => {
    const hit = event.target.closest("[data-row]");
    const entry = hit && rows.find((known) => known.item.key === hit.dataset.row);
    if (entry && entry.item.children) act.toggle(entry.item);
  });
  box.addEventListener("keydown", (event) => {
    const entry = rows[chosen];
    const to = (index) => {
      const bounded = Math.max(0, Math.min(rows.length - 1, index));
      if (rows[bounded]) act.choose(rows[bounded].item);
    };
    const page = Math.max(1, Math.floor(box.clientHeight / HEIGHT) - 1);
    const moves = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, Home: 0, End: rows.length - 1, PageDown: chosen + page, PageUp: chosen - page };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) to(moves[event.key]);
    else if (event.key === "ArrowRight" && entry && entry.item.children) {
      if (isOpen(entry.item)) to(chosen + 1);
      else act.toggle(entry.item, true);
    } else if (event.key === "ArrowLeft" && entry) {
      if (entry.item.children && isOpen(entry.item)) act.toggle(entry.item, false);
      else if (entry.item.parent && entry.item.parent.depth >= 0) act.choose(entry.item.parent);
    } else if (event.key === " " && entry && entry.item.children) act.toggle(entry.item);
    else if (event.key === "Enter" && entry) act.choose(entry.item, true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    box,
    /** Shows these rows (`{ item, depth, place, of }`), with the chosen item in sight. */
    fill(next, open, item) {
      rows = next;
      isOpen = open;
      const found = item ? rows.findIndex((entry) => entry.item === item) : -1;
      if (found >= 0) show(found);
      else {
        chosen = -1;
        draw();
      }
    },
    draw,
  };
}

/** The rows of a tree: children of unfolded scopes; only items whose role is shown. */
export function rowsOf(root, isOpen, roles) {
  const rows = [];
  const walk = (item, depth) => {
    const shown = item.children.filter((child) => roles.has(child.role));
    shown.forEach((child, index) => {
      rows.push({ item: child, depth, place: index + 1, of: shown.length });
      if (child.children && isOpen(child)) walk(child, depth + 1);
    });
  };
  walk(root, 0);
  return rows;
}

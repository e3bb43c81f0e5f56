// The panel that tells all about a node or a scope of the graph.
//
// Read by tests: `[data-fact="type"]`, `op`, `flops`, `bytes`, `time`, `source` and an attribute's name; `[data-link="NAME"]` operands and users.
import { amount, button, duration, element, percent, whole } from "./parts.js";

const MOST = 40;

/** Fills `host` with what is known of `item`; `go(index)` follows a link, `toggle(item)` folds. */
export function nodePanel(host, { graph, item, users, backwards, whole: total, traced, isOpen, go, toggle, reveal }) {
  const parts = item.children ? aboutScope() : aboutNode(graph.nodes[item.node]);
  host.replaceChildren(...parts.filter(Boolean));

  function head(name, role, kind) {
    return element(
      "header",
      { class: `panel-head role-${role}` },
      element("span", { class: "role-mark", "aria-hidden": "true" }),
      element("h3", { tabindex: "-1" }, name),
      element("p", { class: "quiet" }, kind),
    );
  }

  function measured() {
    if (!traced) return "no traced step in this run";
    if (!item.time) return "not met in the traced step";
    return `${duration(item.time)} in step ${whole(traced.step)} (${percent(total ? item.time / total : NaN)} of the threads' time)`;
  }

  function aboutNode(node) {
    const facts = [["op", "Operator", node.op], ["type", "Type", node.type]];
    for (const [key, value] of Object.entries(node.attributes || {})) facts.push([key, key, String(value)]);
    facts.push(["flops", "Cost", node.flops === null || node.flops === undefined ? "not known" : amount(node.flops, "FLOP")]);
    facts.push(["bytes", "Bytes moved", node.bytes === null || node.bytes === undefined ? "not known" : amount(node.bytes, "B")]);
    facts.push(["time", "Measured", measured()]);
    if (item.time && node.flops && !item.fused) facts.push(["rate", "Rate", amount((node.flops / item.time) * 1e6, "FLOP/s")]);
    if (item.fused) facts.push(["fused", "Fused", "the time is that of spans which hold other nodes too"]);
    facts.push(["source", "Source", node.source || "not known"]);
    const of = Number.isInteger(node.of) && graph.nodes[node.of] ? [node.of] : [];
    return [
      head(node.name, node.role, `${node.role} node`),
      list(facts),
      links("Gradient of", of),
      links("Operands", node.inputs),
      links("After", node.controls),
      links("Users", users[item.node]),
      links("Its backward nodes", backwards.get(item.node) || []),
    ];
  }

  function aboutScope() {
    const ops = new Map();
    const stack = [item];
    while (stack.length) {
      const at = stack.pop();
      if (at.children) stack.push(...at.children);
      else ops.set(graph.nodes[at.node].op, (ops.get(graph.nodes[at.node].op) || 0) + 1);
    }
    const sorted = [...ops].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    const shown = sorted.slice(0, 12).map(([op, count]) => `${op} ${count}`).join(", ");
    return [
      head(item.key, item.role, `${item.role} scope`),
      list([
        ["nodes", "Nodes", whole(item.count)],
        ["flops", "Cost", amount(item.flops, "FLOP")],
        ["time", "Measured", measured()],
        ["ops", "Operators", sorted.length > 12 ? `${shown}, and ${sorted.length - 12} more kinds` : shown],
      ]),
      button(isOpen(item) ? "Fold" : "Unfold", { "data-do": "toggle" }, () => toggle(item)),
      item.children.length <= 400
        ? element("section", {}, element("h4", {}, "Holds"), element("ul", { class: "panel-links" }, ...item.children.slice(0, MOST).map((child) =>
            element("li", {}, button(child.label, { class: "part-link" }, () => reveal(child)), element("span", { class: "quiet" }, ` ${child.children ? `${child.count} nodes` : graph.nodes[child.node].op}`)))))
        : null,
    ];
  }

  function list(facts) {
    return element("dl", { class: "panel-facts" }, ...facts.flatMap(([key, name, value]) => [element("dt", {}, name), element("dd", { "data-fact": key }, value)]));
  }

  function links(title, indices) {
    if (!indices || !indices.length) return null;
    const entries = indices.slice(0, MOST).map((index) => {
      const node = graph.nodes[index];
      return element("li", { class: `role-${node.role}` }, element("span", { class: "role-mark", "aria-hidden": "true" }), button(node.name, { class: "part-link", "data-link": node.name }, () => go(index)), element("span", { class: "quiet" }, ` ${node.type || ""}`));
    });
    if (indices.length > MOST) entries.push(element("li", { class: "quiet" }, `and ${indices.length - MOST} more`));
    return element("section", {}, element("h4", {}, `${title}${indices.length > 1 ? ` (${indices.length})` : ""}`), element("ul", { class: "panel-links" }, ...entries));
  }
}

// One model: its versions, what is known of the one shown, how it does, calls, and a form to try it.
//
// Read by tests: `#model` with `data-model`, `data-version`, `data-state`, `data-signature`;
// `#versions a[data-version]` with `data-state`; `#trouble li[data-version]` (why a version failed);
// `#model [data-fact=NAME]`: since, parameters, bytes, cases, batching, path;
// `#signatures a[data-signature]`, `tr[data-tensor=NAME]`.
import { base } from "./api.js";
import { callBox } from "./callbox.js";
import { element, facts, keyed, put, write } from "./elements.js";
import { livePanel } from "./live.js";
import { newestFirst, shownVersion } from "./models.js";
import { bytes, count, shapeText, time, whole } from "./numbers.js";
import { link } from "./place.js";
import { tryout } from "./tryout.js";

const STATES = {
  loading: "This version is being loaded: it answers once it is ready.",
  failed: "This version could not be loaded.",
  retired: "This version is retired: it answers no more.",
};

/** Fills the page's part for one model. */
export function detail(host) {
  const name = element("h2", { tabindex: "-1" });
  const versions = element("nav", { id: "versions", class: "chips", "aria-label": "Versions" });
  const trouble = element("ul", { id: "trouble" });
  const about = facts(
    [
      ["since", "Since"],
      ["parameters", "Parameters"],
      ["bytes", "Size"],
      ["cases", "Golden cases"],
      ["path", "From"],
      ["batching", "Batching"],
    ],
    { class: "facts wide" },
  );
  const live = livePanel();
  const chips = element("nav", { id: "signatures", class: "chips", "aria-label": "Signatures" });
  const tensors = element("div", { class: "tensors" });
  const box = callBox();
  const form = element("div", {});
  const speed = part("speed", "Live", live.root);
  const signatures = part("signature", "Signature", chips, tensors);
  const trying = part("trying", "Try it", form);
  const calling = part("calling", "Call it", box.root);
  const head = element("header", { class: "modelhead" }, name, versions);
  const panel = part("about", null, head, trouble, about.root);
  host.replaceChildren(panel, speed, signatures, trying, calling);
  const versionChips = new Map();
  const troubles = new Map();
  let shown = {};
  let attempt = null;
  let attemptKey = null;
  let tensorsKey = null;

  function update(status, model, where, samplesOf, now) {
    const version = shownVersion(model, where.version);
    const signature = shownSignature(version, where.signature);
    shown = { model, version };
    put(host, "data-model", model.name);
    put(host, "data-version", version && version.version);
    put(host, "data-state", version && version.state);
    put(host, "data-signature", signature && signature.name);
    write(name, model.name);
    showVersions(model, version);
    const answers = version !== null && version.state === "ready";
    showAbout(version);
    speed.hidden = !version || !version.statistics || (!answers && !version.statistics.requests);
    if (!speed.hidden) live.update(version.statistics, samplesOf(model.name, version.version), now);
    for (const one of [signatures, trying, calling]) one.hidden = !signature;
    if (!signature) return;
    showSignatures(model, version, signature, where);
    box.update({
      at: base(),
      grpc: status.server.grpc,
      token: status.server.token,
      model: model.name,
      version: version.version === model.default_version ? null : version.version,
      signature,
      isDefault: signature.name === version.default_signature,
      path: version.path,
    });
    // The form stays while the signature does, so that a new version takes no drawing away.
    const isDefault = signature.name === version.default_signature;
    const key = JSON.stringify([model.name, signature.name, isDefault, signature.inputs]);
    if (key !== attemptKey) {
      if (attempt) attempt.destroy();
      attempt = tryout({ model: model.name, signature, isDefault, target });
      attemptKey = key;
      form.replaceChildren(attempt.root);
    }
    attempt.update();
  }

  // Which version the form asks.
  function target() {
    const { version } = shown;
    if (!version) return { reason: "There is no version to ask." };
    if (version.state !== "ready")
      return { reason: STATES[version.state] || `This version is ${version.state}.` };
    return { version: version.version };
  }

  function showVersions(model, version) {
    const sorted = [...model.versions].sort(newestFirst);
    keyed(versions, versionChips, sorted, (one) => one.version, versionChip);
    for (const one of sorted) {
      const { root } = versionChips.get(one.version);
      put(root, "aria-current", one === version ? "true" : null);
      // The one that answers by itself is no choice: the page then goes with the newest.
      const followed = one.version === model.default_version;
      put(root, "href", link({ model: model.name, version: followed ? null : one.version }));
      put(root, "title", followed ? "answers where no version is named" : null);
    }
    const failed = sorted.filter(({ error }) => error);
    trouble.hidden = !failed.length;
    keyed(trouble, troubles, failed, (one) => one.version, troubleItem);
    for (const one of failed) troubles.get(one.version).tell(model.default_version);
  }

  function showAbout(version) {
    about.root.hidden = !version;
    if (!version) return;
    about.set("since", time(version.since));
    const known = version.state !== "loading" && version.state !== "failed";
    for (const key of ["parameters", "bytes", "cases", "batching"]) about.show(key, known);
    about.set("parameters", whole(version.parameters));
    about.set("bytes", bytes(version.bytes));
    about.set("cases", version.cases ? `${whole(version.cases)} passed` : "none");
    const why = version.batches
      ? "Requests that wait run together."
      : `Each request runs alone: ${version.mixes || "its rows are not apart."}`;
    about.set("batching", why);
    about.set("path", version.path);
  }

  function showSignatures(model, version, signature, where) {
    const key = JSON.stringify([
      model.name,
      where.version,
      version.default_signature,
      version.signatures,
      signature.name,
    ]);
    if (key === tensorsKey) return;
    tensorsKey = key;
    const refocus = chips.contains(document.activeElement);
    chips.replaceChildren(
      ...version.signatures.map((one) =>
        element(
          "a",
          {
            class: "chip",
            "data-signature": one.name,
            "aria-current": one === signature ? "true" : null,
            href: link({
              model: model.name,
              version: where.version,
              signature: one.name === version.default_signature ? null : one.name,
            }),
          },
          one.name,
          one.name === version.default_signature ? element("span", { class: "quiet" }, " default") : null,
        ),
      ),
    );
    if (refocus) chips.querySelector('[aria-current="true"]').focus();
    tensors.replaceChildren(
      tensorTable("Inputs", signature.inputs),
      tensorTable("Outputs", signature.outputs),
    );
  }

  return {
    update,
    focus: () => name.focus({ preventScroll: true }),
    /** What a screen reader is told of the model that is shown. */
    words() {
      const { model, version } = shown;
      if (!version) return "";
      const failed = model.versions.filter(({ state }) => state === "failed");
      const said = [`Model ${model.name}, version ${version.version}, ${version.state}.`];
      return [...said, ...failed.map((one) => `Version ${one.version} failed: ${one.error}`)].join(" ");
    },
  };
}

function part(id, title, ...children) {
  return element(
    "section",
    { class: "part", id, "aria-label": title || "Model" },
    title ? element("h3", {}, title) : null,
    ...children,
  );
}

function shownSignature(version, asked) {
  if (!version || !version.signatures || !version.signatures.length) return null;
  const of = (name) => version.signatures.find((one) => one.name === name);
  return of(asked) || of(version.default_signature) || version.signatures[0];
}

function versionChip() {
  const number = element("span", { class: "number" });
  const state = element("span", { class: "state" });
  const root = element("a", { class: "chip", href: "#" }, number, " ", state);
  return {
    root,
    update(version) {
      put(root, "data-version", version.version);
      put(root, "data-state", version.state);
      write(number, `version ${version.version}`);
      write(state, version.state);
    },
  };
}

function troubleItem() {
  const head = element("b", {});
  const text = element("p", {});
  const root = element("li", { class: "failure" }, head, text);
  let given = null;
  return {
    root,
    update(version) {
      given = version;
      put(root, "data-version", version.version);
      write(text, version.error);
    },
    tell(answering) {
      const rest = answering === null ? "No version answers." : `Version ${answering} goes on answering.`;
      const done = given.state === "failed" ? "could not be loaded" : `is ${given.state}`;
      write(head, `Version ${given.version} ${done}. ${answering === given.version ? "" : rest}`.trim());
    },
  };
}

function tensorTable(title, tensors) {
  const rows = tensors.map(({ name, datatype, shape }) =>
    element(
      "tr",
      { "data-tensor": name },
      element("th", { scope: "row" }, name),
      element("td", {}, datatype),
      element("td", {}, shapeText(shape)),
    ),
  );
  return element(
    "table",
    {},
    element("caption", {}, count(tensors.length, title.slice(0, -1).toLowerCase())),
    element(
      "thead",
      { class: "unseen" },
      element(
        "tr",
        {},
        ["name", "datatype", "shape"].map((word) => element("th", { scope: "col" }, word)),
      ),
    ),
    element("tbody", {}, rows),
  );
}

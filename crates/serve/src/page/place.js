// Which model, version and signature the page shows: they stand in the address after `#`.

/** The place in the address. What is not there is `null`. */
export function place() {
  const words = new URLSearchParams(location.hash.slice(1));
  return { model: words.get("model"), version: words.get("version"), signature: words.get("signature") };
}

/** The address of a place. */
export function link({ model, version, signature }) {
  const words = new URLSearchParams();
  if (model !== null && model !== undefined) words.set("model", model);
  if (version) words.set("version", version);
  if (signature) words.set("signature", signature);
  return `#${words}`;
}

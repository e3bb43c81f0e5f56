// Access to the server. The token that a person types stays in this page's memory.
import { read } from "./json.js";

// After so many milliseconds without an answer the server counts as away.
const LATE = 4000;

let token = "";
let refused = () => {};

/** Keeps the token that goes with every request from now on. */
export function keepToken(text) {
  token = text;
}

/** Calls when a model was not run for want of the right token. */
export function onRefused(call) {
  refused = call;
}

/** The server's address as the page was reached, with a slash at its end. */
export function base() {
  return new URL(".", document.baseURI).href;
}

/** An answer that is no success: `status` (0 where none came), `message`, `retry` in seconds. */
export class Failure extends Error {
  constructor(status, title, message, retry) {
    super(message);
    this.status = status;
    this.title = title;
    this.retry = retry;
  }
}

async function ask(path, options) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  let text;
  try {
    response = await fetch(new URL(path, base()), { cache: "no-store", ...options, headers });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const late = error.name === "TimeoutError";
    throw new Failure(
      0,
      "No answer",
      late ? "The server took too long." : "The server could not be reached.",
    );
  }
  let body;
  try {
    body = read(text);
  } catch {
    body = undefined;
  }
  if (!response.ok) {
    const said = body && typeof body.error === "string" ? body.error : text.trim();
    const title = `${response.status} ${response.statusText}`.trim();
    throw new Failure(
      response.status,
      title,
      said || "The server gave no reason.",
      response.headers.get("Retry-After"),
    );
  }
  if (body === undefined) throw new Failure(response.status, "Unreadable answer", text.slice(0, 2000));
  return body;
}

/** What the server says of itself and its models. */
export function status() {
  return ask("api/status", { signal: AbortSignal.timeout(LATE) });
}

/** The path of a version's inference, without a leading slash. */
export function inferPath(model, version) {
  const versions = version === null ? "" : `/versions/${encoded(version)}`;
  return `v2/models/${encoded(model)}${versions}/infer`;
}

// Also the quote is encoded: the path stands between quotes in calls for a shell.
function encoded(name) {
  return encodeURIComponent(name).replaceAll("'", "%27");
}

/** Runs a model. `body` is the request's JSON. */
export async function infer(model, version, body, signal) {
  const headers = { "Content-Type": "application/json" };
  try {
    return await ask(inferPath(model, version), { method: "POST", headers, body, signal });
  } catch (error) {
    if (error.status === 401) refused();
    throw error;
  }
}

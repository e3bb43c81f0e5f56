// Access to the server, or to the recording that stands in the page itself.
// Every module reads through here, so a page that was saved as one file works without a server.

const element = document.getElementById("recording");
const recording = element ? JSON.parse(element.textContent) : null;
const byPath = new Map();
if (recording) {
  for (const key of Object.keys(recording)) {
    const path = key.split("?")[0];
    if (!byPath.has(path)) byPath.set(path, key);
  }
}

// Whether the page shows a recording it carries itself.
export const recorded = recording !== null;

function lookup(path) {
  if (path in recording) return recording[path];
  const key = byPath.get(path.split("?")[0]);
  return key === undefined ? undefined : recording[key];
}

function answer(response) {
  return response.json().catch(() => ({})).then((body) => {
    if (response.ok) return body;
    const error = new Error(body.error || `${response.status} ${response.statusText}`);
    error.status = response.status;
    throw error;
  });
}

// The JSON answer of a GET.
export function get(path) {
  if (!recorded) return fetch(path, { cache: "no-store" }).then(answer);
  const found = lookup(path);
  if (found !== undefined) return Promise.resolve(found);
  const error = new Error(`not in this recording: ${path}`);
  error.status = 404;
  return Promise.reject(error);
}

// The address of a picture, for an `img`.
export function url(path) {
  if (!recorded) return path;
  return lookup(path) || "data:,";
}

// The token that the server asks of everything that changes something.
function token() {
  const meta = document.querySelector('meta[name="token"]');
  return meta ? meta.content : "";
}

// The JSON answer of a POST.
export function post(path, body) {
  if (recorded) return Promise.reject(new Error("this is a recording without a server"));
  const headers = { "Content-Type": "application/json", "X-Abeyance-Token": token() };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).then(answer);
}

// The token changes with the server's start: takes the new one from a fresh page.
export function renewToken() {
  if (recorded) return Promise.resolve();
  return fetch("/", { cache: "no-store" }).then((r) => r.text()).then((text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector('meta[name="token"]');
    const meta = document.querySelector('meta[name="token"]');
    if (fresh && meta) meta.content = fresh.content;
  }).catch(() => {});
}

// A run's address: `runPath("a/b", "test", 100)` is `/api/runs/a%2Fb/test/100`.
export function runPath(run, ...parts) {
  return ["/api/runs", encodeURIComponent(run), ...parts.map((p) => encodeURIComponent(p))].join("/");
}

// Little-endian 16-bit numbers out of base64.
export function u16(text) {
  const raw = atob(text);
  const values = new Uint16Array(raw.length >> 1);
  for (let i = 0; i < values.length; i++) values[i] = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
  return values;
}

// Follows the server's events: `on.update(data)`, `on.reload()`, `on.state("live" | "reconnecting")`.
export function follow(on) {
  if (recorded) {
    on.state("recording");
    return;
  }
  let source = null;
  let timer = 0;
  let again = false;
  const open = () => {
    source = new EventSource("/api/events");
    source.onopen = () => {
      on.state("live");
      // A stream that was begun anew by us does not say what was missed.
      if (again) on.reload();
      again = false;
    };
    source.addEventListener("update", (event) => {
      try {
        on.update(JSON.parse(event.data));
      } catch (error) {
        console.warn("an event that could not be read", error);
      }
    });
    source.addEventListener("reload", () => on.reload());
    source.onerror = () => {
      on.state("reconnecting");
      // The browser tries again by itself unless the answer was an error: then it gives up, and we do not.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        again = true;
        timer = setTimeout(open, 1500);
      }
    };
  };
  open();
}

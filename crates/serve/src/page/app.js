// The page of a model server: asks once a second how it does, and shows it.
import { Failure, keepToken, onRefused, status as askStatus } from "./api.js";
import { detail } from "./detail.js";
import { put, write } from "./elements.js";
import { History } from "./history.js";
import { modelList } from "./models.js";
import { overview } from "./overview.js";
import { place } from "./place.js";

// Milliseconds between two questions, and the most between two that got no answer.
const EACH = 1000;
const MOST = 5000;

const at = (id) => document.getElementById(id);
const connection = at("connection");
const away = at("away");
const tokenBox = at("tokenbox");
const history = new History();
const server = overview(at("server"));
const list = modelList({ list: at("modellist"), filter: at("filter"), none: at("nonefound") });
const model = detail(at("model"));
let last = null;
let answered = null;
let answeredAt = null;
let misses = 0;
let timer = 0;
let refused = false;
let wanted = false;
let spoken = "";

const seconds = () => performance.now() / 1000;

async function poll() {
  clearTimeout(timer);
  let wait = EACH;
  try {
    last = await askStatus();
    answered = seconds();
    answeredAt = new Date();
    misses = 0;
    refused = false;
    history.take(last, answered);
    render();
    here();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401) {
      askToken(error);
      return;
    }
    misses += 1;
    wait = Math.min(MOST, EACH * misses);
    gone(error);
  } finally {
    // A page that nobody sees asks no more; it goes on when it is seen again.
    if (!refused && !document.hidden) timer = setTimeout(poll, wait);
  }
}

function here() {
  if (!wanted) tokenBox.hidden = true;
  at("main").hidden = false;
  away.hidden = true;
  put(connection, "data-state", "live");
  write(connection, "live");
  document.body.classList.remove("stale");
}

function gone({ title, status, message }) {
  // One late answer is not yet a server that went away.
  if (last && misses < 2) return;
  put(connection, "data-state", "away");
  write(connection, "no answer");
  away.hidden = false;
  // The time, not the age: a screen reader reads the line anew whenever it changes.
  const since = answeredAt === null ? "" : ` What stands here is of ${answeredAt.toLocaleTimeString()}.`;
  write(away, `${status ? `${title}: ` : ""}${message}${since} Trying again.`);
  document.body.classList.add("stale");
}

function askToken({ message }) {
  const field = at("token");
  const again = refused || field.value !== "";
  refused = true;
  tokenBox.hidden = false;
  at("main").hidden = true;
  away.hidden = true;
  put(connection, "data-state", "token");
  write(connection, "token needed");
  write(
    at("tokenwhy"),
    again
      ? `The server did not take this token: ${message}`
      : "The server asks for its token. It is kept in this page only, until it is closed or loaded anew.",
  );
  at("tokenwhy").classList.toggle("wrong", again);
  field.value = "";
  field.focus();
}

function shownModel(models, { model: asked }) {
  return models.find(({ name }) => name === asked) || (asked === null && models[0]) || null;
}

function render() {
  if (!last) return;
  const where = place();
  const found = shownModel(last.models, where);
  server.update(last);
  server.draw(history, answered);
  list.update(last.models, found && found.name);
  write(at("title"), `models, ${last.server.version}`);
  at("model").hidden = !found;
  at("empty").hidden = Boolean(found);
  const none = last.models.length
    ? `There is no model ${JSON.stringify(where.model)} here.`
    : "No model is served yet. One that is put into the server’s folder appears here by itself.";
  if (!found) write(at("empty"), none);
  else model.update(last, found, where, (name, version) => history.of(name, version), answered);
  document.documentElement.dataset.ready = String(last.models.length);
  const said = `${server.words(last)} ${found ? model.words() : ""}`;
  if (said !== spoken) write(at("spoken"), said);
  spoken = said;
}

tokenBox.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("token").value.trim();
  if (!text) return;
  // A header takes these letters only; others would fail before they are sent.
  if (/[^\x21-\x7e]/.test(text)) {
    write(at("tokenwhy"), "A token has no blanks and no letters outside of ASCII.");
    at("tokenwhy").classList.add("wrong");
    return;
  }
  keepToken(text);
  wanted = false;
  poll();
});

// A server may say how it does to everybody, and ask for its token only where a model is run.
onRefused(() => {
  if (refused) return;
  wanted = true;
  tokenBox.hidden = false;
  write(at("tokenwhy"), "To run a model the server asks for its token. It is kept in this page only.");
  at("token").focus();
});

addEventListener("hashchange", () => {
  const before = at("model").dataset.model;
  render();
  if (at("model").dataset.model === before) return;
  // On a narrow page the model stands below the list.
  if (at("model").getBoundingClientRect().top > innerHeight * 0.6) at("model").scrollIntoView();
  model.focus();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !refused) poll();
});

// The address after `#` says which model is shown: this link leaves it alone.
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});

poll();

// What the browser knows of the runs: curves, bands, digits; kept current by the server's updates.
// Panels ask with `want...` and are told with `listen`; what nobody asks for is not fetched.

import { get, runPath, u16, recorded } from "./api.js";

const POINTS = 2000;
const BANDS = 500;
const RECENT = 400;

// The newest index whose step is at or before `step`; -1 if there is none.
export function at(steps, step) {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// Keeps of each four neighbours the least and the greatest value: half the points, the same outline.
function halve(curve) {
  const { step, wall, value } = curve;
  const keep = [0];
  const end = step.length - 1;
  for (let i = 1; i < end; i += 4) {
    let low = i;
    let high = i;
    for (let j = i; j < Math.min(i + 4, end); j++) {
      if (value[j] < value[low]) low = j;
      if (value[j] > value[high]) high = j;
    }
    keep.push(Math.min(low, high));
    if (low !== high) keep.push(Math.max(low, high));
  }
  keep.push(end);
  curve.step = keep.map((i) => step[i]);
  curve.wall = keep.map((i) => wall[i]);
  curve.value = keep.map((i) => value[i]);
}

function cut(curve, step) {
  const length = at(curve.step, step) + 1;
  curve.step.length = length;
  curve.wall.length = length;
  if (curve.value) curve.value.length = length;
  if (curve.bands) for (const band of curve.bands) band.length = length;
}

class Run {
  constructor(info) {
    this.id = info.id;
    this.curves = new Map();
    this.bands = new Map();
    this.bandsAsked = false;
    this.recent = [];
    this.batches = null;
    this.tests = null;
    this.cache = new Map();
    this.arrived = new Map();
    this.asking = new Map();
    this.wanted = new Set();
    this.take(info);
  }

  take(info) {
    for (const list of ["scalars", "bands", "images", "texts"]) info[list] = info[list] || [];
    this.info = info;
    this.speed = info.speed || null;
  }
}

export class Store {
  constructor() {
    this.runs = new Map();
    this.boot = "";
    this.controls = false;
    this.listeners = new Set();
    this.changed = new Set();
    this.frame = 0;
    this.flushing = null;
    this.listing = false;
  }

  // Calls `listener(set)` at most once a frame; the set holds "runs" and words such as "curves:ID".
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(what) {
    this.changed.add(what);
    if (this.frame) return;
    const send = () => {
      this.frame = 0;
      const changed = this.changed;
      this.changed = new Set();
      for (const listener of this.listeners) listener(changed);
    };
    // A hidden page gets no frames; the timer keeps its summary and its memory in order.
    this.frame = document.hidden ? setTimeout(send, 500) : requestAnimationFrame(send);
  }

  run(id) {
    return this.runs.get(id) || null;
  }

  // Fetches the list of runs; with `fresh` everything known of them is forgotten first.
  load(fresh) {
    return get("/api/runs").then((list) => {
      if (fresh || (this.boot && list.boot !== this.boot)) {
        this.runs.clear();
        fresh = true;
      }
      this.boot = list.boot || "";
      this.controls = Boolean(list.controls) && !recorded;
      const ids = new Set(list.runs.map((info) => info.id));
      for (const id of [...this.runs.keys()]) if (!ids.has(id)) this.runs.delete(id);
      const old = this.runs;
      this.runs = new Map();
      for (const info of list.runs) {
        const run = old.get(info.id) || new Run(info);
        run.take(info);
        this.runs.set(info.id, run);
      }
      this.tell("runs");
      if (fresh) this.tell("fresh");
    });
  }

  // Takes an event of the server. Answers false when all must be fetched again.
  update(event) {
    if (this.boot && event.boot && event.boot !== this.boot) return false;
    let list = false;
    for (const [id, news] of Object.entries(event.runs)) {
      const run = this.runs.get(id);
      if (!run || news.new) {
        list = true;
        if (!run) continue;
      }
      const info = run.info;
      if (news.reset !== undefined && news.reset !== null) this.reset(run, news.reset);
      if (news.state) info.state = news.state;
      if (news.step !== undefined) info.step = news.step;
      if (news.steps !== undefined) info.steps = news.steps;
      if (news.speed !== undefined) run.speed = news.speed;
      info.live = /^(running|paused)/.test(info.state || "");
      run.recent.push({ seq: event.seq, scalars: news.scalars, bands: news.bands });
      if (run.recent.length > RECENT) run.recent.splice(0, RECENT / 2);
      if (news.scalars && this.addScalars(run, news.scalars, event.seq)) this.tell(`curves:${id}`);
      if (news.bands && this.addBands(run, news.bands, event.seq)) this.tell(`bands:${id}`);
      for (const tag of Object.keys(news.scalars || {})) this.learn(info.scalars, tag);
      for (const tag of Object.keys(news.bands || {})) this.learn(info.bands, tag);
      if (news.batch !== undefined && news.batch !== null) {
        this.learnFlag(info, "batch");
        if (run.batches) this.addStep(run.batches, news.batch);
        this.tell(`batch:${id}`);
      }
      if (news.test !== undefined && news.test !== null) {
        this.learnFlag(info, "test");
        if (run.tests) this.addStep(run.tests.steps, news.test);
        this.tell(`test:${id}`);
      }
      if (news.graph) this.learnFlag(info, "graph");
      if (news.trace !== undefined && news.trace !== null) {
        this.learnFlag(info, "trace");
        this.tell(`trace:${id}`);
      }
      if (news.images || news.texts) list = true;
      this.tell(`info:${id}`);
    }
    if (list && !this.listing) {
      this.listing = true;
      this.load(false).catch(() => {}).then(() => { this.listing = false; });
    }
    return true;
  }

  learn(tags, tag) {
    if (tags.includes(tag)) return;
    tags.push(tag);
    this.tell("runs");
  }

  learnFlag(info, flag) {
    if (info[flag]) return;
    info[flag] = true;
    this.tell("runs");
  }

  addStep(steps, step) {
    if (!steps.length || step > steps[steps.length - 1]) steps.push(step);
  }

  // Drops what was known after `step`: training went back there.
  reset(run, step) {
    for (const curve of run.curves.values()) cut(curve, step);
    for (const band of run.bands.values()) cut(band, step);
    run.recent = [];
    if (run.batches) run.batches.length = at(run.batches, step) + 1;
    if (run.tests) run.tests.steps.length = at(run.tests.steps, step) + 1;
    run.cache.clear();
    run.arrived.clear();
    this.tell(`reset:${run.id}`);
    for (const kind of ["curves", "bands", "batch", "test"]) this.tell(`${kind}:${run.id}`);
  }

  addScalars(run, scalars, seq) {
    let any = false;
    for (const [tag, points] of Object.entries(scalars)) {
      const curve = run.curves.get(tag);
      if (!curve || seq <= curve.seq) continue;
      for (const [step, wall, value] of points) {
        const last = curve.step.length - 1;
        if (last >= 0 && step === curve.step[last]) {
          curve.value[last] = value;
        } else if (last < 0 || step > curve.step[last]) {
          curve.step.push(step);
          curve.wall.push(wall);
          curve.value.push(value);
          curve.count += 1;
        }
      }
      if (curve.step.length > 3 * POINTS) halve(curve);
      any = true;
    }
    return any;
  }

  addBands(run, bands, seq) {
    let any = false;
    for (const [tag, points] of Object.entries(bands)) {
      const known = run.bands.get(tag);
      if (!known) {
        if (run.bandsAsked === "done") {
          run.bands.set(tag, { step: [], wall: [], bands: [[], [], [], [], [], [], [], [], []], exact: true, seq: 0 });
        } else continue;
      }
      const band = run.bands.get(tag);
      if (seq <= band.seq) continue;
      for (const point of points) {
        const last = band.step.length - 1;
        if (last >= 0 && point[0] <= band.step[last]) continue;
        band.step.push(point[0]);
        band.wall.push(point[1]);
        for (let i = 0; i < 9; i++) band.bands[i].push(point[i + 2]);
      }
      if (band.step.length > 3 * BANDS) {
        const thin = (list) => list.filter((_, i) => i % 2 === 0 || i === list.length - 1);
        band.step = thin(band.step);
        band.wall = thin(band.wall);
        band.bands = band.bands.map(thin);
      }
      any = true;
    }
    return any;
  }

  // Sees that these curves are there; requests of one moment go out as one.
  wantCurves(id, tags) {
    const run = this.run(id);
    if (!run) return;
    let any = false;
    for (const tag of tags) {
      if (run.curves.has(tag) || run.wanted.has(tag) || !run.info.scalars.includes(tag)) continue;
      run.wanted.add(tag);
      any = true;
    }
    if (!any || this.flushing) return;
    this.flushing = Promise.resolve().then(() => {
      this.flushing = null;
      for (const each of this.runs.values()) this.fetchWanted(each);
    });
  }

  fetchWanted(run) {
    const tags = [...run.wanted].filter((tag) => !run.curves.has(tag) && !run.asking.has(`c:${tag}`));
    for (let i = 0; i < tags.length; i += 40) {
      const part = tags.slice(i, i + 40);
      for (const tag of part) run.asking.set(`c:${tag}`, true);
      const query = part.map((tag) => `&tag=${encodeURIComponent(tag)}`).join("");
      const points = this.runs.size > 8 ? 1000 : POINTS;
      get(`${runPath(run.id, "curves")}?points=${points}${query}`).then((found) => {
        for (const [tag, curve] of Object.entries(found.tags)) {
          if (run.curves.has(tag)) continue;
          curve.seq = found.seq;
          run.curves.set(tag, curve);
          for (const news of run.recent) {
            if (news.scalars && tag in news.scalars) this.addScalars(run, { [tag]: news.scalars[tag] }, news.seq);
          }
        }
        for (const tag of part) run.wanted.delete(tag);
      }).catch((error) => {
        // Asked again by the next update, not at once: a server that is gone is not to be hammered.
        setTimeout(() => part.forEach((tag) => run.wanted.delete(tag)), 1000);
        this.tell(`error:${error.message}`);
      }).then(() => {
        for (const tag of part) run.asking.delete(`c:${tag}`);
        this.tell(`curves:${run.id}`);
      });
    }
  }

  // A range of curves in finer steps than the overview has.
  range(id, tags, from, to) {
    const query = tags.map((tag) => `&tag=${encodeURIComponent(tag)}`).join("");
    const span = `&from=${Math.max(0, Math.floor(from))}&to=${Math.ceil(to)}`;
    return get(`${runPath(id, "curves")}?points=${POINTS}${span}${query}`);
  }

  rangeBands(id, from, to) {
    return get(`${runPath(id, "bands")}?points=${BANDS}&from=${Math.max(0, Math.floor(from))}&to=${Math.ceil(to)}`);
  }

  // Asks once under a key; the answer of `ask` is handed to `take`.
  once(run, key, ask, take) {
    if (run.asking.has(key)) return;
    run.asking.set(key, true);
    ask().then(take).catch((error) => {
      if (error.status !== 404) this.tell(`error:${error.message}`);
    }).then(() => {
      // A failed question may be put again after a while.
      setTimeout(() => run.asking.delete(key), 1000);
    });
  }

  wantBands(id) {
    const run = this.run(id);
    if (!run || run.bandsAsked) return;
    run.bandsAsked = true;
    get(`${runPath(id, "bands")}?points=${BANDS}`).then((found) => {
      run.bandsAsked = "done";
      for (const [tag, band] of Object.entries(found.tags)) {
        band.seq = found.seq;
        run.bands.set(tag, band);
        for (const news of run.recent) {
          if (news.bands && tag in news.bands) this.addBands(run, { [tag]: news.bands[tag] }, news.seq);
        }
      }
      this.tell(`bands:${id}`);
    }).catch(() => setTimeout(() => { run.bandsAsked = false; this.tell(`bands:${id}`); }, 1000));
  }

  wantBatches(id) {
    const run = this.run(id);
    if (!run || run.batches || !run.info.batch) return;
    this.once(run, "batches", () => get(runPath(id, "batches")), (found) => {
      run.batches = found.steps;
      this.tell(`batch:${id}`);
    });
  }

  wantTests(id) {
    const run = this.run(id);
    if (!run || run.tests || !run.info.test) return;
    this.once(run, "tests", () => get(runPath(id, "tests")), (found) => {
      run.tests = { ...found, labels: typeof found.labels === "string" ? u16(found.labels) : found.labels };
      this.tell(`test:${id}`);
    });
  }

  // The newest batch or test at or before a step (null: the newest), from memory if it was there before.
  // At most one question of a kind is under way for a run: during a replay the newest wish wins.
  picture(id, kind, step) {
    const run = this.run(id);
    if (!run) return null;
    const steps = kind === "batch" ? run.batches : run.tests && run.tests.steps;
    if (!steps || !steps.length) return null;
    const index = step === null ? steps.length - 1 : Math.max(0, at(steps, step));
    const key = `${kind}:${steps[index]}`;
    const known = run.cache.get(key);
    if (known) {
      run.arrived.set(kind, known);
      return known;
    }
    if (!run.asking.has(kind)) {
      run.asking.set(kind, true);
      get(runPath(id, kind, steps[index])).then((found) => {
        if (kind === "test" && typeof found.predictions === "string") found.predictions = u16(found.predictions);
        run.cache.set(key, found);
        run.arrived.set(kind, found);
        if (run.cache.size > 300) run.cache.delete(run.cache.keys().next().value);
        run.asking.delete(kind);
        this.tell(`${kind}:${id}`);
      }).catch(() => setTimeout(() => run.asking.delete(kind), 1000));
    }
    return null;
  }

  // The picture that came or was shown last: what a replay shows while the one it wishes for is still under way.
  arrived(id, kind) {
    const run = this.run(id);
    return (run && run.arrived.get(kind)) || null;
  }
}

// The last minutes, kept by the page itself: the server tells only of now.

// How far back, in seconds.
const SPAN = 300;

// A longer pause than this between two answers is a gap in the lines.
const GAP = 4;

/** Samples of the server and of every version. */
export class History {
  constructor() {
    this.server = [];
    this.versions = new Map();
    this.last = null;
    this.started = null;
  }

  /** Takes an answer that came at `now` (seconds of any clock that never goes back). */
  take(status, now) {
    const { server, models } = status;
    const again = this.started !== server.started;
    const gap = this.last !== null && (again || now - this.last > GAP);
    push(this.server, { at: now, queue: server.queue, connections: server.connections }, gap);
    const seen = new Set();
    for (const model of models) {
      for (const version of model.versions) {
        const { statistics } = version;
        const key = keyOf(model.name, version.version);
        seen.add(key);
        if (!statistics) continue;
        const kept = this.versions.get(key) || { samples: [], before: null };
        this.versions.set(key, kept);
        const latency = statistics.latency_us || {};
        const rate = gap ? null : rateOf(kept.before, statistics, now);
        push(kept.samples, { at: now, rate, p50: latency.p50, p99: latency.p99, p999: latency.p999 }, gap);
        kept.before = { requests: statistics.requests, at: now };
      }
    }
    for (const key of this.versions.keys()) if (!seen.has(key)) this.versions.delete(key);
    this.last = now;
    this.started = server.started;
  }

  /** The samples of one version, oldest first. */
  of(model, version) {
    const kept = this.versions.get(keyOf(model, version));
    return kept ? kept.samples : [];
  }
}

function keyOf(model, version) {
  return JSON.stringify([model, version]);
}

function rateOf(before, { requests }, now) {
  if (!before || requests < before.requests || now <= before.at) return null;
  return (requests - before.requests) / (now - before.at);
}

function push(samples, sample, gap) {
  if (gap && samples.length) samples.push({ at: sample.at });
  samples.push(sample);
  while (samples.length && samples[0].at < sample.at - SPAN) samples.shift();
}

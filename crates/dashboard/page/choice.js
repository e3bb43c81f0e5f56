// Which runs are shown to begin with, and which of them are one training (Keras' "train" and "validation").

import { splitOf } from "./curves.js";

// The runs that train; else, where digits are known, the newest; else all, as of a folder of logs.
export function firstRuns(store) {
  const all = [...store.runs.values()];
  const live = all.filter((run) => run.info.live);
  if (live.length) return live.slice(0, 4).map((run) => run.id);
  if (!all.some((run) => run.info.batch || run.info.test)) return all.slice(0, 24).map((run) => run.id);
  return [all.reduce((a, b) => ((b.info.updated || 0) > (a.info.updated || 0) ? b : a)).id];
}

// These runs, and the other side of those that have one.
export function withSiblings(store, ids) {
  const groups = new Set(ids.map((id) => splitOf(store, id)).filter((split) => split.role).map((split) => split.group));
  const others = [...store.runs.keys()].filter((id) => {
    const split = splitOf(store, id);
    return split.role && groups.has(split.group);
  });
  return [...new Set([...ids, ...others])];
}

// The number of each training among those shown, by which its colour goes.
export function slotsOf(store, ids) {
  const groups = new Map();
  for (const id of ids) {
    const { group } = splitOf(store, id);
    if (!groups.has(group)) groups.set(group, groups.size);
  }
  return groups;
}

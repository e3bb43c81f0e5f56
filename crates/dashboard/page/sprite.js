// The test images of a run: one picture of all of them, their labels, and what
// the network took them for at each evaluation. Kept for the last runs asked for.
import { loadImage, numbersOf, pathOf, stepAt } from "./parts.js";

const kept = new Map();

/** `{ count, width, height, columns, classes, labels, steps, image }` of a run; `image` is a promise. */
export async function testsOf(context, run) {
  const answer = await context.api.get(pathOf(run, "tests"));
  const known = kept.get(run);
  const image = known && known.count === answer.count ? known.image : loadImage(context.api.url(pathOf(run, "sprite")));
  image.catch(() => kept.delete(run));
  const tests = { ...answer, labels: numbersOf(answer.labels), image };
  kept.delete(run);
  kept.set(run, tests);
  if (kept.size > 3) kept.delete(kept.keys().next().value);
  return tests;
}

/** The predictions at or before a step: `{ step, predictions }`, or `null` before the first evaluation. */
export async function predictionsAt(context, run, tests, step) {
  const at = stepAt(tests.steps, step);
  if (at === null) return null;
  const answer = await context.api.get(pathOf(run, "test", at));
  return { step: answer.step, predictions: numbersOf(answer.predictions) };
}

/** Where image `index` stands in the sprite. */
export function tileOf(tests, index) {
  return [(index % tests.columns) * tests.width, Math.floor(index / tests.columns) * tests.height];
}

/** Is a set of flows held by others together? Looked for depth first, so that one flow that is not ends the search. */
import { areDisjoint, without, type Box } from "./flow-box.ts";

/** Boxes that one question may cut others into. Past it the answer is that they are not known to be covered. */
const ENOUGH = 20_000;

export interface Coverer<T> {
  readonly from: T;
  readonly boxes: readonly Box[];
}

/** Those who together hold all of `boxes`, as far as they were needed; null: they do not. */
export function coveredBy<T>(
  boxes: readonly Box[],
  coverers: readonly Coverer<T>[],
): readonly T[] | null {
  const flat = coverers.flatMap(({ from, boxes: own }) => own.map((box) => ({ from, box })));
  const used = new Set<T>();
  let work = 0;
  const open = boxes.map((box) => ({ box, at: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { box } = next;
    let { at } = next;
    while (at < flat.length && areDisjoint(box, flat[at]!.box)) at++;
    const found = flat[at];
    if (found === undefined) return null;
    used.add(found.from);
    const left = without(box, found.box);
    if ((work += left.length) > ENOUGH) return null;
    for (const piece of left) open.push({ box: piece, at: at + 1 });
  }
  return [...used];
}

export function overlap(a: readonly Box[], b: readonly Box[]): boolean {
  return a.some((one) => b.some((other) => !areDisjoint(one, other)));
}

/** What others leave of it; null: too much work to tell. */
export function remainder(boxes: readonly Box[], others: readonly Box[]): readonly Box[] | null {
  let left = boxes;
  for (const other of others) {
    left = left.flatMap((box) => without(box, other));
    if (left.length > ENOUGH) return null;
  }
  return left;
}

/**
 * Stages where the first match decides, in as many as a target has: those are joined that nothing passes out of to somewhere else.
 */
import type { Block, PolicySet, Stage, StageId } from "@bulkhead/model";
import { actionsOf, APPLICATION, isShut, isUsed, replaced } from "./arrange.ts";
import { askedNext } from "./exported.ts";
import { numbered } from "./order.ts";

/** Stages of a target in which the first match decides, those asked first in front; absent: as many as there are. */
export interface Slots {
  readonly before?: readonly StageId[];
  readonly after?: readonly StageId[];
}

const isTier = (stage: Stage): boolean =>
  isUsed(stage) && stage.plane === "net" && stage.mode === "firstMatch" && !isShut(stage);

/** Every way to cut a list into so many runs at most. */
const cuts = <T>(items: readonly T[], most: number): readonly (readonly (readonly T[])[])[] => {
  if (items.length === 0) return [[]];
  if (most <= 0) return [];
  return items.flatMap((_, at) =>
    cuts(items.slice(at + 1), most - 1).map((rest) => [items.slice(0, at + 1), ...rest]),
  );
};

const merged = (
  set: PolicySet,
  tiers: readonly Stage[],
  names: readonly StageId[] | undefined,
): ReadonlyMap<Stage, Stage | null> => {
  if (names === undefined || tiers.every(({ id }) => names.includes(id)))
    return new Map(tiers.map((tier) => [tier, { ...tier, blocks: numbered(tier.blocks).blocks }]));
  const ways = cuts(tiers, names.length).find((runs) =>
    runs.every((run) => {
      const last = run.at(-1);
      const after = last && set.stages[set.stages.indexOf(last) + 1]?.id;
      const next = last && askedNext(set, last.plane, after ?? null);
      return run.every(
        (tier) => !actionsOf(tier).has("pass") || askedNext(set, tier.plane, tier.onPass) === next,
      );
    }),
  );
  const found = new Map<Stage, Stage | null>();
  for (const [at, run] of (ways ?? []).entries()) {
    const [first, ...others] = run;
    // The last names are those next to `application`.
    const id = names[names.length - (ways ?? []).length + at];
    if (first === undefined || id === undefined) continue;
    const blocks: Block[] = [];
    let next = others.length === 0 ? undefined : 0;
    for (const tier of run) {
      const some = numbered(tier.blocks, next);
      blocks.push(...some.blocks);
      if (next !== undefined) next = some.next;
    }
    found.set(first, { ...first, id, blocks, onPass: run.at(-1)?.onPass ?? null });
    for (const other of others) found.set(other, null);
  }
  return found;
};

/** Where there are more stages than places, and no way to join them, all stay as they are. */
export const inSlots = (set: PolicySet, { before, after }: Slots): PolicySet => {
  const at = set.stages.findIndex(({ id }) => id === APPLICATION);
  const tiers = set.stages.filter(isTier);
  const found = new Map([
    ...merged(
      set,
      tiers.filter((tier) => set.stages.indexOf(tier) < at),
      before,
    ),
    ...merged(
      set,
      tiers.filter((tier) => set.stages.indexOf(tier) > at),
      after,
    ),
  ]);
  const taken = new Set([...found.values()].flatMap((tier) => tier?.id ?? []));
  const stages = set.stages.flatMap((stage): Stage[] => {
    const tier = found.get(stage);
    if (tier === null) return [];
    // A name that another tier has now was an empty stage's.
    return tier === undefined && taken.has(stage.id) && !isUsed(stage) ? [] : [tier ?? stage];
  });
  const renamed = new Map(
    [...found].flatMap(([one, tier]) => (tier === null ? [] : [[one.id, tier.id]])),
  );
  return replaced(
    set,
    stages.map((stage, i) => {
      const asked = askedNext(set, stage.plane, stage.onPass);
      const next = asked === undefined ? undefined : (renamed.get(asked) ?? asked);
      const isThere = stages.some(({ id }) => id === next);
      const following = stages.slice(i + 1).find((one) => one.plane === stage.plane && isUsed(one));
      return { ...stage, onPass: isThere ? (next ?? null) : (following?.id ?? null) };
    }),
  );
};

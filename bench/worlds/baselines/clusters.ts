/**
 * Sorts things into clusters by average linkage: the two whose members are most alike on average become one, until no two are
 * alike enough. Pairs that share nothing are never looked at.
 */

/** `features`: what each thing has; alike is Jaccard's share of what two have in common. Gives each thing's cluster. */
export function clusterByJaccard(
  features: readonly ReadonlySet<string>[],
  threshold: number,
): readonly number[] {
  const clusterOf = features.map((_, at) => at);
  const sizes = new Map(features.map((_, at) => [at, 1]));
  /** Sums of likenesses between the members of two clusters. */
  const near = features.map(() => new Map<number, number>());
  for (const [one, other, likeness] of likenesses(features)) {
    near[one]?.set(other, likeness);
    near[other]?.set(one, likeness);
  }
  for (;;) {
    const best = mostAlike(near, sizes);
    if (best === undefined || best.average < threshold) return clusterOf;
    const { kept, gone } = best;
    for (const [other, sum] of near[gone] ?? []) {
      near[other]?.delete(gone);
      if (other === kept) continue;
      const both = sum + (near[kept]?.get(other) ?? 0);
      near[kept]?.set(other, both);
      near[other]?.set(kept, both);
    }
    near[gone]?.clear();
    sizes.set(kept, (sizes.get(kept) ?? 0) + (sizes.get(gone) ?? 0));
    sizes.delete(gone);
    for (const [at, cluster] of clusterOf.entries()) if (cluster === gone) clusterOf[at] = kept;
  }
}

function mostAlike(
  near: readonly ReadonlyMap<number, number>[],
  sizes: ReadonlyMap<number, number>,
) {
  let best: { readonly kept: number; readonly gone: number; readonly average: number } | undefined;
  for (const [kept, others] of near.entries()) {
    const size = sizes.get(kept);
    if (size === undefined) continue;
    for (const [gone, sum] of others) {
      if (gone < kept) continue;
      const average = sum / (size * (sizes.get(gone) ?? 1));
      if (best === undefined || average > best.average) best = { kept, gone, average };
    }
  }
  return best;
}

function likenesses(
  features: readonly ReadonlySet<string>[],
): readonly (readonly [number, number, number])[] {
  const having = new Map<string, number[]>();
  for (const [at, own] of features.entries()) {
    for (const feature of own) {
      const list = having.get(feature);
      if (list === undefined) having.set(feature, [at]);
      else list.push(at);
    }
  }
  const shared = features.map(() => new Map<number, number>());
  for (const things of having.values()) {
    for (const [place, one] of things.entries()) {
      const row = shared[one];
      for (const other of things.slice(place + 1)) row?.set(other, (row.get(other) ?? 0) + 1);
    }
  }
  return shared.flatMap((row, one) =>
    [...row].map(([other, both]) => {
      const all = (features[one]?.size ?? 0) + (features[other]?.size ?? 0) - both;
      return [one, other, both / all] as const;
    }),
  );
}

/** Calico's tiers as stages: by order, then by name; a tier that selects somebody denies them what it does not decide. */
import type { RankedStage } from "../dialect.ts";
import type { TierObject } from "./objects.ts";

interface BuiltIn {
  readonly order: number;
  readonly action: "Deny" | "Pass";
}

/** Those that Calico makes itself (`api/pkg/apis/projectcalico/v3/tier.go`, and its CEL rules); two have an older name, too. */
export const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  "kube-admin": { order: 1_000, action: "Pass" },
  adminnetworkpolicy: { order: 1_000, action: "Pass" },
  default: { order: 1_000_000, action: "Deny" },
  "kube-baseline": { order: 10_000_000, action: "Pass" },
  baselineadminnetworkpolicy: { order: 10_000_000, action: "Pass" },
};
/** On the ruler of all dialects: before `application`, which Kubernetes' policies leave for tier `default`. */
const FIRST_RANK = 230;
const LAST_RANK = 240;

export const stageOfTier = (name: string): string => `calico/${name}`;

export function tierStages(
  tiers: readonly TierObject[],
  used: readonly string[],
): readonly RankedStage[] {
  const known = new Map<string, BuiltIn>(Object.entries(BUILT_IN));
  for (const { metadata, spec } of tiers) {
    const own = known.get(metadata.name);
    known.set(metadata.name, {
      order: spec?.order ?? own?.order ?? Infinity,
      action: spec?.defaultAction ?? own?.action ?? "Deny",
    });
  }
  const sorted = [...known]
    .filter(([name]) => used.includes(name))
    .toSorted(([a, one], [b, other]) =>
      one.order === other.order ? (a < b ? -1 : 1) : one.order - other.order,
    );
  return sorted.map(([name, { action }], at) => ({
    id: stageOfTier(name),
    rank: FIRST_RANK + ((LAST_RANK - FIRST_RANK) * at) / sorted.length,
    plane: "net",
    mode: "firstMatch",
    endIfApplied: action === "Pass" ? "pass" : "deny",
  }));
}

export const isKnownTier = (name: string, tiers: readonly TierObject[]): boolean =>
  Object.hasOwn(BUILT_IN, name) || tiers.some(({ metadata }) => metadata.name === name);

/** Calico's tiers as stages: by order, then by name; a tier that selects somebody denies them what it does not decide. */
import type { RankedStage } from "../dialect.ts";
import type { TierObject } from "./policy.ts";

/** Those that Calico makes itself (`api/pkg/apis/projectcalico/v3/tier.go`). */
const BUILT_IN: Readonly<Record<string, number>> = {
  adminnetworkpolicy: 1_000,
  default: 1_000_000,
  baselineadminnetworkpolicy: 10_000_000,
};
/** On the ruler of all dialects: before `application`, which Kubernetes' policies leave for tier `default`. */
const FIRST_RANK = 230;
const LAST_RANK = 240;

export const stageOfTier = (name: string): string => `calico/${name}`;

export function tierStages(
  tiers: readonly TierObject[],
  used: readonly string[],
): readonly RankedStage[] {
  const orders = new Map<string, number>(Object.entries(BUILT_IN));
  const actions = new Map<string, "Deny" | "Pass">();
  for (const { metadata, spec } of tiers) {
    orders.set(metadata.name, spec?.order ?? orders.get(metadata.name) ?? Infinity);
    actions.set(metadata.name, spec?.defaultAction ?? "Deny");
  }
  const names = [...orders.keys()].filter((name) => used.includes(name));
  const sorted = names.toSorted((a, b) => {
    const [one, other] = [orders.get(a)!, orders.get(b)!];
    return one === other ? (a < b ? -1 : 1) : one - other;
  });
  return sorted.map((name, at) => ({
    id: stageOfTier(name),
    rank: FIRST_RANK + ((LAST_RANK - FIRST_RANK) * at) / sorted.length,
    plane: "net",
    mode: "firstMatch",
    endIfApplied: actions.get(name) === "Pass" ? "pass" : "deny",
  }));
}

export const isKnownTier = (name: string, tiers: readonly TierObject[]): boolean =>
  Object.hasOwn(BUILT_IN, name) || tiers.some(({ metadata }) => metadata.name === name);

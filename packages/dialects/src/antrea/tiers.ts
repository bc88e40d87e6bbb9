/**
 * Antrea's tiers as stages: the first rule that matches decides, none isolates, and `Pass` leaves them all for NetworkPolicy.
 * Policies of nodes stand in a plane of their own, where there is no NetworkPolicy to pass to but the baseline.
 */
import type { BuildContext } from "../build/context.ts";
import type { RankedStage } from "../dialect.ts";
import type { AntreaTier } from "./groups.ts";
import { BASELINE_TIER } from "./policy.ts";

export const OWN_TIERS: Readonly<Record<string, number>> = {
  emergency: 50,
  securityops: 100,
  networkops: 150,
  platform: 200,
  application: 250,
  [BASELINE_TIER]: 253,
};
/** antrea-io/antrea `validate.go`: kept for what Antrea makes of other policies. */
const RESERVED = [251, 252, 254, 255];
/** `pkg/controller/networkpolicy/tier.go`, with Antrea's own among them. */
export const MOST_TIERS = 20;
const NETWORK_POLICIES = "application";

/** Priorities by name; null of a tier that cannot be. */
export type Tiers = ReadonlyMap<string, number | null>;

export const tiersOf = (objects: readonly AntreaTier[], { report }: BuildContext): Tiers => {
  const tiers = new Map<string, number | null>(Object.entries(OWN_TIERS));
  const names = new Map(Object.entries(OWN_TIERS).map(([name, priority]) => [priority, name]));
  for (const { metadata, priority, source } of objects) {
    const { name } = metadata;
    const own = Object.hasOwn(OWN_TIERS, name) ? OWN_TIERS[name] : undefined;
    if (own !== undefined) {
      if (own === priority) continue;
      const message = `tier \`${name}\` is Antrea's own, with priority ${own}`;
      report("BH0430", source, message, "take it out, or give yours another name");
      continue;
    }
    const other = names.get(priority);
    const isTooMany = names.size >= MOST_TIERS;
    tiers.set(name, null);
    if (RESERVED.includes(priority)) {
      const message = `priority ${priority} is reserved`;
      report("BH0430", source, message, "tiers of yours have one below 250");
    } else if (other !== undefined) {
      const message = `tier \`${name}\` has the priority of tier \`${other}\``;
      report("BH0430", source, message, "each tier needs one of its own");
    } else if (isTooMany) {
      const message = `tier \`${name}\` would be one of more than ${MOST_TIERS}`;
      report("BH0430", source, message, "Antrea's own are among them: take some out");
    } else {
      tiers.set(name, priority);
      names.set(priority, name);
    }
  }
  return tiers;
};

export const stageId = (tier: string, isForNodes: boolean): string =>
  `${isForNodes ? "antrea-nodes" : "antrea"}/${tier}`;

export const tierStage = (tier: string, rank: number, isForNodes: boolean): RankedStage => {
  const next = isForNodes ? stageId(BASELINE_TIER, true) : NETWORK_POLICIES;
  return {
    id: stageId(tier, isForNodes),
    rank,
    plane: isForNodes ? "host" : "net",
    mode: "firstMatch",
    endIfApplied: "pass",
    ...(tier === BASELINE_TIER ? {} : { passTo: next }),
  };
};

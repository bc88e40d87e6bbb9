/**
 * Which stages tiers can be made of: those where the first rule that matches decides and nobody is isolated. Antrea's own keep
 * their names; others become tiers of one's own, with priorities that keep the order.
 */
import type { PolicySet, Stage } from "@bulkhead/model";
import { askedNext, type ExportedObject, type Losses } from "../export/exported.ts";
import { NETWORK_POLICY_STAGE } from "../kubernetes/export.ts";
import { BASELINE_TIER, DEFAULT_TIER } from "./policy.ts";
import { MOST_TIERS, OWN_TIERS, stageId } from "./tiers.ts";

export interface TierStage {
  readonly stage: Stage;
  readonly tier: string;
}

export interface PrintedTiers {
  readonly stages: readonly TierStage[];
  /** Of tiers that are none of Antrea's own. */
  readonly objects: readonly ExportedObject[];
}

/** What comes after it is Antrea's. */
const LAST_BEFORE = OWN_TIERS[DEFAULT_TIER] ?? 0;
const PREFIX = /^antrea(?:-nodes)?\//;
const isUsed = ({ blocks }: Stage): boolean => blocks.length > 0;
const isAntreas = ({ id }: Stage): boolean => PREFIX.test(id);

const isTierLike = ({ mode, blocks, endIfApplied }: Stage): boolean =>
  mode === "firstMatch" && (endIfApplied === "pass" || !blocks.some(({ isolates }) => isolates));

const tierName = (stage: Stage, isAfter: boolean): string => {
  if (isAntreas(stage)) return stage.id.replace(PREFIX, "");
  if (isAfter) return BASELINE_TIER;
  const name = stage.id.replaceAll(/[^a-z0-9.-]+/g, "-");
  return Object.hasOwn(OWN_TIERS, name) ? `native-${name}` : name;
};

/** Between the numbers of Antrea's own tiers; null: there is no room. */
const numbersOf = (names: readonly string[]): ReadonlyMap<string, number> | null => {
  const numbers = new Map<string, number>();
  let last = -1;
  for (const name of names) {
    const own = Object.hasOwn(OWN_TIERS, name) ? OWN_TIERS[name] : undefined;
    const number = own ?? last + 1;
    if (number <= last || (own === undefined && number > LAST_BEFORE)) return null;
    numbers.set(name, number);
    last = number;
  }
  return numbers;
};

const refusePasses = (set: PolicySet, { stage }: TierStage, losses: Losses): void => {
  const target = stage.plane === "host" ? stageId(BASELINE_TIER, true) : NETWORK_POLICY_STAGE;
  const meant = askedNext(set, stage.plane, stage.onPass);
  const isSame = meant === askedNext(set, stage.plane, target);
  for (const { action, source } of stage.blocks.flatMap(({ rules }) => rules)) {
    if (action !== "pass") continue;
    if (!isSame || stage.onPass === null)
      losses.refuse(source, `\`pass\` to stage \`${stage.onPass ?? "none"}\``);
  }
};

export const printedTiers = (set: PolicySet, losses: Losses): PrintedTiers => {
  const application = set.stages.findIndex(({ id }) => id === NETWORK_POLICY_STAGE);
  const found: TierStage[] = [];
  for (const [at, stage] of set.stages.entries()) {
    const isHere = stage.plane === "net" || isAntreas(stage);
    if (!isUsed(stage) || !isHere || !isTierLike(stage)) continue;
    const isAfter = application >= 0 && at > application;
    const tier = tierName(stage, isAfter);
    // After NetworkPolicy there is one tier, and no more.
    if (found.some((one) => one.tier === tier && one.stage.plane === stage.plane)) continue;
    found.push({ stage, tier });
  }
  const names = [...new Set(found.map(({ tier }) => tier))];
  const numbers = numbersOf(names);
  const [first] = found.flatMap(({ stage }) => stage.blocks);
  if (numbers === null && first !== undefined) {
    losses.refuse(first.source, `${names.length} tiers in this order`);
  }
  for (const one of found) refusePasses(set, one, losses);
  const free = names.filter((name) => !Object.hasOwn(OWN_TIERS, name));
  const count = free.length + Object.keys(OWN_TIERS).length;
  if (count > MOST_TIERS && first !== undefined) {
    losses.refuse(first.source, `${count} tiers, of which Antrea takes ${MOST_TIERS}`);
  }
  const objects = free.map((name) => ({
    apiVersion: "crd.antrea.io/v1beta1",
    kind: "Tier",
    metadata: { name },
    spec: { priority: numbers?.get(name) ?? 0 },
  }));
  return { stages: found, objects };
};

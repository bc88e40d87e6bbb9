/**
 * Common form to Calico: stages where the first match decides become tiers that pass on whom they do not decide, and what isolates
 * becomes tier `default`, whose end denies. Denials that overrule stand in a tier before it.
 */
import type { Block, PolicySet, Rule, Stage } from "@bulkhead/model";
import { hasOwner, isUsed, withDenialsApart } from "../export/arrange.ts";
import {
  askedNext,
  createLosses,
  exported,
  freeName,
  plainBlocks,
  refuseStages,
  type Exported,
  type ExportedObject,
  type ExportOptions,
  type Losses,
} from "../export/exported.ts";
import { numbered } from "../export/order.ts";
import { withPlainLabels } from "../export/plain-labels.ts";
import { NETWORK_POLICY_STAGE } from "../kubernetes/export.ts";
import { needsCluster, subjectOf, type Subject } from "./print-ends.ts";
import { printedRules } from "./print-rules.ts";

const API = "projectcalico.org/v3";
const DEFAULT_TIER = "default";
const DEFAULT_ORDER = 1_000_000;
const STEP = 100;
const PREFIX = /^calico\//;

interface PrintedTier {
  readonly stage: Stage;
  readonly name: string;
  readonly order: number;
  /** Its end denies whom it is for. */
  readonly isShut: boolean;
}

const isShut = ({ endIfApplied, blocks }: Stage): boolean =>
  endIfApplied === "deny" && blocks.some(({ isolates }) => isolates);

const TAKING: readonly Rule["action"][] = ["allow", "log"];

/** Where denials overrule, order says nothing: what is left of it must only allow. */
const isTier = (stage: Stage): boolean =>
  stage.plane === "net" &&
  (stage.mode === "firstMatch" ||
    stage.blocks.every(({ rules }) => rules.every(({ action }) => TAKING.includes(action))));

const tiersOf = ({ stages }: PolicySet): readonly PrintedTier[] => {
  const used = stages.filter((stage) => isUsed(stage) && isTier(stage));
  const isDefault = ({ id }: Stage) => id === `calico/${DEFAULT_TIER}`;
  const own =
    used.find(isDefault) ??
    used.find((stage) => stage.id === NETWORK_POLICY_STAGE && isShut(stage));
  const at = own === undefined ? used.length : used.indexOf(own);
  return used.map((stage, place): PrintedTier => {
    const name =
      stage === own ? DEFAULT_TIER : stage.id.replace(PREFIX, "").replaceAll(/[^a-z0-9-]+/g, "-");
    const order = place < at ? (place + 1) * STEP : DEFAULT_ORDER + (place - at) * STEP;
    return { stage, name, order, isShut: isShut(stage) };
  });
};

/** There, a pass always leads to the tier after it. */
const refusePasses = (set: PolicySet, tiers: readonly PrintedTier[], losses: Losses): void => {
  for (const [at, { stage }] of tiers.entries()) {
    const meant = askedNext(set, stage.plane, stage.onPass);
    if (meant === tiers[at + 1]?.stage.id) continue;
    const passing = stage.blocks.flatMap(({ rules }) => rules).filter(isPass);
    for (const { source } of passing)
      losses.refuse(source, `\`pass\` to stage \`${stage.onPass ?? "none"}\``);
  }
};
const isPass = ({ action }: Rule): boolean => action === "pass";

/** Names of policies begin with their tier's, and `default` may go without saying. */
const nameOf = (
  { policy }: Block,
  tier: string,
  home: string | undefined,
  taken: Set<string>,
): string => {
  const said = policy.name.startsWith(`${tier}.`)
    ? policy.name.slice(tier.length + 1)
    : policy.name;
  // Other dots would be a tier's.
  const own = said.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const plain = home === undefined && policy.namespace !== "" ? `${policy.namespace}-${own}` : own;
  const wanted = tier === DEFAULT_TIER ? plain : `${tier}.${plain}`;
  return freeName([wanted], home ?? "", taken);
};

const objectOf = (
  group: readonly Block[],
  { home, ...subject }: Subject,
  tier: PrintedTier,
  taken: Set<string>,
  losses: Losses,
): ExportedObject | null => {
  const [first] = group;
  if (first === undefined) return null;
  const order = first.order[0] ?? 0;
  const sections = group.map(
    ({ direction, rules }) =>
      [
        direction,
        rules.flatMap((rule) => printedRules(rule, direction, { home, losses })),
      ] as const,
  );
  // One that isolates nobody and says nothing would deny all the same.
  if (!tier.isShut && sections.every(([, rules]) => rules.length === 0)) return null;
  const types = sections.map(([direction]) => (direction === "ingress" ? "Ingress" : "Egress"));
  return {
    apiVersion: API,
    kind: home === undefined ? "GlobalNetworkPolicy" : "NetworkPolicy",
    metadata: {
      name: nameOf(first, tier.name, home, taken),
      ...(home === undefined ? {} : { namespace: home }),
    },
    spec: {
      tier: tier.name,
      ...(order === Number.MAX_VALUE ? {} : { order }),
      ...subject,
      types: types.toSorted().toReversed(),
      ...Object.fromEntries(sections.filter(([, rules]) => rules.length > 0)),
    },
  };
};

const policiesOf = (
  tier: PrintedTier,
  taken: Set<string>,
  losses: Losses,
): readonly ExportedObject[] => {
  const { blocks } = numbered(plainBlocks(tier.stage, losses));
  for (const block of tier.isShut ? blocks : []) {
    if (!block.isolates && !hasOwner(block, blocks))
      losses.refuse(block.source, "a policy that isolates nobody in a tier that does");
  }
  const groups = Map.groupBy(blocks, ({ policy, subject, order }) =>
    JSON.stringify([policy.kind, policy.namespace, policy.name, subject, order]),
  );
  return [...groups.values()].flatMap((group): readonly ExportedObject[] => {
    const [first] = group;
    const subject = first && subjectOf(first, group.some(needsCluster), losses);
    if (subject === undefined || subject === null) return [];
    const isApart = new Set(group.map(({ direction }) => direction)).size < group.length;
    const parts = isApart ? group.map((one) => [one]) : [group];
    return parts.flatMap((part): readonly ExportedObject[] => {
      const object = objectOf(part, subject, tier, taken, losses);
      return object === null ? [] : [object];
    });
  });
};

/** The set should be built without the guard of metadata addresses. */
export const exportCalico = (given: PolicySet, options: ExportOptions = {}): Exported => {
  const losses = createLosses("Calico", options);
  const set = withDenialsApart(withPlainLabels(given));
  const tiers = tiersOf(set);
  refuseStages(
    set,
    tiers.map(({ stage }) => stage.id),
    losses,
  );
  refusePasses(set, tiers, losses);
  const taken = new Set<string>();
  const objects = tiers
    .filter(({ name }) => name !== DEFAULT_TIER)
    .map(({ name, order, isShut: isClosed }) => ({
      apiVersion: API,
      kind: "Tier",
      metadata: { name },
      spec: { order, defaultAction: isClosed ? "Deny" : "Pass" },
    }));
  const policies = tiers.flatMap((tier) => policiesOf(tier, taken, losses));
  return exported([...objects, ...policies], losses);
};

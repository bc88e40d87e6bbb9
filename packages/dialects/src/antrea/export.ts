/**
 * Common form to Antrea: tiers before NetworkPolicy and the baseline after it, with NetworkPolicies in between. Rules have one
 * number each there; where several policies have a priority in common and a rule would move, that is refused.
 */
import type { Block, PolicySet } from "@bulkhead/model";
import {
  createLosses,
  exported,
  freeName,
  plainBlocks,
  refuseStages,
  type Exported,
  type ExportedObject,
  type Losses,
} from "../export/exported.ts";
import { priorities } from "../export/order.ts";
import {
  NETWORK_POLICY_STAGE,
  networkPolicyObjects,
  type NetworkPolicyExportOptions,
} from "../kubernetes/export.ts";
import { isContentName } from "../build/rule-id.ts";
import { goesWithIgmp } from "./igmp.ts";
import { DEFAULT_TIER } from "./policy.ts";
import { subjectEntry, type Printing } from "./print-peers.ts";
import { printedRules } from "./print-rules.ts";
import { printedTiers, type TierStage } from "./print-tiers.ts";

const PRIORITIES = { first: 1, last: 10_000, hasFractions: true };

const placeOf = ({ order }: Block): number => order[1] ?? 0;

/** What people called the rule, where they did. */
const nameOf = (id: string): string => {
  const said = id.slice(id.indexOf("#") + 1);
  const name = said.slice(said.indexOf("/") + 1).replace(/[@~].*$/s, "");
  return isContentName(name) ? "" : name;
};

interface Entry {
  readonly block: Block;
  readonly place: number;
  readonly appliedTo: ExportedObject[];
  readonly words: ExportedObject;
  readonly name: string;
}

/** One a rule, with all of its subjects. */
const entriesOf = (
  blocks: readonly Block[],
  direction: Block["direction"],
  printing: Printing,
): readonly Entry[] => {
  const entries: Entry[] = [];
  const own = blocks.filter((block) => block.direction === direction);
  for (const block of own.toSorted((a, b) => placeOf(a) - placeOf(b))) {
    const subject = subjectEntry(block, printing);
    if (subject === null) continue;
    for (const { rule, words } of printedRules(block, printing)) {
      const place = placeOf(block);
      const name = nameOf(rule.id);
      const said = JSON.stringify([words, name]);
      const same = entries.find(
        (one) =>
          one.place === place &&
          one.block !== block &&
          JSON.stringify([one.words, one.name]) === said,
      );
      if (same === undefined) entries.push({ block, place, appliedTo: [subject], words, name });
      else same.appliedTo.push(subject);
    }
  }
  return entries;
};

const sections = ["ingress", "egress"] as const;

interface Draft {
  readonly first: Block;
  readonly home: string | undefined;
  readonly ingress: readonly Entry[];
  readonly egress: readonly Entry[];
}

/** Who shares a priority with others keeps the places of its rules, or it would be asked at another time. */
const refuseMoves = (drafts: readonly Draft[], losses: Losses): void => {
  for (const section of sections) {
    const groups = Map.groupBy(
      drafts.filter((draft) => draft[section].length > 0),
      ({ first }) => first.order[0] ?? 0,
    );
    for (const group of groups.values()) {
      if (group.length < 2) continue;
      for (const draft of group) {
        const moved = draft[section].find(({ place }, at) => place !== at);
        if (moved === undefined) continue;
        losses.refuse(
          moved.block.source,
          "rules of one place beside policies of the same priority",
        );
      }
    }
  }
};

const askedBy = ({ words }: Entry) => {
  const protocols = Array.isArray(words["protocols"]) ? words["protocols"] : [];
  const has = (word: string) =>
    protocols.some((one) => typeof one === "object" && one !== null && word in one);
  const more = ["from", "to", "ports"].some((field) => field in words);
  return { igmp: has("igmp"), icmp: has("icmp"), more };
};

const specOf = (
  { first, ingress, egress }: Draft,
  tier: string,
  priority: number,
  losses: Losses,
): ExportedObject => {
  const all = [...ingress, ...egress];
  const subjects = new Set(all.map(({ appliedTo }) => JSON.stringify(appliedTo)));
  const isOne = subjects.size === 1;
  const named = new Set<string>();
  const printed = ({ words, name, appliedTo }: Entry): ExportedObject => {
    const isNew = name !== "" && !named.has(name);
    if (isNew) named.add(name);
    return { ...(isNew ? { name } : {}), ...words, ...(isOne ? {} : { appliedTo }) };
  };
  /** Antrea takes no two rules that say the same; the second would decide nothing. */
  const unique = (rules: readonly ExportedObject[]): readonly ExportedObject[] => [
    ...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values(),
  ];
  const ofNodes = all.flatMap(({ appliedTo }) => appliedTo).some((one) => "nodeSelector" in one);
  if (ofNodes && !isOne) losses.refuse(first.source, "rules for nodes with subjects of their own");
  if (goesWithIgmp(all.map(askedBy)).includes(false)) {
    losses.refuse(first.source, "IGMP before rules with peers or ports, or beside ICMP");
  }
  const parts = { ingress: unique(ingress.map(printed)), egress: unique(egress.map(printed)) };
  return {
    ...(tier === DEFAULT_TIER ? {} : { tier }),
    priority,
    ...(isOne ? { appliedTo: all[0]?.appliedTo } : {}),
    ...(parts.ingress.length === 0 ? {} : { ingress: parts.ingress }),
    ...(parts.egress.length === 0 ? {} : { egress: parts.egress }),
  };
};

const draftsOf = ({ stage }: TierStage, losses: Losses): readonly Draft[] => {
  const groups = Map.groupBy(plainBlocks(stage, losses), ({ policy, order }) =>
    JSON.stringify([policy.kind, policy.namespace, policy.name, order[0]]),
  );
  return [...groups.values()].flatMap((blocks): Draft[] => {
    const [first] = blocks;
    if (first === undefined) return [];
    const { kind, namespace } = first.policy;
    const home = kind === "AntreaNetworkPolicy" ? namespace : undefined;
    const printing = { home, losses };
    const ingress = entriesOf(blocks, "ingress", printing);
    const egress = entriesOf(blocks, "egress", printing);
    return ingress.length + egress.length === 0 ? [] : [{ first, home, ingress, egress }];
  });
};

const policyObjects = (
  one: TierStage,
  taken: Set<string>,
  losses: Losses,
): readonly ExportedObject[] => {
  const drafts = draftsOf(one, losses);
  const numbered = priorities(one.stage.blocks, PRIORITIES, losses);
  refuseMoves(drafts, losses);
  return drafts.map((draft) => {
    const { first, home } = draft;
    const { kind, namespace, name } = first.policy;
    const isForeign = !kind.startsWith("Antrea") && namespace !== "";
    const wanted = isForeign ? `${namespace}-${name}` : name;
    const priority = numbered.get(first.order[0] ?? 0) ?? PRIORITIES.first;
    return {
      apiVersion: "crd.antrea.io/v1beta1",
      kind: home === undefined ? "ClusterNetworkPolicy" : "NetworkPolicy",
      metadata: {
        name: freeName([wanted], home ?? "", taken),
        ...(home === undefined ? {} : { namespace: home }),
      },
      spec: specOf(draft, one.tier, priority, losses),
    };
  });
};

/** The set should be built without the guard of metadata addresses. */
export const exportAntrea = (
  set: PolicySet,
  options: NetworkPolicyExportOptions = {},
): Exported => {
  const losses = createLosses("Antrea", options);
  const tiers = printedTiers(set, losses);
  const known = tiers.stages.map(({ stage }) => stage.id);
  refuseStages(set, [...known, NETWORK_POLICY_STAGE], losses);
  const taken = new Set<string>();
  const policies = tiers.stages.flatMap((one) => policyObjects(one, taken, losses));
  const rest = networkPolicyObjects(set, options, losses);
  return exported([...tiers.objects, ...policies, ...rest], losses);
};

/**
 * Calico's policies to blocks. Tiers are stages; within one, policies go by order and then by name, and their rules one after the
 * other: the first that matches decides. NetworkPolicies of Kubernetes stand in tier `default` at order 1000.
 */
import {
  NODES_NAMESPACE,
  type Block,
  type Direction,
  type PolicyRef,
  type Requirement,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { StagedBlock } from "../build/native-blocks.ts";
import { contentName } from "../build/rule-id.ts";
import { calicoKind, formatResourceName } from "../resource.ts";
import { Beyond, chosenEndpoints, type Setting } from "./ends.ts";
import { HOST_ENDPOINT_LABEL } from "./labels.ts";
import type { GlobalPolicy } from "./policy.ts";
import { written, type CalicoRule } from "./rule.ts";
import { ruleParts, type CalicoRuleParts } from "./rules.ts";
import { product, type Selection } from "./selection.ts";
import { stageOfTier } from "./tiers.ts";

export interface CalicoPolicy {
  readonly kind: string;
  readonly isStaged: boolean;
  /** Absent: global. */
  readonly home?: string;
  readonly object: GlobalPolicy;
}

/** Kubernetes' own policies among Calico's (`KubernetesNetworkPolicyDefaultOrder`). */
export const KUBERNETES_ORDER = 1000;
/** An order that is not given comes last. */
const LAST = Number.MAX_VALUE;

type Subject = Block["subject"];

export function policyBlocks(
  policy: CalicoPolicy,
  rank: number,
  setting: Setting,
  context: BuildContext,
): readonly StagedBlock[] {
  const { object, home, kind } = policy;
  const { metadata, spec, source } = object;
  const ref: PolicyRef = {
    kind: calicoKind(kind),
    namespace: home ?? "",
    name: metadata.name,
  };
  const report = (reason: string, place = source) => {
    context.report("BH0402", place, `${reason} cannot be represented`, "say it in another way");
  };
  if (spec.doNotTrack === true || spec.preDNAT === true) {
    report("a policy for packets before they are tracked or translated");
    return [];
  }
  const isActive = spec.stagedAction === undefined || spec.stagedAction === "Set";
  if (policy.isStaged && !isActive) {
    context.report("BH0404", source, `a staged \`${spec.stagedAction}\` changes nothing here`);
    return [];
  }
  let subjects: Selection;
  try {
    subjects = subjectsOf(policy, setting);
  } catch (error) {
    if (!(error instanceof Beyond)) throw error;
    report(error.message);
    return [];
  }
  const enforce = context.options.mode === "enforce" && !policy.isStaged ? "on" : "staged";
  return directions(object).flatMap((direction) => {
    const id = `${formatResourceName(ref)}#${direction}`;
    const taken = new Set<string>();
    const parts = (spec[direction] ?? []).flatMap((rule: CalicoRule): CalicoRuleParts[] => {
      try {
        return [ruleParts(rule, direction, setting)];
      } catch (error) {
        if (!(error instanceof Beyond)) throw error;
        report(error.message, rule.place);
        return [];
      }
    });
    return grouped(parts).flatMap(({ own, from, contents }, number): StagedBlock[] => {
      const narrowed = own === null ? subjects : product([subjects, own]);
      if (narrowed === null) {
        report("selectors with too many combinations");
        return [];
      }
      const named = contents.map((content) => {
        const { action, peers, ports, l7 } = content;
        const name = contentName({ action, peers, ports: [ports, l7] }, taken);
        taken.add(name);
        return { id: `${id}/${name}`, ...content, enforce } as const;
      });
      return subjectPeers(narrowed, policy, setting).map((subject, at) => {
        const mark = number + at === 0 ? "" : `~${number}.${at}`;
        return {
          stage: stageOfTier(spec.tier ?? "default"),
          block: {
            id: `${id}${mark}`,
            source,
            subject,
            direction,
            order: [spec.order ?? LAST, rank, from],
            isolates: own === null,
            enforce,
            rules: named.map((rule) => ({ ...rule, id: `${rule.id}${mark}` })),
            policy: ref,
          },
        };
      });
    });
  });
}

interface Group {
  readonly own: Selection | null;
  /** Position of its first rule. */
  readonly from: number;
  readonly contents: CalicoRuleParts["content"][];
}

/** Neighbours that are for the same of the policy's subjects; the first group is for all, and isolates them. */
function grouped(parts: readonly CalicoRuleParts[]): readonly Group[] {
  const groups: Group[] = [{ own: null, from: -1, contents: [] }];
  for (const [from, { own, content }] of parts.entries()) {
    const last = groups.at(-1)!;
    if (last.own === null && own === null) last.contents.push(content);
    else groups.push({ own, from, contents: [content] });
  }
  return groups;
}

function subjectsOf({ object, home }: CalicoPolicy, setting: Setting): Selection {
  const { selector, serviceAccountSelector } = object.spec;
  const namespaceSelector = written(object.spec.namespaceSelector);
  const chosen = {
    ...(selector && { selector }),
    ...(namespaceSelector && home === undefined && { namespaceSelector }),
    ...(serviceAccountSelector && {
      serviceAccounts: { selector: serviceAccountSelector, source: object.source },
    }),
  };
  return chosenEndpoints(chosen, setting) ?? [[]];
}

function subjectPeers(
  selection: Selection,
  { home }: CalicoPolicy,
  { hasHostEndpoints }: Setting,
): readonly Subject[] {
  const host: Requirement = { key: HOST_ENDPOINT_LABEL, operator: "Exists" };
  return selection.flatMap((requirements): Subject[] => [
    {
      kind: "workloads",
      namespaces: home === undefined ? { kind: "all" } : { kind: "named", name: home },
      selector: { requirements },
    },
    ...(hasHostEndpoints && home === undefined
      ? [
          {
            kind: "workloads" as const,
            namespaces: { kind: "named" as const, name: NODES_NAMESPACE },
            selector: { requirements: [host, ...requirements] },
          },
        ]
      : []),
  ]);
}

/** As Calico defaults `types` from the rules that are there. */
function directions({ spec }: GlobalPolicy): readonly Direction[] {
  if (spec.types !== undefined && spec.types.length > 0)
    return [...new Set(spec.types)].map((type) => (type === "Ingress" ? "ingress" : "egress"));
  const [hasIngress, hasEgress] = [spec.ingress, spec.egress].map(
    (list) => (list?.length ?? 0) > 0,
  );
  if (!hasEgress) return ["ingress"];
  return hasIngress ? ["ingress", "egress"] : ["egress"];
}

/** Where Calico puts a NetworkPolicy of Kubernetes; and what it does with a prefix there: it compares addresses, whoever's. */
export function adoptKubernetes({ block }: StagedBlock, rank: number): StagedBlock {
  const rules = block.rules.map((rule) => ({
    ...rule,
    peers: rule.peers.map((peer) =>
      peer.kind === "cidr" ? { ...peer, matchesWorkloads: true } : peer,
    ),
  }));
  return {
    stage: stageOfTier("default"),
    block: { ...block, rules, order: [KUBERNETES_ORDER, rank, 0] },
  };
}

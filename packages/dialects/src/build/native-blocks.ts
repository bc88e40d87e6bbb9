/** Policy, Intent and Exception to blocks, each with the name of its stage. */
import type {
  Block,
  Direction,
  Peer,
  PolicyRef,
  PortMatch,
  Rule,
  SourceSpan,
} from "@bulkhead/model";
import type { Exception, Intent, Policy, PolicySpec } from "../native/kinds.ts";
import type { NativePeer } from "../native/peer.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { BuildContext } from "./context.ts";
import { nativePeers, workloadPeer, type WorkloadPeer } from "./native-peer.ts";
import { contentName } from "./rule-id.ts";

export interface StagedBlock {
  readonly stage: string;
  readonly block: Block;
}

type NativeRule =
  | NonNullable<PolicySpec["ingress"]>["rules"][number]
  | NonNullable<PolicySpec["egress"]>["rules"][number];

const ALL: readonly PortMatch[] = [{ kind: "all" }];
const DEFAULT_PRIORITY = 1000;

const refOf = (
  kind: string,
  metadata: Policy["metadata"],
  spec: { readonly owner?: string; readonly reason?: string },
): PolicyRef => ({
  kind,
  namespace: metadata.namespace ?? DEFAULT_NAMESPACE,
  name: metadata.name,
  ...(spec.owner === undefined ? {} : { owner: spec.owner }),
  ...(spec.reason === undefined ? {} : { reason: spec.reason }),
});

export const refId = ({ kind, namespace, name }: PolicyRef): string =>
  `${kind}/${namespace}/${name}`;

const enforcement = (
  mode: "audit" | "enforce" | undefined,
  context: BuildContext,
): "on" | "staged" => (context.options.mode === "enforce" && mode !== "audit" ? "on" : "staged");

/** Reports an expired resource; it then takes no part. */
const expired = (
  ref: PolicyRef,
  expires: number | undefined,
  source: SourceSpan,
  context: BuildContext,
): boolean => {
  if (expires === undefined || expires > context.options.now) return false;
  context.report(
    "BH0303",
    source,
    `\`${refId(ref)}\` expired ${new Date(expires).toISOString()} and does nothing`,
    "remove it, or give it a new `expires`",
    // It was meant to end, and did.
    ref.kind === "Exception" ? "info" : undefined,
  );
  return true;
};

const until = (expiresAt: number | undefined): { readonly expiresAt?: number } =>
  expiresAt === undefined ? {} : { expiresAt };

const peersOf = (
  peers: readonly NativePeer[],
  home: string,
  source: SourceSpan,
  context: BuildContext,
): readonly Peer[] => {
  const out = peers.flatMap((peer) => nativePeers(peer, home, context));
  const named = peers.some((peer) => peer.kind === "networkSet");
  if (out.length === 0 && !named) {
    context.report(
      "BH0308",
      source,
      "this rule has no peers and never matches",
      "for everyone write `- any: true`",
    );
  }
  return out;
};

const policyRules = (
  rules: readonly NativeRule[],
  blockId: string,
  spec: PolicySpec,
  home: string,
  context: BuildContext,
): readonly Rule[] => {
  const taken = new Set<string>();
  return rules.map((rule): Rule => {
    const action = rule.action ?? "allow";
    if (action === "pass" && (spec.tier ?? "application") === "application") {
      context.report(
        "BH0307",
        rule.source,
        "`pass` cannot stand in tier `application`",
        "there a rule that does not match already leaves the flow to the others",
      );
    }
    const given = "from" in rule ? rule.from : rule.to;
    const peers = peersOf(given, home, rule.source, context);
    const content = { action, peers, ports: rule.ports ?? ALL };
    if (rule.name !== undefined && taken.has(rule.name)) {
      context.report(
        "BH0108",
        rule.source,
        `rule \`${rule.name}\` is declared twice in this section`,
      );
    }
    const name = rule.name ?? contentName({ ...content, peers: given }, taken);
    taken.add(name);
    return {
      id: `${blockId}/${name}`,
      source: rule.source,
      ...content,
      enforce: enforcement(spec.mode, context),
      ...until(spec.expires),
      ...(rule.description === undefined ? {} : { description: rule.description }),
    };
  });
};

export const policyBlocks = (policy: Policy, context: BuildContext): readonly StagedBlock[] => {
  const { spec, metadata, source } = policy;
  const ref = refOf("Policy", metadata, spec);
  const tier = spec.tier ?? "application";
  const sections = [
    ["ingress", spec.ingress],
    ["egress", spec.egress],
  ] as const;
  if (spec.ingress === undefined && spec.egress === undefined) {
    context.report(
      "BH0308",
      source,
      `\`${refId(ref)}\` has neither \`ingress\` nor \`egress\` and does nothing`,
    );
  }
  const blocks = sections.flatMap(([direction, section]): StagedBlock[] => {
    if (section === undefined) return [];
    const id = `${refId(ref)}#${direction}`;
    return [
      {
        stage: tier,
        block: {
          id,
          source: section.source,
          subject: workloadPeer(spec.subject, ref.namespace),
          direction,
          order: [spec.priority ?? DEFAULT_PRIORITY],
          isolates: tier === "application",
          enforce: enforcement(spec.mode, context),
          rules: policyRules(section.rules, id, spec, ref.namespace, context),
          ...until(spec.expires),
          policy: ref,
        },
      },
    ];
  });
  return expired(ref, spec.expires, source, context) ? [] : blocks;
};

interface Pair {
  readonly ref: PolicyRef;
  readonly stage: string;
  readonly spec: Intent["spec"] | Exception["spec"];
  readonly source: SourceSpan;
  /** The whole resource. */
  readonly resource: SourceSpan;
  readonly isolates: boolean;
  readonly enforce: "on" | "staged";
}

const pairBlock = (
  pair: Pair,
  direction: Direction,
  subject: WorkloadPeer,
  peer: NativePeer,
  context: BuildContext,
): StagedBlock => {
  const { ref, spec, source, enforce } = pair;
  const id = `${refId(ref)}#${direction}`;
  return {
    stage: pair.stage,
    block: {
      id,
      source,
      subject,
      direction,
      order: [DEFAULT_PRIORITY],
      isolates: pair.isolates,
      enforce,
      rules: [
        {
          id: `${id}/allow`,
          source,
          action: "allow",
          peers: nativePeers(peer, ref.namespace, context),
          ports: spec.ports ?? ALL,
          enforce,
          ...until(spec.expires),
        },
      ],
      ...until(spec.expires),
      policy: ref,
    },
  };
};

/** Both ends of a from/to resource: an egress block on `from`, an ingress block on `to`, where they are workloads. */
const pairBlocks = (pair: Pair, context: BuildContext): readonly StagedBlock[] => {
  const { from, to, expires } = pair.spec;
  const home = pair.ref.namespace;
  if (from.kind !== "workloads" && to.kind !== "workloads") {
    context.report(
      "BH0306",
      pair.source,
      `neither end of \`${refId(pair.ref)}\` is a workload`,
      "give `from` or `to` a selector",
    );
  }
  const blocks: StagedBlock[] = [];
  if (from.kind === "workloads") {
    blocks.push(pairBlock(pair, "egress", workloadPeer(from, home), to, context));
  }
  if (to.kind === "workloads") {
    blocks.push(pairBlock(pair, "ingress", workloadPeer(to, home), from, context));
  }
  return expired(pair.ref, expires, pair.resource, context) ? [] : blocks;
};

export const intentBlocks = (intent: Intent, context: BuildContext): readonly StagedBlock[] =>
  pairBlocks(
    {
      ref: refOf("Intent", intent.metadata, intent.spec),
      stage: "application",
      spec: intent.spec,
      source: intent.spec.source,
      resource: intent.source,
      isolates: true,
      enforce: enforcement(intent.spec.mode, context),
    },
    context,
  );

export const exceptionBlocks = (
  exception: Exception,
  context: BuildContext,
): readonly StagedBlock[] =>
  pairBlocks(
    {
      ref: refOf("Exception", exception.metadata, exception.spec),
      stage: "exception",
      spec: exception.spec,
      source: exception.spec.source,
      resource: exception.source,
      isolates: false,
      enforce: enforcement(undefined, context),
    },
    context,
  );

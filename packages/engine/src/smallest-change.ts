/**
 * For a flow that is denied: the least that a person would have to add to allow it. Tried in order: an allow at the one
 * end that denies, an Intent for both ends, an Exception that stands above the application's own denies. What a
 * guardrail denies cannot be allowed from below it, and then the rule that stands in the way is named.
 */
import { groupAt, GROUPS, hostCidr, isReservedNamespace } from "@bulkhead/model";
import type {
  Block,
  Cidr,
  Determinant,
  Direction,
  ExceptionManifest,
  FlowQuery,
  IntentManifest,
  Peer,
  PolicyManifest,
  PolicySet,
  Rule,
  StageId,
  Workload,
} from "@bulkhead/model";
import { decide } from "./decide.ts";
import { endsOf } from "./flow-ends.ts";
import type { InventoryIndex } from "./inventory-index.ts";
import type { DecideOptions } from "./judge-stage.ts";
import type { WorkloadPeer } from "./matching.ts";
import {
  exception,
  intent,
  oneEnd,
  stableSelector,
  type End,
  type Ends,
  type NamedAddresses,
} from "./proposed-manifests.ts";

export type SmallestChange =
  | {
      readonly kind: "add";
      /** Applied in mode enforce it allows the flow. */
      readonly manifest: PolicyManifest | IntentManifest | ExceptionManifest;
      /** Fields that hold a stand-in, for a person to fill in. */
      readonly fillIn: readonly ("owner" | "reason" | "expires")[];
    }
  | {
      readonly kind: "blocked";
      /** What still denies, with an Exception in place. */
      readonly by: readonly Determinant[];
      /** One sentence: what would have to change. */
      readonly reason: string;
    };

export interface ExplainOptions extends DecideOptions {
  /** Ends of the query that stand for the world at large: what is proposed then speaks of all of it. */
  readonly atLarge?: readonly ("source" | "destination")[];
  /** Speak of both ends in one Intent, also where only one denies, unless that would isolate somebody whom nothing isolates yet. */
  readonly preferIntent?: boolean;
  /** Ends that were named by a NetworkSet: what is proposed names it too, and so holds for all of it. */
  readonly sets?: Readonly<Partial<Record<"source" | "destination", NamedAddresses>>>;
}

const APPLICATION: StageId = "application";
const EXCEPTION: StageId = "exception";
const METADATA: StageId = "metadata";

/** Null when the flow is allowed already. */
export function smallestChange(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: ExplainOptions,
): SmallestChange | null {
  const denied = deniedEnds(set, index, query, options);
  if (denied.length === 0) return null;
  const found = endsOf(index, query);
  const end = (side: "source" | "destination"): End => ({
    ...found[side],
    atLarge: options.atLarge?.includes(side) === true,
    ...(options.sets?.[side] === undefined ? {} : { set: options.sets[side] }),
  });
  const ends = { source: end("source"), destination: end("destination") };
  const node = [found.source, found.destination].find(
    ({ workload }) => workload !== undefined && isReservedNamespace(workload.namespace),
  )?.workload;
  if (node !== undefined) {
    const reason = `\`${node.id}\` is a ${node.kind}, which no selector of pods and namespaces finds`;
    return { kind: "blocked", by: [], reason };
  }
  const nameless = [ends.source, ends.destination].find(
    ({ workload }) => workload !== undefined && stableSelector(workload) === null,
  );
  if (nameless !== undefined) {
    const reason = `workload \`${nameless.workload!.id}\` has no label that a policy could name it by`;
    return { kind: "blocked", by: [], reason };
  }

  const blocks = endBlocks(ends, query);
  const allowedWith = (stage: StageId, added: readonly Block[]) =>
    decide(withBlocks(set, stage, added), index, query, options).verdict === "allow";

  const needed = blocks.filter(({ direction }) => denied.includes(direction));
  if (allowedWith(APPLICATION, needed)) {
    const both =
      denied.length === 2 ||
      (options.preferIntent === true &&
        !isolatesAnew(ends, denied[0]!, set, index, query, options));
    const manifest = both ? intent(ends, query) : oneEnd(ends, query, denied[0]!);
    return { kind: "add", manifest, fillIn: [] };
  }
  if (allowedWith(EXCEPTION, blocks)) {
    const manifest = exception(ends, query, options.now);
    return { kind: "add", manifest, fillIn: ["owner", "reason", "expires"] };
  }
  const by = remaining(withBlocks(set, EXCEPTION, blocks), index, query, options);
  return {
    kind: "blocked",
    by,
    reason: `cannot be allowed from below: ${by.map(name).join(", ")}`,
  };
}

/** An Intent isolates both of its ends. Is the one that allows the flow already judged by what its own policies list? */
function isolatesAnew(
  ends: Ends,
  denied: Direction,
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: DecideOptions,
): boolean {
  const other = denied === "egress" ? ends.destination : ends.source;
  if (other.workload === undefined) return false;
  const { egress, ingress } = decide(set, index, query, options);
  const { determinedBy } = denied === "egress" ? ingress : egress;
  return !(determinedBy.kind === "rule" && determinedBy.stage === APPLICATION);
}

function deniedEnds(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: DecideOptions,
): Direction[] {
  const { egress, ingress } = decide(set, index, query, options);
  return [egress, ingress].flatMap(({ direction, verdict }) =>
    verdict === "allow" ? [] : [direction],
  );
}

function remaining(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: DecideOptions,
): Determinant[] {
  const { egress, ingress } = decide(set, index, query, options);
  return [egress, ingress].flatMap(({ verdict, determinedBy }) =>
    verdict === "allow" ? [] : [determinedBy],
  );
}

function name(by: Determinant): string {
  switch (by.kind) {
    case "rule":
      return `rule \`${by.rule}\` (${by.source.file}:${by.source.line}) must change`;
    case "isolation":
      return `\`${by.block}\` (${by.source.file}:${by.source.line}) must change`;
    case "default":
      return "the default must change";
    case "exemption":
      return by.exemption;
  }
}

/** The blocks that an Intent or an Exception between these ends stands for. */
function endBlocks(ends: Ends, { protocol, port }: FlowQuery): Block[] {
  const block = (direction: Direction, subject: End, peer: End): Block[] => {
    if (subject.workload === undefined) return [];
    const id = `smallest-change#${direction}`;
    const source = { file: "-", line: 1, column: 1 };
    return [
      {
        id,
        source,
        subject: workloadPeer(subject.workload),
        direction,
        order: [1000],
        isolates: true,
        enforce: "on",
        policy: { kind: "Intent", namespace: subject.workload.namespace, name: "smallest-change" },
        rules: [
          {
            id: `${id}/allow`,
            source,
            action: "allow",
            peers: peersOf(peer),
            ports: [{ kind: "range", protocol, first: port, last: port }],
            enforce: "on",
          },
        ],
      },
    ];
  };
  return [
    ...block("egress", ends.source, ends.destination),
    ...block("ingress", ends.destination, ends.source),
  ];
}

/** Exceptions never isolate. A set without the stage stays as it is: nothing can be added there. */
function withBlocks(set: PolicySet, stage: StageId, added: readonly Block[]): PolicySet {
  const blocks = added.map((block) => ({ ...block, isolates: stage === APPLICATION }));
  return {
    ...set,
    stages: set.stages.map((one) => {
      if (one.id === stage) return { ...one, blocks: [...one.blocks, ...blocks] };
      if (one.id === METADATA) return { ...one, blocks: [...one.blocks, ...added.flatMap(grants)] };
      return one;
    }),
  };
}

/** A rule that names a single address is a grant in the stage that guards metadata addresses. */
function grants(block: Block): Block[] {
  if (block.direction !== "egress") return [];
  const rules = block.rules.flatMap((rule): Rule[] => {
    const peers = rule.peers.filter(isSingle);
    return peers.length === 0 ? [] : [{ ...rule, id: `${rule.id}/grant`, action: "pass", peers }];
  });
  return rules.length === 0
    ? []
    : [{ ...block, id: `${block.id}/grant`, order: [0], isolates: false, rules }];
}

function isSingle(peer: Peer): boolean {
  return peer.kind === "cidr" && peer.cidr.endsWith(peer.cidr.includes(":") ? "/128" : "/32");
}

function peersOf(place: End): Peer[] {
  switch (place.kind) {
    case "workload":
      return [workloadPeer(place.workload)];
    case "host":
      return [place.workload ? workloadPeer(place.workload) : { kind: "entity", entity: "host" }];
    case "world": {
      const group = groupAt(place);
      if (place.set !== undefined) return place.set.cidrs.map(cidrPeer);
      if (place.atLarge !== true) return [cidrPeer(hostCidr(place.address))];
      return group === null ? [{ kind: "entity", entity: "world" }] : GROUPS[group].map(cidrPeer);
    }
  }
}

function cidrPeer(cidr: Cidr): Peer {
  return { kind: "cidr", cidr, except: [], matchesWorkloads: true };
}

function workloadPeer(workload: Workload): WorkloadPeer {
  return {
    kind: "workloads",
    namespaces: { kind: "named", name: workload.namespace },
    selector: stableSelector(workload)!,
  };
}

/** Why a connection is allowed or denied, for every pair of addresses its ends have, and what would allow it. */
import {
  ApiFailure,
  type ExplainAnswer,
  type ExplainQuery,
  type SharedEndsView,
  type TraceStep,
} from "@bulkhead/api";
import {
  addressPairs,
  decide,
  explain,
  type DirectionTrace,
  type Explanation,
} from "@bulkhead/engine";
import { printResources } from "@bulkhead/dialects";
import {
  ICMP,
  ICMPV6,
  parsePort,
  type Decision,
  type Edge,
  type FlowQuery,
  type IpAddress,
  type Mode,
} from "@bulkhead/model";
import type { InForce } from "../policy/change.ts";
import type { World } from "../world/world.ts";
import { resolveEnd, type NamedEnd } from "./ends.ts";

export interface ExplainContext {
  readonly inForce: InForce;
  readonly world: World;
  readonly modes: Readonly<Record<string, Mode>>;
  readonly now: number;
  readonly edges: (
    from: string,
    to: string,
    protocol: number,
    port: number,
  ) => Promise<readonly Edge[]>;
}

/** Both ends as they were named, and what the reference says of every pair of their addresses. */
export interface Explained {
  readonly from: NamedEnd;
  readonly to: NamedEnd;
  readonly protocol: number;
  readonly port: number;
  readonly verdict: ExplainAnswer["verdict"];
  readonly paths: readonly {
    readonly source: IpAddress;
    readonly destination: IpAddress;
    readonly explanation: Explanation;
    readonly shadow: Decision;
  }[];
}

export interface Question {
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly view?: "live" | "shadow";
  /** See the engine's `ExplainOptions`. */
  readonly preferIntent?: boolean;
}

export function explainPaths(
  { view = "live", preferIntent = false, ...question }: Question,
  { inForce, world, now }: Pick<ExplainContext, "inForce" | "world" | "now">,
): Explained {
  const sets = inForce.reading.networkSets;
  const from = resolveEnd(question.from, world, sets);
  const to = resolveEnd(question.to, world, sets);
  const { protocol, port } = portOf(question.port, to);
  const { set } = inForce.reading;
  const atLarge = [
    ...(from.atLarge ? ["source" as const] : []),
    ...(to.atLarge ? ["destination" as const] : []),
  ];
  const named = {
    ...(from.set === undefined ? {} : { source: from.set }),
    ...(to.set === undefined ? {} : { destination: to.set }),
  };
  const processes = {
    ...(from.workload?.kind === "process" ? { sourceProcess: from.workload.id } : {}),
    ...(to.workload?.kind === "process" ? { destinationProcess: to.workload.id } : {}),
  };
  const onMachine = ({ addresses, workload }: NamedEnd) => ({
    addresses,
    isProcess: workload?.kind === "process",
  });
  const pairs = addressPairs(world.index, onMachine(from), onMachine(to));
  const isHere = from.workload !== undefined && from.workload.kind !== "external";
  const paths = pairs.map(([source, destination]) => {
    const asked = { source, destination, protocol, port };
    // Whoever sends from this machine is told only that several claim the port, and not at whose socket it would arrive.
    const told =
      isHere && isContested(world, asked)
        ? { ...processes, destinationProcess: undefined }
        : processes;
    const flow = { ...asked, ...told };
    const options = { now, view, atLarge, sets: named, preferIntent };
    return {
      source,
      destination,
      explanation: explain(set, world.index, flow, options),
      shadow: decide(set, world.index, flow, { now, view: "shadow" }),
    };
  });
  if (paths.length === 0) {
    throw new ApiFailure(
      "bad-request",
      `\`${from.name}\` and \`${to.name}\` have no address family in common`,
    );
  }
  const verdicts = new Set(paths.map(({ explanation }) => explanation.decision.verdict));
  const [first] = verdicts;
  const verdict = verdicts.size === 1 && first !== undefined ? first : "mixed";
  return { from, to, protocol, port, verdict, paths };
}

function isContested({ index }: World, { destination, protocol, port }: FlowQuery): boolean {
  const { sockets } = index.at(destination);
  const found = sockets.find((one) => one.protocol === protocol && one.port === port);
  return found !== undefined && found.owners.length > 1;
}

export async function explainFlow(
  query: ExplainQuery,
  context: ExplainContext,
): Promise<ExplainAnswer> {
  const { inForce } = context;
  const view = query.view ?? "live";
  const { set } = inForce.reading;
  const { from, to, protocol, port, verdict, paths } = explainPaths(query, context);
  const denied = paths.find(({ explanation }) => explanation.decision.verdict !== "allow");
  const edges = await context.edges(from.name, to.name, protocol, port);
  const lastSeen = Math.max(0, ...edges.map((edge) => edge.lastSeen));
  const change = denied?.explanation.smallestChange ?? null;
  return {
    from: from.name,
    to: to.name,
    port: query.port,
    view,
    verdict,
    revision: inForce.revision,
    ...(set.canary === undefined ? {} : { canaryShare: set.canary.share }),
    modes: {
      ...(from.workload === undefined
        ? {}
        : { from: context.modes[from.workload.id] ?? "observe" }),
      ...(to.workload === undefined ? {} : { to: context.modes[to.workload.id] ?? "observe" }),
    },
    paths: paths.map(({ source, destination, explanation }) => ({
      source: { name: from.name, address: source },
      destination: { name: to.name, address: destination },
      protocol,
      port,
      decision: explanation.decision,
      ...sharedView(explanation),
      trace: [...stepsOf(explanation.egress), ...stepsOf(explanation.ingress)],
    })),
    ...(verdict === "allow" && view === "live" ? auditOf(paths.map(({ shadow }) => shadow)) : {}),
    ...changeOf(change),
    seen: {
      connections: edges.reduce((sum, edge) => sum + edge.connections, 0),
      ...(lastSeen === 0 ? {} : { lastSeen }),
      verdicts: [...new Set(edges.map((edge) => edge.verdict))],
    },
  };
}

function sharedView({ shared, egress, ingress }: Explanation): {
  readonly shared?: SharedEndsView;
} {
  if (shared === null) return {};
  const reading = (key: "egress" | "ingress", { subject, peer }: DirectionTrace) =>
    subject === undefined ? {} : { [key]: { subject, ...(peer === undefined ? {} : { peer }) } };
  return {
    shared: {
      precision: shared.precision,
      sources: [...shared.sources],
      destinations: [...shared.destinations],
      ...reading("egress", egress),
      ...reading("ingress", ingress),
    },
  };
}

/** One protocol and port; a name is looked up at the destination. */
export function portOf(
  text: string,
  to: NamedEnd,
): { readonly protocol: number; readonly port: number } {
  const parsed = parsePort(text);
  if ("error" in parsed) {
    const { error } = parsed;
    const told = error.includes(`\`${text}\``) ? error : `\`${text}\`: ${error}`;
    throw new ApiFailure("bad-request", told, { help: PORT_HELP });
  }
  const { match } = parsed;
  switch (match.kind) {
    case "range":
      // An ICMP type without a code stands for its code 0.
      if (match.first === match.last || isIcmp(match.protocol)) {
        return { protocol: match.protocol, port: match.first };
      }
      break;
    case "protocol":
      return { protocol: match.protocol, port: ECHO[match.protocol] ?? 0 };
    case "named": {
      const named = to.workload?.namedPorts.find(
        ({ name, protocol }) => name === match.name && protocol === match.protocol,
      );
      if (named !== undefined) return { protocol: named.protocol, port: named.port };
      throw new ApiFailure("bad-request", `\`${to.name}\` has no port named \`${match.name}\``);
    }
    case "all":
      break;
  }
  throw new ApiFailure("bad-request", `\`${text}\` is not one port`, {
    help: PORT_HELP,
  });
}

const PORT_HELP = "for example `5432/tcp`, `53/udp` or `icmp/echo-request`";
const ECHO: Readonly<Record<number, number>> = { [ICMP]: 8 * 256, [ICMPV6]: 128 * 256 };

function isIcmp(protocol: number): boolean {
  return protocol === ICMP || protocol === ICMPV6;
}

/** The trace as a flat list: stages that were passed over are left out, blocks without rules stand for themselves. */
function stepsOf({ direction, stages, exemption }: DirectionTrace): TraceStep[] {
  if (exemption !== undefined) {
    return [{ direction, stage: "exemption", block: "", outcome: exemption, matched: true }];
  }
  return stages.flatMap(({ stage, blocks }) =>
    blocks.flatMap(({ block, source, rules, isolates, inert }): TraceStep[] => [
      {
        direction,
        stage,
        block,
        source,
        matched: inert === null,
        outcome: inert ?? (isolates ? "selects, and isolates" : "selects"),
      },
      ...rules.map((rule) => ({
        direction,
        stage,
        block,
        rule: rule.rule,
        source: rule.source,
        matched: rule.matched,
        outcome: rule.matched ? `${rule.outcome}: ${rule.action}` : rule.outcome,
      })),
    ]),
  );
}

/** What is allowed only because the policies that would deny it are not enforced. */
function auditOf(shadows: readonly Decision[]): Pick<ExplainAnswer, "audit"> {
  const denied = shadows.find(({ verdict }) => verdict !== "allow");
  if (denied === undefined) return {};
  const { egress, ingress } = denied;
  const { determinedBy } = egress.verdict === "allow" ? ingress : egress;
  const kind = denied.verdict === "reject" ? "reject" : "drop";
  const same = shadows.every(({ verdict }) => verdict === denied.verdict);
  return { audit: { verdict: same ? kind : "mixed", determinedBy } };
}

function changeOf(
  change: Explanation["smallestChange"],
): Pick<ExplainAnswer, "smallestChange" | "inTheWay"> {
  if (change === null) return {};
  if (change.kind === "blocked") return { inTheWay: change.reason };
  const { manifest, fillIn } = change;
  const text = printResources([manifest]);
  return { smallestChange: { name: `${manifest.metadata.name}.yaml`, text, fillIn: [...fillIn] } };
}

/** Why a connection is allowed or denied, for every pair of addresses its ends have, and what would allow it. */
import {
  ApiFailure,
  type ExplainAnswer,
  type ExplainQuery,
  type SharedEndsView,
} from "@bulkhead/api";
import {
  addressPairs,
  decide,
  explain,
  type DirectionTrace,
  type Explanation,
} from "@bulkhead/engine";
import type { Decision, Edge, FlowQuery, IpAddress, Mode } from "@bulkhead/model";
import {
  auditOf,
  changeOf,
  nearestOf,
  onePort,
  traceSteps,
  verdictOf,
  type OnePort,
} from "@bulkhead/workbench/desk";
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
  const verdict = verdictOf(paths.map(({ explanation }) => explanation.decision));
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
      trace: [...traceSteps(explanation.egress), ...traceSteps(explanation.ingress)],
    })),
    ...(verdict === "allow" && view === "live" ? auditOf(paths.map(({ shadow }) => shadow)) : {}),
    ...(denied === undefined ? {} : nearestOf(denied.explanation)),
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
function portOf(text: string, to: NamedEnd): OnePort {
  const found = onePort(text, to.workload);
  if (found.problem === undefined) return found.value;
  const { message, help } = found.problem;
  throw new ApiFailure("bad-request", message, help === undefined ? {} : { help });
}

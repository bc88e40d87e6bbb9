/**
 * The service map: edges between workloads as arrows between applications. Workloads of one namespace that bear the same
 * application label are one node; what has no such label stands for itself. Order and content depend on the edges alone.
 */
import { formatPort, type Edge, type FlowEnd, type ProtocolNumber } from "@bulkhead/model";
import { outcomeOf, type Outcome } from "./outcome.ts";

/** Kubernetes' recommended label first, then the customary ones. */
export const APPLICATION_LABELS: readonly string[] = ["app.kubernetes.io/name", "app", "k8s-app"];

/** `outside`: the host, the world, a NetworkSet, or who else is no workload. */
export type NodeKind = "application" | "workload" | "outside";

export interface MapNode {
  /** `shop/web`, `outside:world`; unlike any other node's. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly namespace?: string;
  readonly name: string;
  /** Names of the workloads, or addresses of what is outside. */
  readonly members: readonly string[];
}

export interface MapPort {
  readonly port: string;
  readonly connections: number;
  readonly failed: number;
  readonly bytes: number;
}

/** All that went from one node to another with one outcome. */
export interface MapArrow {
  readonly from: string;
  readonly to: string;
  readonly outcome: Outcome;
  /** The most connections first. */
  readonly ports: readonly MapPort[];
  readonly connections: number;
  readonly failed: number;
  readonly bytes: number;
}

export interface ServiceMap {
  readonly nodes: readonly MapNode[];
  readonly arrows: readonly MapArrow[];
}

interface Gathered {
  readonly from: string;
  readonly to: string;
  readonly outcome: Outcome;
  readonly ports: Map<string, { protocol: ProtocolNumber; number: number } & Writable<MapPort>>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** `labels`: the first of these that a workload bears is what it is grouped by. */
export function serviceMap(
  edges: readonly Edge[],
  labels: readonly string[] = APPLICATION_LABELS,
): ServiceMap {
  const nodes = new Map<string, Omit<MapNode, "members"> & { readonly members: Set<string> }>();
  const arrows = new Map<string, Gathered>();
  const place = (end: FlowEnd): string => {
    const node = nodeOf(end, labels);
    const members = nodes.get(node.id)?.members ?? new Set<string>();
    members.add(end.workload ?? end.address);
    // A workload without label that is called as the application of others belongs to it.
    const kind = nodes.get(node.id)?.kind === "application" ? "application" : node.kind;
    nodes.set(node.id, { ...node, kind, members });
    return node.id;
  };
  for (const edge of edges) {
    const [from, to] = [place(edge.source), place(edge.destination)];
    const outcome = outcomeOf(edge.verdict);
    const key = JSON.stringify([from, to, outcome]);
    const arrow = arrows.get(key) ?? { from, to, outcome, ports: new Map() };
    arrows.set(key, arrow);
    const { protocol, port: number } = edge;
    const port = formatPort(protocol, number);
    const sum = arrow.ports.get(port) ?? {
      protocol,
      number,
      port,
      connections: 0,
      failed: 0,
      bytes: 0,
    };
    sum.connections += edge.connections;
    sum.failed += edge.failed;
    sum.bytes += edge.bytes;
    arrow.ports.set(port, sum);
  }
  return {
    nodes: [...nodes.values()]
      .map(({ members, ...node }) => ({ ...node, members: [...members].toSorted() }))
      .toSorted(inOrder((node) => [node.kind === "outside" ? 1 : 0, node.id])),
    arrows: [...arrows.values()]
      .map(withSums)
      .toSorted(inOrder(({ from, to, outcome }) => [from, to, OUTCOMES.indexOf(outcome)])),
  };
}

/** No namespace has a colon in it, so that no NetworkSet is taken for an application. */
function nodeOf(end: FlowEnd, labels: readonly string[]): Omit<MapNode, "members"> {
  if (end.workload === undefined) {
    return { id: `outside:${end.name}`, kind: "outside", name: end.name };
  }
  const slash = end.workload.indexOf("/");
  const namespace = end.workload.slice(0, Math.max(0, slash));
  const key = labels.find((label) => Object.hasOwn(end.labels, label));
  const value = key === undefined ? undefined : end.labels[key];
  const known = value !== undefined && value !== "";
  const name = known ? value : end.workload.slice(slash + 1);
  return {
    id: `${namespace}/${name}`,
    kind: known ? "application" : "workload",
    ...(namespace === "" ? {} : { namespace }),
    name,
  };
}

const OUTCOMES: readonly Outcome[] = ["passed", "audit", "denied"];

function withSums({ from, to, outcome, ports }: Gathered): MapArrow {
  const sorted = [...ports.values()].toSorted(
    (a, b) => b.connections - a.connections || a.protocol - b.protocol || a.number - b.number,
  );
  const sum = (field: "connections" | "failed" | "bytes"): number =>
    sorted.reduce((total, port) => total + port[field], 0);
  return {
    from,
    to,
    outcome,
    ports: sorted.map(({ port, connections, failed, bytes }) => ({
      port,
      connections,
      failed,
      bytes,
    })),
    connections: sum("connections"),
    failed: sum("failed"),
    bytes: sum("bytes"),
  };
}

/** By the parts of a key in turn, bytewise: the same on every machine, whatever its language. */
function inOrder<T>(key: (value: T) => readonly (string | number)[]): (a: T, b: T) => number {
  return (a, b) => {
    const [left, right] = [key(a), key(b)];
    for (const [index, part] of left.entries()) {
      const other = right[index] ?? "";
      if (part !== other) return part < other ? -1 : 1;
    }
    return 0;
  };
}

/** Scenes in which a random search once found that a suggestion changed, or seemed to, for flows that did not concern it. */
import type { Edge, FlowEnd, Inventory, Labels, Workload } from "@bulkhead/model";
import type { Scene } from "./scene.ts";

/** And how many of the first edges come later than the rest. */
type Found = [Scene, number];

function workload(id: `${string}/${string}`, host: number, labels: Labels): Workload {
  const [namespace = "", name = ""] = id.split("/");
  const addresses = [`10.0.0.${host}`, `fd00::${host}`];
  return {
    id,
    namespace,
    name,
    kind: "netns",
    labels,
    addresses,
    namedPorts: [],
    hostNetwork: false,
  };
}

const endOf = ({ id, labels, addresses }: Workload): FlowEnd => ({
  address: addresses[1] ?? "",
  workload: id,
  name: id,
  labels,
});

function edge(
  source: FlowEnd,
  destination: FlowEnd,
  seen: Pick<Edge, "protocol" | "port"> & Partial<Edge>,
): Edge {
  return {
    source,
    destination,
    verdict: "forwarded",
    connections: 0,
    established: 0,
    failed: 0,
    packets: 8,
    bytes: 0,
    windows: 1,
    firstSeen: 1,
    lastSeen: 1001,
    ...seen,
  };
}

function inventoryOf(workloads: readonly Workload[]): Inventory {
  const namespaces = ["shop", "ops"].map((name) => ({
    name,
    labels: { "kubernetes.io/metadata.name": name },
  }));
  return { workloads, namespaces, hostAddresses: ["10.9.0.1"] };
}

/** `dns` of the namespace `shop`, and `dns` of the application `shop` in `ops`: each was `shop-dns` to a service of `ops`. */
function calledAlike(): Found {
  const of = { "app.kubernetes.io/part-of": "shop" };
  const api = workload("ops/w5", 15, { ...of, app: "api" });
  const near = workload("ops/w0", 10, { ...of, app: "dns" });
  const far = workload("shop/w1", 11, { ...of, app: "dns" });
  const ping = { protocol: 1, port: 2048, bytes: 480, windows: 5 };
  const call = { protocol: 6, port: 80, connections: 1, established: 1, packets: 16, windows: 6 };
  const edges = [
    edge(endOf(far), endOf(api), call),
    edge(endOf(near), endOf(api), ping),
    ...silence(near),
  ];
  return [{ inventory: inventoryOf([near, far, api]), edges }, 1];
}

/** A call from outside to a high port looks like the answer to whatever goes the other way, also to an address without a set. */
function wayBackOutside(): Found {
  const web = workload("shop/w3", 13, { "app.kubernetes.io/part-of": "till", app: "web" });
  const world = { address: "2001:db8::9", name: "world", labels: {}, names: ["sip.example.com"] };
  const answered = { connections: 2, established: 1, failed: 1, packets: 24 };
  const edges = [
    edge(endOf(web), world, { protocol: 6, port: 80 }),
    edge(world, endOf(web), { protocol: 6, port: 40_000, ...answered }),
    ...silence(web),
  ];
  return [{ inventory: inventoryOf([web]), edges }, 1];
}

/** What is said of nobody: scenes have some edges at least. */
function silence(to: Workload): readonly Edge[] {
  const itself = edge(endOf(to), endOf(to), { protocol: 6, port: 80 });
  return [itself, itself];
}

export const FOUND: Found[] = [calledAlike(), wayBackOutside()];

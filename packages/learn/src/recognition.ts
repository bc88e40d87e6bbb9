/**
 * Who the ends of recorded edges are now. An end that was found under a name of its own before an Inventory declared it is whom that
 * netns, container or unit was declared to be: it would have been recorded so. One that was nobody is whoever has its address alone.
 */
import type { Edge, FlowEnd, FormerName, Inventory, Workload, WorkloadId } from "@bulkhead/model";
import { by } from "./order.ts";

/** By address only ends without labels, since there is nothing else to go by; whoever had labels of his own keeps them. */
export function recogniseEnds(edges: readonly Edge[], inventory: Inventory): readonly Edge[] {
  return edges.map(createRecognition(inventory));
}

/** The same, an edge at a time: one that is recognised already is given back itself. */
export function createRecognition(inventory: Inventory): (edge: Edge) => Edge {
  const owners = ownersOf(inventory);
  const known = new Map(inventory.workloads.map((workload) => [workload.id, workload]));
  const declaredSince = (id: WorkloadId): Workload | undefined =>
    known.get(inventory.foundAs?.get(id) ?? "");
  const ownerOf = ({ workload, name, address, labels }: FlowEnd): Workload | undefined => {
    if (workload === undefined)
      return name === "world" || name === address ? owners.get(address) : undefined;
    // Whoever is called so now is that one.
    if (known.has(workload)) return undefined;
    return (
      declaredSince(workload) ??
      (Object.keys(labels).length === 0 ? owners.get(address) : undefined)
    );
  };
  const recognise = (end: FlowEnd): FlowEnd => {
    const owner = ownerOf(end);
    if (owner === undefined) return end;
    const named = { workload: owner.id, name: owner.id, labels: owner.labels };
    return end.workload === undefined ? { address: end.address, ...named } : { ...end, ...named };
  };
  return (edge) => {
    const source = recognise(edge.source);
    const destination = recognise(edge.destination);
    const same = source === edge.source && destination === edge.destination;
    return same ? edge : { ...edge, source, destination };
  };
}

/** Each pair once, by who it is now. `recognised` are those edges, in order, as `recogniseEnds` gives them. */
export function formerNames(
  edges: readonly Edge[],
  recognised: readonly Edge[],
): readonly FormerName[] {
  const found = new Map<string, FormerName>();
  const note = ({ workload: before }: FlowEnd, { workload: now }: FlowEnd): void => {
    if (before === undefined || now === undefined || before === now) return;
    found.set(`${before} ${now}`, { before, now });
  };
  for (const [at, edge] of edges.entries()) {
    const one = recognised[at];
    if (one === undefined || one === edge) continue;
    note(edge.source, one.source);
    note(edge.destination, one.destination);
  }
  return [...found.values()].toSorted(
    by(
      ({ now }) => now,
      ({ before }) => before,
    ),
  );
}

/** Workloads by the addresses that are theirs alone: processes of one machine share its own, and none of them owns it. */
function ownersOf(inventory: Inventory): ReadonlyMap<string, Workload> {
  const owners = new Map<string, Workload>();
  const shared = new Set(inventory.hostAddresses);
  for (const workload of inventory.workloads) {
    if (workload.hostNetwork || workload.kind === "process") continue;
    for (const address of workload.addresses) {
      if (owners.has(address)) shared.add(address);
      owners.set(address, workload);
    }
  }
  for (const address of shared) owners.delete(address);
  return owners;
}

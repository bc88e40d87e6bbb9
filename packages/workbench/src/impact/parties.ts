/**
 * Who a recorded end is, as people speak of them: the role that labels give a workload, a declared set, a name that DNS had,
 * or the world; and who is to be asked about it. Copies of one role are one party, also those that have gone since.
 */
import { groupWorkloads, ownerOf, type Group } from "@bulkhead/learn";
import { matches, type FlowEnd, type Inventory, type Labels } from "@bulkhead/model";

export interface EndParty {
  readonly name: string;
  /** What tells members of one party apart. */
  readonly member: string;
  readonly owner: string | undefined;
}

/** Asked of many ends: what is found of a workload is kept. */
export function createParties(inventory: Inventory): (end: FlowEnd) => EndParty {
  const known = new Map<string, EndParty>();
  const present = new Map(inventory.workloads.map((workload) => [workload.id, workload]));
  const { groups, groupOf } = groupWorkloads(inventory.workloads);
  const bySpace = Map.groupBy(groups, ({ namespace }) => namespace);
  const spaces = new Map(inventory.namespaces.map(({ name, labels }) => [name, labels]));

  function party(workload: string, recorded: Labels): EndParty {
    const { labels } = present.get(workload) ?? { labels: recorded };
    const namespace = workload.slice(0, Math.max(0, workload.indexOf("/")));
    const group =
      groupOf.get(workload) ??
      bySpace.get(namespace)?.find(({ selector }) => matches(selector, labels));
    return {
      name: group === undefined ? workload : nameOf(group),
      member: workload,
      owner: ownerOf(labels) ?? ownerOf(spaces.get(namespace) ?? {}),
    };
  }

  return (end) => {
    const { workload, name, address, labels, names = [] } = end;
    if (workload === undefined) {
      const called = name === "world" || name === address ? (names[0] ?? "world") : name;
      return { name: called, member: address, owner: undefined };
    }
    let found = known.get(workload);
    if (found === undefined) {
      found = party(workload, labels);
      known.set(workload, found);
    }
    return found;
  };
}

function nameOf({ namespace, name }: Group): string {
  return `${namespace}/${name}`;
}

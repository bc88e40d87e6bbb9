/**
 * Who denies what no rule allows: every namespace with traffic, whole, or by its labels where some of it has none. Of the
 * machine's own processes only those whose needs were seen, each by itself: the others keep the machine running, and nobody
 * watched them.
 */
import type { Edge, Inventory, SuggestedIsolation } from "@bulkhead/model";
import type { Group, Grouping } from "./groups.ts";
import { fitting, nameOf } from "./names.ts";
import { by, groupBy } from "./order.ts";
import type { Need } from "./rules.ts";

export interface IsolationInput {
  readonly edges: readonly Edge[];
  readonly needs: readonly Need[];
  readonly grouping: Grouping;
  readonly inventory: Inventory;
  /** Only of these; all where it is absent. */
  readonly namespaces: readonly string[] | undefined;
}

export function isolationsOf(input: IsolationInput): readonly SuggestedIsolation[] {
  const { edges, needs, grouping, inventory, namespaces } = input;
  const seen = new Set(
    edges
      .flatMap((edge) => [edge.source.workload, edge.destination.workload])
      .flatMap((id) => id?.slice(0, id.indexOf("/")) ?? []),
  );
  const ofMachine = new Set(
    inventory.workloads.flatMap(({ kind, namespace }) => (kind === "process" ? namespace : [])),
  );
  const ends = needs.flatMap(({ source, destination }) => [source.key, destination.key]);
  const needed = new Set(ends);
  return [...groupBy(grouping.groups, (group) => group.namespace)]
    .filter(
      ([namespace]) =>
        seen.has(namespace) && (namespaces === undefined || namespaces.includes(namespace)),
    )
    .flatMap(([namespace, groups]): readonly SuggestedIsolation[] => {
      if (ofMachine.has(namespace)) {
        return groups.filter(({ id }) => needed.has(`group ${id}`)).map(ofGroup);
      }
      const whole = !grouping.ungrouped.some((member) => member.namespace === namespace);
      return whole ? [ofNamespace(namespace, groups)] : families(groups);
    })
    .toSorted(
      by(
        (isolation) => isolation.namespace,
        (isolation) => isolation.name,
      ),
    );
}

function ofNamespace(namespace: string, groups: readonly Group[]): SuggestedIsolation {
  const selector = { requirements: [] };
  return { name: "default-deny", namespace, selector, workloads: sizeOf(groups) };
}

function ofGroup(group: Group): SuggestedIsolation {
  const { namespace, selector, name } = group;
  return {
    name: fitting(`default-deny-${name}`),
    namespace,
    selector,
    workloads: sizeOf([group]),
  };
}

function families(groups: readonly Group[]): readonly SuggestedIsolation[] {
  return [...groupBy(groups, (group) => JSON.stringify(group.family)).values()].flatMap(
    (family): readonly SuggestedIsolation[] => {
      const [first] = family;
      if (first === undefined) return [];
      const exists = first.family.requirements.find(({ operator }) => operator === "Exists");
      const words = [first.scope?.value, exists?.key].filter((word) => word !== undefined);
      return [
        {
          name: fitting(["default-deny", ...words.map(nameOf)].join("-")),
          namespace: first.namespace,
          selector: first.family,
          workloads: sizeOf(family),
        },
      ];
    },
  );
}

function sizeOf(groups: readonly Group[]): number {
  return groups.reduce((sum, group) => sum + group.members.length, 0);
}

/**
 * Who denies what no rule allows: every namespace with traffic, whole, or by its labels where some of it has none. Of the
 * machine's own processes only those whose needs were seen, each by itself and in the direction they were seen in: the others
 * keep the machine running and nobody watched them, and not all that a process sends can be told from what the machine sends.
 */
import type { Direction, Edge, SuggestedIsolation } from "@bulkhead/model";
import type { Group, Grouping } from "./groups.ts";
import { namespacesOf, type MachineProcesses } from "./machine.ts";
import { fitting, nameOf } from "./names.ts";
import { by, groupBy } from "./order.ts";
import type { Need } from "./drafts.ts";

export interface IsolationInput {
  readonly edges: readonly Edge[];
  readonly needs: readonly Need[];
  readonly grouping: Grouping;
  readonly processes: MachineProcesses;
  /** Only of these; all where it is absent. */
  readonly namespaces: readonly string[] | undefined;
}

export function isolationsOf(input: IsolationInput): readonly SuggestedIsolation[] {
  const { edges, needs, grouping, processes, namespaces } = input;
  const seen = new Set(
    edges
      .flatMap((edge) => [edge.source.workload, edge.destination.workload])
      .flatMap((id) => id?.slice(0, id.indexOf("/")) ?? []),
  );
  const ofMachine = namespacesOf(processes);
  const confined = (end: "source" | "destination", direction: Direction): ReadonlySet<string> =>
    new Set(
      needs.flatMap((need) =>
        need.only === undefined || need.only === direction ? need[end].key : [],
      ),
    );
  const sources = confined("source", "egress");
  const destinations = confined("destination", "ingress");
  return [...groupBy(grouping.groups, (group) => group.namespace)]
    .filter(
      ([namespace]) =>
        seen.has(namespace) && (namespaces === undefined || namespaces.includes(namespace)),
    )
    .flatMap(([namespace, groups]): readonly SuggestedIsolation[] => {
      if (ofMachine.has(namespace)) {
        return groups.flatMap((group) =>
          ofGroup(group, [
            ...(destinations.has(`group ${group.id}`) ? ["ingress" as const] : []),
            ...(sources.has(`group ${group.id}`) ? ["egress" as const] : []),
          ]),
        );
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

function ofGroup(group: Group, directions: readonly Direction[]): readonly SuggestedIsolation[] {
  if (directions.length === 0) return [];
  const { namespace, selector, name } = group;
  const workloads = sizeOf([group]);
  return [{ name: fitting(`default-deny-${name}`), namespace, selector, workloads, directions }];
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

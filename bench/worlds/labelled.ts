/**
 * The estate as it is once a person has taken what Bulkhead proposes where labels tell nothing: machines by their Inventory, pods by
 * their template, so that the next pod of the same template bears the label too. Whoever was not there to be judged gets none.
 */
import { suggest } from "@bulkhead/learn";
import type { EdgeHistory, FlowEnd, Inventory, Labels } from "@bulkhead/model";
import { HOURS } from "./calendar.ts";
import type { Phase } from "./estate.ts";
import { presentOn } from "./role-sorting.ts";
import { historiesUntil, inventoryAt, type World } from "./world.ts";

export interface Labelled {
  readonly inventory: Inventory;
  readonly histories: readonly EdgeHistory[];
  labelsOf(phase: Phase): Labels;
}

/** Keys by which people name roles; a person whose labels are others, or missing, asks for proposals. */
const NAMING = ["app", "app.kubernetes.io/name", "service", "role"];

const isWanting = ({ workloads }: Inventory): boolean =>
  workloads.some(({ labels }) => !NAMING.some((key) => Object.hasOwn(labels, key)));

const templateOf = ({ role, slot }: Phase): string => `${role.name} ${slot}`;

export function labelledOn(world: World, day: number): Labelled {
  const inventory = inventoryAt(world, day * HOURS);
  const histories = historiesUntil(world, day);
  if (!isWanting(inventory)) return { inventory, histories, labelsOf: ({ labels }) => labels };
  const { proposedLabels } = suggest(
    histories.map(({ edge }) => edge),
    inventory,
    { history: histories, proposeLabels: true },
  );
  if (proposedLabels.length === 0)
    return { inventory, histories, labelsOf: ({ labels }) => labels };
  const byWorkload = new Map(
    proposedLabels.flatMap(({ labels, members }) => members.map(({ id }) => [id, labels] as const)),
  );
  const byTemplate = new Map(
    presentOn(world, day).flatMap((phase) => {
      const proposed = phase.role.kind === "vm" ? undefined : byWorkload.get(phase.workload);
      return proposed === undefined ? [] : [[templateOf(phase), proposed] as const];
    }),
  );
  const withMore = (labels: Labels, more: Labels | undefined): Labels =>
    more === undefined ? labels : { ...labels, ...more };
  return {
    inventory: {
      ...inventory,
      workloads: inventory.workloads.map((one) => ({
        ...one,
        labels: withMore(one.labels, byWorkload.get(one.id)),
      })),
    },
    histories: relabel(histories, (end) =>
      withMore(end.labels, byWorkload.get(end.workload ?? "")),
    ),
    labelsOf: (phase) =>
      withMore(phase.labels, byWorkload.get(phase.workload) ?? byTemplate.get(templateOf(phase))),
  };
}

function relabel(
  histories: readonly EdgeHistory[],
  labelsOf: (end: FlowEnd) => Labels,
): readonly EdgeHistory[] {
  const made = new Map<FlowEnd, FlowEnd>();
  const renewed = (end: FlowEnd): FlowEnd => {
    const known = made.get(end);
    if (known !== undefined) return known;
    const labels = labelsOf(end);
    const one = labels === end.labels ? end : { ...end, labels };
    made.set(end, one);
    return one;
  };
  return histories.map((history) => {
    const { edge } = history;
    return {
      ...history,
      edge: { ...edge, source: renewed(edge.source), destination: renewed(edge.destination) },
    };
  });
}

/**
 * Labels that do not say what they should: by their words, and, where flows are known, by what their bearers do. The same role
 * with two labels splits a rule in two; two roles with one label let each do what the other may.
 */
import {
  groupByCommunication,
  groupWorkloads,
  labelsOfGroup,
  recogniseEnds,
  usefulLabels,
  type Role,
} from "@bulkhead/learn";
import {
  compareDiagnostics,
  type Diagnostic,
  type Edge,
  type Inventory,
  type Labels,
} from "@bulkhead/model";
import { diagnosticOf, type LabelFinding, type LabelledWorkload } from "./label-finding.ts";
import { named, wordFindings } from "./label-words.ts";

export interface LabelLintOptions {
  /** Warnings are errors. */
  readonly strict?: boolean;
  /** Codes that are not wanted. */
  readonly disabled?: readonly string[];
}

/** So many of a role have to agree before the others are wrong. */
const AGREED = 3;
const MOST = 2 / 3;

/** Sorted by place; without edges only words are judged. */
export function lintLabels(
  inventory: Inventory,
  edges: readonly Edge[],
  { strict = false, disabled = [] }: LabelLintOptions = {},
): readonly Diagnostic[] {
  return labelFindings(inventory, edges)
    .filter(({ code }) => !disabled.includes(code))
    .map(diagnosticOf)
    .map((one) =>
      strict && one.severity === "warning" ? { ...one, severity: "error" as const } : one,
    )
    .toSorted((a, b) => compareDiagnostics(a, b) || (a.message < b.message ? -1 : 1));
}

/** The same before they are words. */
export function labelFindings(
  inventory: Inventory,
  edges: readonly Edge[],
): readonly LabelFinding[] {
  const workloads = inventory.workloads.filter(
    ({ kind, hostNetwork, namespace }) => kind !== "process" && !hostNetwork && namespace !== "",
  );
  const seen = recogniseEnds(edges, inventory);
  const { roleOf } = groupByCommunication(seen, workloads);
  const byId = new Map(workloads.map((one) => [one.id, one]));
  const siblingsOf = (one: LabelledWorkload): readonly LabelledWorkload[] =>
    (roleOf.get(one.id)?.members ?? []).flatMap((id) =>
      id === one.id ? [] : (byId.get(id) ?? []),
    );
  const guess = (one: LabelledWorkload, key: string): string | undefined => {
    const values = new Set(siblingsOf(one).flatMap(({ labels }) => labels[key] ?? []));
    const [value] = values;
    return values.size === 1 ? value : undefined;
  };
  const apart = (a: LabelledWorkload, b: LabelledWorkload): boolean => {
    const [one, other] = [roleOf.get(a.id), roleOf.get(b.id)];
    return one !== undefined && other !== undefined && one !== other;
  };
  const words = wordFindings(workloads, guess, apart);
  const mistaken = new Set(words.flatMap((one) => one.workloads.map(({ id }) => id)));
  return [
    ...words,
    ...splitRoles(workloads, roleOf, byId).filter(
      (one) => !one.workloads.every(({ id }) => mistaken.has(id)),
    ),
    ...uselessLabels(seen, inventory, byId),
  ];
}

/** Most of a role are one group by their labels, and a few are another that nobody else is. */
function splitRoles(
  workloads: readonly LabelledWorkload[],
  roleOf: ReadonlyMap<string, Role>,
  byId: ReadonlyMap<string, LabelledWorkload>,
): readonly LabelFinding[] {
  const { groupOf } = groupWorkloads(workloads);
  return [...new Set(roleOf.values())].flatMap((role): readonly LabelFinding[] => {
    const labelled = role.members.filter((id) => groupOf.has(id));
    const groups = [...Map.groupBy(labelled, (id) => groupOf.get(id))].toSorted(
      (a, b) => b[1].length - a[1].length,
    );
    const [most, ...others] = groups;
    const meant = most?.[0] === undefined ? undefined : labelsOfGroup(most[0]);
    if (most === undefined || meant === undefined) return [];
    const agreed = most[1].length;
    if (agreed < AGREED || agreed < MOST * labelled.length) return [];
    return others.flatMap(([group, ids]): readonly LabelFinding[] => {
      if (group === undefined || group.members.length !== ids.length) return [];
      const own = ids.flatMap((id) => byId.get(id) ?? []);
      const message = `${named(own)} does what ${agreed} workloads labelled ${textOf(meant)} do, and is labelled ${textOf(labelsOfGroup(group) ?? {})}`;
      return [{ code: "BH0742", message, workloads: own, set: meant, remove: [] }];
    });
  });
}

const WHY = {
  "one-for-all":
    "bear one label with all others of their application, and do something of their own",
  "one-for-each": "bear a label each, and all do the same",
  "across-roles": "bear labels that tell other things than what they do",
} as const;

function uselessLabels(
  edges: readonly Edge[],
  inventory: Inventory,
  byId: ReadonlyMap<string, LabelledWorkload>,
): readonly LabelFinding[] {
  return usefulLabels(edges, inventory).flatMap((one): readonly LabelFinding[] => {
    const { reason, labels, role, members, evidence } = one;
    const own = members.flatMap(({ id }) => byId.get(id) ?? []);
    if (reason === "unlabelled" || own.length === 0) return [];
    const message = `${named(own)} ${WHY[reason]}: \`${role}\`, ${evidence.join(", ")}`;
    const code = reason === "one-for-all" ? "BH0743" : "BH0744";
    return [{ code, message, workloads: own, set: labels, remove: [] }];
  });
}

const textOf = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `\`${key}=${value}\``)
    .join(" ");

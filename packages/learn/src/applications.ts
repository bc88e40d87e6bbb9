/**
 * Which application a workload belongs to, so that each team gets what is its own to merge. In this order, the first that
 * a workload bears: `app.kubernetes.io/part-of`, the project of Docker Compose, a label that names an owner, and else its
 * namespace. Owners are those that labels name; the same label twice over, in two namespaces, is two applications.
 */
import type { Application, Labels } from "@bulkhead/model";
import { by, groupBy } from "./order.ts";

/** What names who answers for a thing, the most telling first: one list, for labels of workloads and of policies. */
const OWNER_KEYS = ["bulkhead.dev/owner", "owner", "team"] as const;

/** The most telling first. */
export const APPLICATION_KEYS: readonly string[] = [
  "app.kubernetes.io/part-of",
  "com.docker.compose.project",
  ...OWNER_KEYS,
];

export interface Scope {
  readonly key: string;
  readonly value: string;
}

/** What tells a workload's application from others of its namespace; undefined where the namespace is the application. */
export function scopeOf(labels: Labels): Scope | undefined {
  const key = APPLICATION_KEYS.find((one) => (labels[one] ?? "") !== "");
  return key === undefined ? undefined : { key, value: labels[key] ?? "" };
}

export function applicationId(namespace: string, scope: Scope | undefined): string {
  return scope === undefined ? namespace : `${namespace}/${scope.value}`;
}

export function applicationOf(member: {
  readonly namespace: string;
  readonly labels: Labels;
}): string {
  return applicationId(member.namespace, scopeOf(member.labels));
}

export function ownerOf(labels: Labels): string | undefined {
  const key = OWNER_KEYS.find((one) => (labels[one] ?? "") !== "");
  return key === undefined ? undefined : labels[key];
}

export function applicationsOf(
  members: readonly { readonly namespace: string; readonly labels: Labels }[],
): readonly Application[] {
  return [...groupBy(members, applicationOf)]
    .flatMap(([id, own]): readonly Application[] => {
      const first = own[0];
      if (first === undefined) return [];
      const label = scopeOf(first.labels);
      const owners = new Set(own.map((member) => ownerOf(member.labels)));
      const [owner] = owners;
      return [
        {
          id,
          namespace: first.namespace,
          ...(label === undefined ? {} : { label }),
          ...(owners.size === 1 && owner !== undefined ? { owner } : {}),
          workloads: own.length,
        },
      ];
    })
    .toSorted(by((application) => application.id));
}

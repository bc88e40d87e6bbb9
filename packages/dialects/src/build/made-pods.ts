/**
 * Pods as their controller makes them: labels that stand in no template, and the numbers of a StatefulSet's. Those are told
 * apart only where a policy of the files asks for them; else a StatefulSet is one workload like every other set of pods.
 */
import type { Labels } from "@bulkhead/model";
import type { PodMaker } from "../kubernetes/objects.ts";
import type { Resource } from "../resource.ts";

export interface MadePod {
  readonly name: string;
  readonly labels: Labels;
}

/** `StatefulSetPodNameLabel` and `PodIndexLabel` of Kubernetes' apps/v1. */
const POD_NAME = "statefulset.kubernetes.io/pod-name";
const POD_INDEX = "apps.kubernetes.io/pod-index";
/** `JobNameLabel` of batch/v1, and as it was called before. */
const JOB_NAMES = ["batch.kubernetes.io/job-name", "job-name"];
/** Nobody names so many in a policy; a number of replicas alone must not fill the memory. */
export const MOST_NUMBERED = 1000;

/** Do selectors in these speak of a StatefulSet's single pods? */
export const tellsPodsApart = (resources: readonly Resource[]): boolean =>
  resources.some(
    (one) =>
      !(one.dialect === "kubernetes" && one.role !== "policy") && mentionsNumbers(one.object),
  );

/** Selectors of all dialects are read into requirements with a `key`. */
const mentionsNumbers = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false;
  if ("key" in value && (value.key === POD_NAME || value.key === POD_INDEX)) return true;
  return Object.values(value).some(mentionsNumbers);
};

export const podsOf = (
  { kind, metadata: { name }, facts: { labels }, numbers }: PodMaker,
  areToldApart: boolean,
): readonly MadePod[] => {
  if (kind === "Job") {
    const byName = Object.fromEntries(JOB_NAMES.map((key) => [key, name]));
    return [{ name, labels: { ...byName, ...labels } }];
  }
  if (numbers === undefined || !areToldApart || numbers.count > MOST_NUMBERED)
    return [{ name, labels }];
  return Array.from({ length: numbers.count }, (_, at) => {
    const number = String(numbers.first + at);
    const own = `${name}-${number}`;
    return { name: own, labels: { ...labels, [POD_NAME]: own, [POD_INDEX]: number } };
  });
};

/** The controller that made a pod; a static pod's owner is its node, which says nothing about it. */
export const controllerOf = (
  object: PodMaker,
): { readonly kind: string; readonly name: string } | undefined => {
  const references = object.metadata.ownerReferences ?? [];
  const owner = references.find(({ controller }) => controller === true) ?? references[0];
  if (owner === undefined || owner.kind === "Node") return undefined;
  return { kind: owner.kind ?? object.kind, name: owner.name };
};

/**
 * Labels that an operator gives to single workloads, kept as one Inventory among the resources in force: what `apply` would do
 * with a file, without the file. Who is declared in a file of somebody's keeps the labels of that file.
 */
import { ApiFailure, type LabelRequest } from "@bulkhead/api";
import { printResources } from "@bulkhead/dialects";
import {
  API_VERSION,
  formatSpan,
  labelKeyProblem,
  labelValueProblem,
  type InventoryManifest,
  type Labels,
  type WorkloadId,
} from "@bulkhead/model";
import type { StoredFile } from "@bulkhead/store";
import type { World } from "../world/world.ts";
import type { HeldResource } from "./candidate.ts";

export const LABELS_KEY = "Inventory/default/labels";
const FILE_NAME = "labels";
/** Given by the system itself, or by Kubernetes: nobody else's word counts. */
const RESERVED = ["bulkhead.dev/", "kubernetes.io/", "k8s.io/", "com.docker."];

type Entry = NonNullable<InventoryManifest["spec"]["workloads"]>[number];

/** The Inventory as it shall be; undefined: nothing is left of it. `plain`: the world as it is without it. */
export function labelled(
  request: Pick<LabelRequest, "workload" | "set" | "remove">,
  held: readonly HeldResource[],
  plain: World,
): StoredFile | undefined {
  const { workload: id, set = {}, remove = [] } = request;
  checkLabels(set, remove);
  const entries = entriesOf(held);
  const before = entries.find((entry) => idOf(entry) === id);
  const base = plain.inventory.workloads.find((one) => one.id === id);
  if (base?.source !== undefined)
    throw new ApiFailure(
      "bad-request",
      `\`${id}\` has its labels from a file: nothing was changed`,
      {
        help: `write them there: ${formatSpan(base.source)}`,
      },
    );
  const binding = before === undefined ? bindingOf(id, plain) : undefined;
  // What the system says of units stays beside what is declared; of others it is what is declared that counts.
  const isUnit = before === undefined ? base?.kind === "process" : before.unit !== undefined;
  const given = isUnit ? {} : (base?.labels ?? {});
  const now: Record<string, string> = { ...(before?.labels ?? given), ...set };
  for (const key of remove) {
    if (now[key] === undefined || now[key] === given[key])
      throw new ApiFailure(
        "bad-request",
        `\`${id}\` has no label \`${key}\` of yours: nothing was changed`,
        {
          help:
            base?.labels[key] === undefined
              ? "`bulkhead workloads -o wide` shows all labels"
              : `it was discovered; give it another value: \`${key}=…\``,
        },
      );
    const former = given[key];
    if (former === undefined) delete now[key];
    else now[key] = former;
  }
  const rest = entries.filter((entry) => entry !== before);
  const next = sameLabels(now, given)
    ? rest
    : [...rest, { ...(before ?? binding!), labels: now } satisfies Entry];
  return next.length === 0 ? undefined : fileOf(next);
}

function checkLabels(set: Labels, remove: readonly string[]): void {
  const keys = [...Object.keys(set), ...remove];
  if (keys.length === 0) throw new ApiFailure("bad-request", "no label was given");
  for (const key of keys) {
    const problem = labelKeyProblem(key);
    if (problem !== null) throw new ApiFailure("bad-request", `\`${key}\`: ${problem}`);
    const prefix = RESERVED.find((one) => key.startsWith(one));
    if (prefix !== undefined)
      throw new ApiFailure("bad-request", `labels below \`${prefix}\` are not given by hand`, {
        help: "only the system itself says those; choose a key of your own",
      });
  }
  for (const [key, value] of Object.entries(set)) {
    const problem = labelValueProblem(value);
    if (problem !== null) throw new ApiFailure("bad-request", `\`${key}=${value}\`: ${problem}`);
  }
}

function entriesOf(held: readonly HeldResource[]): readonly Entry[] {
  const resource = held.find(({ stored }) => stored.key === LABELS_KEY)?.resource;
  if (resource?.dialect !== "native" || resource.object.kind !== "Inventory") return [];
  return (resource.object.spec.workloads ?? []).map(
    ({ name, namespace, labels, netns, container, unit }) => ({
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(netns === undefined ? {} : { netns }),
      ...(container === undefined ? {} : { container }),
      ...(unit === undefined ? {} : { unit }),
    }),
  );
}

const idOf = ({ namespace = "default", name }: Entry): WorkloadId => `${namespace}/${name}`;

/** By what it is known again after a restart. */
function bindingOf(id: WorkloadId, world: World): Entry {
  const workload = world.inventory.workloads.find((one) => one.id === id);
  if (workload === undefined)
    throw new ApiFailure("unknown-workload", `no workload is called \`${id}\``, {
      help: "`bulkhead workloads --all` lists them",
    });
  const { name, namespace } = workload;
  const unit = world.units.get(id)?.[0];
  if (unit?.container !== undefined) return { name, namespace, container: unit.container };
  if (unit !== undefined) return { name, namespace, unit: unit.cgroup };
  const attached = world.attachments.get(id)?.[0]?.discovered;
  if (attached === undefined || attached.name.startsWith("@"))
    throw new ApiFailure("bad-request", `\`${id}\` has no name by which it is known again`, {
      help: "give its network namespace a name under /run/netns",
    });
  return attached.kind === "container"
    ? { name, namespace, container: attached.name }
    : { name, namespace, netns: attached.name };
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function fileOf(workloads: readonly Entry[]): StoredFile {
  const manifest: InventoryManifest = {
    apiVersion: API_VERSION,
    kind: "Inventory",
    metadata: { name: "labels", namespace: "default" },
    spec: { workloads: workloads.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1)) },
  };
  const text = "Kept by `bulkhead label`.";
  return { name: FILE_NAME, text: printResources([{ manifest, comments: [{ path: [], text }] }]) };
}

/** For the history, where the person gave none. */
export function reasonOf({
  workload,
  set = {},
  remove = [],
}: Pick<LabelRequest, "workload" | "set" | "remove">): string {
  const words = [
    ...Object.entries(set).map(([key, value]) => `${key}=${value}`),
    ...remove.map((key) => `${key}-`),
  ];
  return `label ${workload} ${words.join(" ")}`;
}

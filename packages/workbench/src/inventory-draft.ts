/**
 * A first Inventory for workloads that were only discovered: the labels are guesses from their names, for a person to
 * correct. Labels decide policy, so nothing takes them from a name without somebody having looked.
 */
import { printResources } from "@bulkhead/dialects";
import { API_VERSION, type InventoryManifest } from "@bulkhead/model";

export interface DiscoveredWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly kind: string;
  readonly addresses: readonly string[];
  /** `/run/netns/web` */
  readonly netnsPath?: string | undefined;
}

type Entry = NonNullable<InventoryManifest["spec"]["workloads"]>[number];

/** Empty text when there is nobody to draft for. */
export function inventoryDraft(workloads: readonly DiscoveredWorkload[]): string {
  if (workloads.length === 0) return "";
  const prefix = commonPrefix(workloads.map((workload) => workload.name));
  const entries = workloads
    .map((workload): Entry => {
      const name = workload.name.slice(prefix.length);
      return {
        name,
        namespace: workload.namespace,
        labels: { app: appOf(name) },
        ...attachment(workload),
      };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const manifest: InventoryManifest = {
    apiVersion: API_VERSION,
    kind: "Inventory",
    metadata: { name: "workloads" },
    spec: { workloads: entries },
  };
  const text =
    "Drafted from what was discovered. The labels are guesses from names: correct them, for they decide policy.";
  return printResources([{ manifest, comments: [{ path: [], text }] }]);
}

function attachment(workload: DiscoveredWorkload): Partial<Entry> {
  const path = workload.netnsPath ?? "";
  if (workload.kind === "container") return { container: workload.name };
  const named = /^\/(?:var\/)?run\/netns\/([^/]+)$/.exec(path)?.[1];
  return named === undefined ? { addresses: workload.addresses } : { netns: named };
}

/** Up to the last dash that all names share, if each has something left behind it. */
function commonPrefix(names: readonly string[]): string {
  const [first = "", ...others] = names;
  if (others.length === 0) return "";
  for (let end = first.lastIndexOf("-"); end > 0; end = first.lastIndexOf("-", end - 1)) {
    const prefix = first.slice(0, end + 1);
    const rests = names.map((name) => name.slice(prefix.length));
    const apart =
      new Set(rests).size === names.length && rests.every((rest) => /^[a-z0-9]/.test(rest));
    if (apart && names.every((name) => name.startsWith(prefix))) return prefix;
  }
  return "";
}

/** Copies differ in their number only: `storefront-2` is a storefront. */
function appOf(name: string): string {
  return name.replace(/[-_.]?\d+$/, "") || name;
}

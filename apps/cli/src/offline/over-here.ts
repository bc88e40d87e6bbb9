/**
 * A folder laid over this machine: its policies judge whoever is here. Of a workload that is here the machine tells where it
 * is, and the folder, where it declares it, its labels and ports; whom only the folder has is there besides.
 */
import { DEFAULT_NAMESPACE, type Resource, type SourceFile } from "@bulkhead/dialects";
import { formatSpan } from "@bulkhead/model";
import { inventoryExport, type ExportedWorkload } from "@bulkhead/workbench";
import type { Desk } from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { EVERYBODY_FILE, orNameFolder, readEverybody } from "./in-force.ts";

export interface OverHere {
  readonly everybody: SourceFile;
  /** What of the folder is said by `everybody`. */
  readonly leaveOut: (resource: Resource) => boolean;
}

export async function overHere(context: Context, folder: Desk, typed: string): Promise<OverHere> {
  const client = await context.client();
  const here = await orNameFolder(typed, () => readEverybody(client));
  const known = new Set(here.workloads.map(idOf));
  const pods = new Set(folder.resources.filter(isPods).map((one) => formatSpan(one.object.source)));
  const seen = here.workloads.map((one) => {
    const declared = folder.workloads.get(idOf(one));
    if (declared === undefined) return one;
    return { ...one, labels: declared.labels, namedPorts: declared.namedPorts };
  });
  // Pods that are not here stay in their own files, with what no Inventory can say of them.
  const besides = [...folder.workloads.values()].filter(
    ({ id, kind, source }) =>
      !known.has(id) && kind !== "node" && (source === undefined || !pods.has(formatSpan(source))),
  );
  const declaresMachine = folder.resources.some(
    ({ dialect, object }) =>
      dialect === "native" && object.kind === "Inventory" && object.spec.machine !== undefined,
  );
  const namespaces = new Map(
    [...here.namespaces, ...folder.built.inventory.namespaces].map((one) => [one.name, one]),
  );
  const text = inventoryExport({
    workloads: [...seen, ...besides],
    namespaces: [...namespaces.values()],
    hostAddresses: here.hostAddresses,
    profile: declaresMachine ? folder.set.profile : here.profile,
  });
  const leaveOut = (resource: Resource): boolean => {
    if (resource.object.source.file === EVERYBODY_FILE) return false;
    if (resource.dialect === "native") return resource.object.kind === "Inventory";
    if (resource.dialect !== "kubernetes") return false;
    if (resource.role === "namespace") return true;
    if (resource.role !== "pods") return false;
    const { namespace = DEFAULT_NAMESPACE, name } = resource.object.metadata;
    return known.has(`${namespace}/${name}`);
  };
  return { everybody: { name: EVERYBODY_FILE, text }, leaveOut };
}

function idOf({ namespace, name }: Pick<ExportedWorkload, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}

function isPods(resource: Resource): boolean {
  return resource.dialect === "kubernetes" && resource.role === "pods";
}

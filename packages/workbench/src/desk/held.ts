/**
 * The policy in force somewhere, as files: of each text those of its resources that are still held, each in the mode it was
 * applied with. Who is there is told by others, so that what the texts say of workloads is left out.
 */
import {
  formatResourceName,
  parseFiles,
  resourceName,
  type Resource,
  type SourceFile,
  type TextLimits,
} from "@bulkhead/dialects";
import type { Diagnostic } from "@bulkhead/model";

/** Names of resources in force with their modes, by the name of the file. A file that is not in it is read whole. */
export type HeldFiles = ReadonlyMap<string, ReadonlyMap<string, "audit" | "enforce">>;

export interface HeldResources {
  readonly resources: readonly Resource[];
  readonly audited: ReadonlySet<string>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Files are read one by one: two may be versions of one, with a resource in force from each. */
export function readHeld(
  files: readonly SourceFile[],
  held: HeldFiles,
  limits: TextLimits | undefined,
): HeldResources {
  const resources: Resource[] = [];
  const diagnostics: Diagnostic[] = [];
  const audited = new Set<string>();
  for (const file of files) {
    const parsed = parseFiles([file], { strangers: "left", ...(limits && { limits }) });
    const modes = held.get(file.name);
    diagnostics.push(...parsed.diagnostics);
    for (const resource of parsed.resources) {
      const name = formatResourceName(resourceName(resource));
      if (modes !== undefined && (!modes.has(name) || tellsWhoIsThere(resource))) continue;
      if (modes?.get(name) === "audit") audited.add(name);
      resources.push(resource);
    }
  }
  return { resources, audited, diagnostics };
}

function tellsWhoIsThere(resource: Resource): boolean {
  if (resource.dialect === "native") return resource.object.kind === "Inventory";
  return (
    resource.dialect === "kubernetes" && (resource.role === "pods" || resource.role === "namespace")
  );
}

/**
 * What would be in force: the resources of files, joined with those that stay. Resources are compared by what they
 * say, not by where they stand; what says the same with the same mode is unchanged, even if its line moved.
 */
import { ApiFailure } from "@bulkhead/api";
import { formatResourceName, parseFiles, resourceName, type Resource } from "@bulkhead/dialects";
import { sameOrigin, type Canary, type Diagnostic } from "@bulkhead/model";
import {
  hashText,
  type ApplyMode,
  type ChangeSummary,
  type StoredFile,
  type StoredResource,
} from "@bulkhead/store";
import { alongWith, isRolledOut, isSettled, sameCanary } from "./rollout.ts";

/** A resource in force, with its parsed form. */
export interface HeldResource {
  readonly stored: StoredResource;
  readonly resource: Resource;
}

export interface Given {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly files: readonly StoredFile[];
  readonly diagnostics: readonly Diagnostic[];
  /** What could be read of resources with errors, to find what else is wrong with them. */
  readonly partial: readonly Resource[];
}

export function readGiven(files: readonly StoredFile[]): Given {
  const { resources, partial, diagnostics } = parseFiles(files);
  return {
    resources: new Map(resources.map((resource) => [keyOf(resource), resource])),
    files,
    diagnostics,
    partial,
  };
}

export function keyOf(resource: Resource): string {
  return formatResourceName(resourceName(resource));
}

export interface Candidate {
  readonly held: readonly HeldResource[];
  readonly changes: ChangeSummary;
}

export interface MergeOptions {
  readonly mode: ApplyMode;
  /** Resources in force that the files do not hold go. The scope is everything that was ever applied here. */
  readonly prune: boolean;
  /** Enforced for this share of flows. What is enforced for all already, and stays as it is, goes on being so. */
  readonly canary?: Canary;
}

export function mergeGiven(
  current: readonly HeldResource[],
  given: Given,
  options: MergeOptions,
): Candidate {
  const before = new Map(current.map((held) => [held.stored.key, held]));
  const hashes = new Map(given.files.map((file) => [file.name, hashText(file.text)]));
  const origins = new Map(given.files.map((file) => [file.name, file.origin]));
  const changes = { added: [], changed: [], removed: [], unchanged: [], kept: [] } as Record<
    keyof ChangeSummary,
    string[]
  >;
  const after = new Map<string, HeldResource>();
  for (const [key, resource] of given.resources) {
    const fileName = resource.object.source.file;
    const old = before.get(key);
    const saysSame = old !== undefined && says(old.resource) === says(resource);
    const settled = saysSame && isSettled(old.stored);
    const origin = origins.get(fileName);
    const canary = settled || !isRolledOut(resource) ? undefined : options.canary;
    const stored: StoredResource = {
      key,
      fileName,
      fileHash: hashes.get(fileName) ?? "",
      mode: options.mode,
      ...(canary && { canary }),
      ...(origin && { origin }),
    };
    const same = saysSame && sameForce(old.stored, stored);
    // Where even the text is the same, the very object stays, and all that was derived from it.
    after.set(key, same && sameText(old.stored, stored) ? old : { stored, resource });
    if (old === undefined) changes.added.push(key);
    else if (same) changes.unchanged.push(key);
    else changes.changed.push(key);
  }
  for (const [key, held] of before) {
    if (after.has(key)) continue;
    if (options.prune) changes.removed.push(key);
    else {
      const moved = alongWith(held, options.canary);
      (moved === held ? changes.kept : changes.changed).push(key);
      after.set(key, moved);
    }
  }
  for (const list of Object.values(changes)) list.sort();
  return { held: sorted(after.values()), changes };
}

function sameForce(a: StoredResource, b: StoredResource): boolean {
  return a.mode === b.mode && sameCanary(a.canary, b.canary);
}

/** The same resources, all with this mode; as they are without one. */
export function inMode(
  held: readonly HeldResource[],
  mode: ApplyMode | undefined,
): readonly HeldResource[] {
  if (mode === undefined) return held;
  return held.map((one) => ({ ...one, stored: { ...one.stored, mode, canary: undefined } }));
}

/** What stays when the resources of these names go. Throws ApiFailure `unknown-resource`. */
export function withoutNamed(
  current: readonly HeldResource[],
  names: readonly string[],
): readonly HeldResource[] {
  const known = new Set(current.map(({ stored }) => stored.key));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new ApiFailure(
      "unknown-resource",
      `no resource in force is called ${unknown.map((name) => `\`${name}\``).join(" or ")}: nothing was changed`,
      { help: "write kind, namespace and name, as in `Policy/shop/db`" },
    );
  }
  return current.filter(({ stored }) => !names.includes(stored.key));
}

function sameText(a: StoredResource, b: StoredResource): boolean {
  return a.fileHash === b.fileHash && a.fileName === b.fileName && sameOrigin(a.origin, b.origin);
}

/** From one set to another as a whole, for rollback. */
export function compareHeld(
  current: readonly HeldResource[],
  next: readonly HeldResource[],
): ChangeSummary {
  const before = new Map(current.map((held) => [held.stored.key, held]));
  const after = new Map(next.map((held) => [held.stored.key, held]));
  const same = (key: string): boolean => {
    const [old, fresh] = [before.get(key), after.get(key)];
    return (
      old !== undefined &&
      fresh !== undefined &&
      sameForce(old.stored, fresh.stored) &&
      says(old.resource) === says(fresh.resource)
    );
  };
  const keys = [...after.keys()].toSorted();
  return {
    added: keys.filter((key) => !before.has(key)),
    changed: keys.filter((key) => before.has(key) && !same(key)),
    removed: [...before.keys()].filter((key) => !after.has(key)).toSorted(),
    unchanged: keys.filter(same),
    kept: [],
  };
}

function sorted(held: Iterable<HeldResource>): readonly HeldResource[] {
  return [...held].toSorted((a, b) =>
    a.stored.key < b.stored.key ? -1 : a.stored.key > b.stored.key ? 1 : 0,
  );
}

/** What a resource says, without the places where it says it. */
function says(resource: Resource): string {
  return JSON.stringify(resource, (key, value: unknown) =>
    key === "source" || key === "span" ? undefined : value,
  );
}

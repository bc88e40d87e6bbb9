/**
 * The policy in force, as the store has it: each revision's resources, read from the very texts they were given in, so
 * that every place that is ever printed is true.
 */
import { parseFiles } from "@bulkhead/dialects";
import type { Revision, StateStore, StoredResource } from "@bulkhead/store";
import { keyOf, type HeldResource } from "./candidate.ts";

/** Reads a set back. Throws when the store lacks a text or it no longer holds what it held. */
export async function readHeld(
  store: StateStore,
  resources: readonly StoredResource[],
): Promise<readonly HeldResource[]> {
  const files = new Map<string, StoredResource[]>();
  for (const stored of resources) {
    const key = `${stored.fileHash} ${stored.fileName}`;
    const others = files.get(key);
    if (others === undefined) files.set(key, [stored]);
    else others.push(stored);
  }
  const held = new Map<string, HeldResource>();
  for (const group of files.values()) {
    const { fileHash, fileName } = group[0] ?? { fileHash: "", fileName: "" };
    const text = await store.fileText(fileHash);
    if (text === null)
      throw new Error(
        `the text of \`${fileName}\` (${fileHash.slice(0, 12)}…) is missing from the state`,
      );
    const found = new Map(
      parseFiles([{ name: fileName, text }]).resources.map((resource) => [
        keyOf(resource),
        resource,
      ]),
    );
    for (const stored of group) {
      const resource = found.get(stored.key);
      if (resource === undefined)
        throw new Error(`\`${stored.key}\` is no longer found in the stored \`${fileName}\``);
      held.set(stored.key, { stored, resource });
    }
  }
  return resources.flatMap(({ key }) => held.get(key) ?? []);
}

/** Revision 0 is the beginning: nothing. */
export async function readRevision(
  store: StateStore,
  number: number,
): Promise<{ readonly revision: Revision | null; readonly held: readonly HeldResource[] } | null> {
  if (number === 0) return { revision: null, held: [] };
  const revision = await store.revision(number);
  return revision === null ? null : { revision, held: await readHeld(store, revision.resources) };
}

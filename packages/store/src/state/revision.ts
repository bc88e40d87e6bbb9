/**
 * One accepted change, and the chain that makes a later alteration visible: the hash of a revision covers all its
 * fields, the texts of its files (by their hashes) and the hash of the revision before.
 */
import { createHash } from "node:crypto";
import type { Canary, FileOrigin } from "@bulkhead/model";

export type ApplyMode = "audit" | "enforce";

/** A resource in force, with the file text it stands in, so that its source spans stay true. */
export interface StoredResource {
  /** `Policy/shop/db`; unique in a set. */
  readonly key: string;
  readonly fileName: string;
  /** SHA-256 of the file's text, lower-case hex. */
  readonly fileHash: string;
  /** The mode it was last applied with. */
  readonly mode: ApplyMode;
  /** Enforced for a share of flows only. One rollout runs at a time: all that belongs to it says the same here. */
  readonly canary?: Canary;
  /** Of its file, as whoever applied it said. */
  readonly origin?: FileOrigin;
}

export interface StoredFile {
  readonly name: string;
  readonly text: string;
  readonly origin?: FileOrigin | undefined;
}

export interface ChangeSummary {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
  readonly kept: readonly string[];
}

export interface NewRevision {
  readonly time: number;
  readonly kind: "apply" | "delete" | "rollback" | "revert";
  readonly author: string;
  readonly reason: string;
  readonly mode: ApplyMode;
  readonly forced: boolean;
  readonly changes: ChangeSummary;
  /** Files as given with this change. */
  readonly given: readonly {
    readonly name: string;
    readonly hash: string;
    readonly origin?: FileOrigin;
  }[];
  /** The whole set in force from this revision on, sorted by key. */
  readonly resources: readonly StoredResource[];
  readonly restores?: number;
}

export interface Revision extends NewRevision {
  readonly revision: number;
  readonly prevHash: string;
  readonly hash: string;
}

export const GENESIS = "0".repeat(64);

export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Fixed order, so that equal content gives equal bytes. */
export function revisionHash(revision: Omit<Revision, "hash">): string {
  return hashText(
    JSON.stringify([
      revision.revision,
      revision.time,
      revision.kind,
      revision.author,
      revision.reason,
      revision.mode,
      revision.forced,
      [
        revision.changes.added,
        revision.changes.changed,
        revision.changes.removed,
        revision.changes.unchanged,
        revision.changes.kept,
      ],
      revision.given.map((file) => [file.name, file.hash, ...originFields(file.origin)]),
      revision.resources.map((resource) => [
        resource.key,
        resource.fileName,
        resource.fileHash,
        resource.mode,
        // What was written before there were rollouts hashes as it did.
        ...(resource.canary === undefined ? [] : [resource.canary.seed, resource.canary.share]),
        ...originFields(resource.origin),
      ]),
      revision.restores ?? null,
      revision.prevHash,
    ]),
  );
}

/** One field or none, told from a canary's by its form. What was written before there were origins hashes as it did. */
function originFields(origin: FileOrigin | undefined): readonly unknown[] {
  return origin === undefined ? [] : [["git", origin.commit, origin.path, origin.changed]];
}

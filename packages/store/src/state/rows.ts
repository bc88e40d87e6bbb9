/** Revisions and drift reports as rows of the database, and back. */
import type { Insertable, Selectable } from "kysely";
import type { NewRevision, Revision } from "./revision.ts";
import type { StateTables } from "./schema.ts";
import type { StoredDrift } from "./state-store.ts";

export function rowOf(revision: Revision): Insertable<StateTables["revisions"]> {
  return {
    revision: revision.revision,
    time: revision.time,
    kind: revision.kind,
    author: revision.author,
    reason: revision.reason,
    mode: revision.mode,
    forced: revision.forced ? 1 : 0,
    changes: JSON.stringify(revision.changes),
    given: JSON.stringify(revision.given),
    resources: JSON.stringify(revision.resources),
    restores: revision.restores ?? null,
    prev_hash: revision.prevHash,
    hash: revision.hash,
  };
}

export function revisionOf(row: Selectable<StateTables["revisions"]>): Revision {
  return {
    revision: row.revision,
    time: row.time,
    kind: row.kind as NewRevision["kind"],
    author: row.author,
    reason: row.reason,
    mode: row.mode as NewRevision["mode"],
    forced: row.forced === 1,
    changes: JSON.parse(row.changes),
    given: JSON.parse(row.given),
    resources: JSON.parse(row.resources),
    ...(row.restores === null ? {} : { restores: row.restores }),
    prevHash: row.prev_hash,
    hash: row.hash,
  };
}

export function driftOf(row: Selectable<StateTables["drift_reports"]>): StoredDrift {
  return {
    host: row.host,
    detectedAt: row.detected_at,
    revision: row.revision,
    expectedDigest: row.expected_digest,
    actualDigest: row.actual_digest,
    differences: JSON.parse(row.differences),
    repaired: row.repaired === 1,
  };
}

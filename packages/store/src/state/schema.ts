/** Tables of the control-plane state, and how a file that has none, or older ones, gets them. */
import { sql, type Generated, type Kysely } from "kysely";

export interface StateTables {
  /** File texts as given, once each, by the SHA-256 of their text. */
  files: { hash: string; text: string };
  /** Append-only; a trigger refuses every other change, and the hash chain tells if somebody did it regardless. */
  revisions: {
    revision: number;
    time: number;
    kind: string;
    author: string;
    reason: string;
    mode: string;
    forced: number;
    changes: string;
    given: string;
    resources: string;
    restores: number | null;
    prev_hash: string;
    hash: string;
  };
  /** At most one row: the change that reverts by itself. */
  pending_confirm: { id: number; revision: number; reverts_to: number; deadline: number };
  /** What became of changes that had to be confirmed. */
  confirmations: { revision: number; outcome: string; time: number };
  receipts: {
    id: Generated<number>;
    host: string;
    revision: number;
    digest: string;
    driver: string;
    read_at: number;
    entries: number;
    signature: string;
    matches: number;
  };
  drift_reports: {
    id: Generated<number>;
    host: string;
    detected_at: number;
    revision: number;
    expected_digest: string;
    actual_digest: string | null;
    differences: string;
    repaired: number;
  };
  probe_runs: { id: Generated<number>; time: number; summary: string; results: string };
  settings: { key: string; value: string };
  /** Events by the hour (its beginning, milliseconds since the epoch) and name. */
  tallies: { hour: number; name: string; count: number };
  incidents: {
    id: Generated<number>;
    kind: string;
    subject: string;
    message: string;
    detected_at: number;
    ended_at: number | null;
    ended_by: string | null;
  };
}

const VERSION = 1;

const CREATE = [
  `CREATE TABLE files (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE revisions (
     revision INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, author TEXT NOT NULL,
     reason TEXT NOT NULL, mode TEXT NOT NULL, forced INTEGER NOT NULL, changes TEXT NOT NULL, given TEXT NOT NULL,
     resources TEXT NOT NULL, restores INTEGER, prev_hash TEXT NOT NULL, hash TEXT NOT NULL UNIQUE)`,
  `CREATE TRIGGER revisions_stay BEFORE UPDATE ON revisions BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END`,
  `CREATE TRIGGER revisions_keep BEFORE DELETE ON revisions BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END`,
  `CREATE TABLE pending_confirm (
     id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, reverts_to INTEGER NOT NULL, deadline INTEGER NOT NULL)`,
  `CREATE TABLE confirmations (revision INTEGER PRIMARY KEY, outcome TEXT NOT NULL, time INTEGER NOT NULL)`,
  `CREATE TABLE receipts (
     id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, revision INTEGER NOT NULL, digest TEXT NOT NULL,
     driver TEXT NOT NULL, read_at INTEGER NOT NULL, entries INTEGER NOT NULL, signature TEXT NOT NULL, matches INTEGER NOT NULL)`,
  `CREATE TABLE drift_reports (
     id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, detected_at INTEGER NOT NULL, revision INTEGER NOT NULL,
     expected_digest TEXT NOT NULL, actual_digest TEXT, differences TEXT NOT NULL, repaired INTEGER NOT NULL)`,
  `CREATE TABLE probe_runs (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, summary TEXT NOT NULL, results TEXT NOT NULL)`,
  `CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
];

export async function prepareSchema(database: Kysely<StateTables>): Promise<void> {
  const found = await sql<{ user_version: number }>`PRAGMA user_version`.execute(database);
  const version = found.rows[0]?.user_version ?? 0;
  if (version === VERSION) return;
  if (version > VERSION) {
    throw new Error(
      `the state was written by a newer version (schema ${version}, this one knows ${VERSION})`,
    );
  }
  await database.transaction().execute(async (transaction) => {
    for (const statement of CREATE) await sql.raw(statement).execute(transaction);
    await sql.raw(`PRAGMA user_version = ${VERSION}`).execute(transaction);
  });
}

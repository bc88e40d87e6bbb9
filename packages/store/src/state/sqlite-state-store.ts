/** The state store on node:sqlite through kysely. One file, one process. */
import { Kysely, SqliteDialect, type Insertable, type Selectable, type Transaction } from "kysely";
import { openNodeSqlite } from "./node-sqlite.ts";
import { GENESIS, hashText, revisionHash, type NewRevision, type Revision } from "./revision.ts";
import { prepareSchema, type StateTables } from "./schema.ts";
import {
  StoreFullError,
  type ChainCheck,
  type StateStore,
  type StoredDrift,
} from "./state-store.ts";

/** Receipts come every few seconds; only the newest are of interest. */
const RECEIPTS_KEPT = 1000;

export async function openStateStore(path: string): Promise<StateStore> {
  const database = new Kysely<StateTables>({
    dialect: new SqliteDialect({ database: async () => openNodeSqlite(path) }),
  });
  await full(() => prepareSchema(database));

  return {
    append: (change, files, more = {}) =>
      full(() =>
        database.transaction().execute(async (transaction) => {
          const last = await newest(transaction);
          const unhashed = {
            ...change,
            revision: (last?.revision ?? 0) + 1,
            prevHash: last?.hash ?? GENESIS,
          };
          const revision: Revision = { ...unhashed, hash: revisionHash(unhashed) };
          for (const file of files) {
            await transaction
              .insertInto("files")
              .values({ hash: hashText(file.text), text: file.text })
              .onConflict((conflict) => conflict.doNothing())
              .execute();
          }
          await transaction.insertInto("revisions").values(rowOf(revision)).execute();
          const waiting = await transaction
            .deleteFrom("pending_confirm")
            .returning("revision")
            .executeTakeFirst();
          if (waiting !== undefined) {
            await transaction
              .insertInto("confirmations")
              .values({
                revision: waiting.revision,
                outcome: more.settles ?? "confirmed",
                time: change.time,
              })
              .execute();
          }
          const { confirmBy, reopens } = more;
          const waits =
            reopens ??
            (confirmBy === undefined
              ? undefined
              : {
                  revision: revision.revision,
                  revertsTo: last?.revision ?? 0,
                  deadline: confirmBy,
                });
          if (reopens !== undefined) {
            await transaction
              .deleteFrom("confirmations")
              .where("revision", "=", reopens.revision)
              .execute();
          }
          if (waits !== undefined) {
            await transaction
              .insertInto("pending_confirm")
              .values({
                id: 1,
                revision: waits.revision,
                reverts_to: waits.revertsTo,
                deadline: waits.deadline,
              })
              .execute();
          }
          return revision;
        }),
      ),

    async revisions() {
      const rows = await database
        .selectFrom("revisions")
        .selectAll()
        .orderBy("revision", "desc")
        .execute();
      return rows.map(revisionOf);
    },

    async revision(number) {
      const row = await database
        .selectFrom("revisions")
        .selectAll()
        .where("revision", "=", number)
        .executeTakeFirst();
      return row === undefined ? null : revisionOf(row);
    },

    async current() {
      const row = await newest(database);
      return row === undefined ? null : revisionOf(row);
    },

    async fileText(hash) {
      const row = await database
        .selectFrom("files")
        .select("text")
        .where("hash", "=", hash)
        .executeTakeFirst();
      return row?.text ?? null;
    },

    verifyChain: () => verifyChain(database),

    async pendingConfirm() {
      const row = await database.selectFrom("pending_confirm").selectAll().executeTakeFirst();
      return row === undefined
        ? null
        : { revision: row.revision, revertsTo: row.reverts_to, deadline: row.deadline };
    },

    confirm: (time) =>
      full(() =>
        database.transaction().execute(async (transaction) => {
          const row = await transaction
            .deleteFrom("pending_confirm")
            .returning("revision")
            .executeTakeFirst();
          if (row === undefined) return false;
          await transaction
            .insertInto("confirmations")
            .values({ revision: row.revision, outcome: "confirmed", time })
            .execute();
          return true;
        }),
      ),

    async confirmations() {
      const rows = await database.selectFrom("confirmations").selectAll().execute();
      return new Map(
        rows.map(
          (row) => [row.revision, row.outcome === "reverted" ? "reverted" : "confirmed"] as const,
        ),
      );
    },

    saveReceipt: ({ readAt, matches, ...receipt }) =>
      full(() =>
        database.transaction().execute(async (transaction) => {
          const inserted = await transaction
            .insertInto("receipts")
            .values({ ...receipt, read_at: readAt, matches: matches ? 1 : 0 })
            .returning("id")
            .executeTakeFirstOrThrow();
          await transaction
            .deleteFrom("receipts")
            .where("id", "<=", inserted.id - RECEIPTS_KEPT)
            .execute();
        }),
      ),

    saveDrift: (report) =>
      full(async () => {
        await database
          .insertInto("drift_reports")
          .values({
            host: report.host,
            detected_at: report.detectedAt,
            revision: report.revision,
            expected_digest: report.expectedDigest,
            actual_digest: report.actualDigest,
            differences: JSON.stringify(report.differences),
            repaired: report.repaired ? 1 : 0,
          })
          .execute();
      }),

    async drifts(limit) {
      const { total } = await database
        .selectFrom("drift_reports")
        .select((build) => build.fn.countAll<number>().as("total"))
        .executeTakeFirstOrThrow();
      const rows = await database
        .selectFrom("drift_reports")
        .selectAll()
        .orderBy("id", "desc")
        .limit(limit)
        .execute();
      return { total, reports: rows.map(driftOf) };
    },

    saveProbeRun: (run) =>
      full(async () => {
        await database
          .insertInto("probe_runs")
          .values({
            time: run.time,
            summary: JSON.stringify(run.summary),
            results: JSON.stringify(run.results),
          })
          .execute();
      }),

    async lastProbeRun() {
      const row = await database
        .selectFrom("probe_runs")
        .selectAll()
        .orderBy("id", "desc")
        .limit(1)
        .executeTakeFirst();
      return row === undefined
        ? null
        : { time: row.time, summary: JSON.parse(row.summary), results: JSON.parse(row.results) };
    },

    async setting(key) {
      const row = await database
        .selectFrom("settings")
        .select("value")
        .where("key", "=", key)
        .executeTakeFirst();
      return row?.value ?? null;
    },

    saveSetting: (key, value) =>
      full(async () => {
        await database
          .insertInto("settings")
          .values({ key, value })
          .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
          .execute();
      }),

    close: () => database.destroy(),
  };
}

function newest(from: Kysely<StateTables> | Transaction<StateTables>) {
  return from
    .selectFrom("revisions")
    .selectAll()
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** SQLITE_FULL and ENOSPC in the product's own words. */
async function full<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    // 13 = SQLITE_FULL; 10 = SQLITE_IOERR, which a full disk under a write-ahead log also gives (extended codes above).
    if (code === 13 || (typeof code === "number" && (code & 0xff) === 10)) {
      throw new StoreFullError(
        "the state could not be written: the disk is full or failing",
        error,
      );
    }
    throw error;
  }
}

async function verifyChain(database: Kysely<StateTables>): Promise<ChainCheck> {
  const rows = await database.selectFrom("revisions").selectAll().orderBy("revision").execute();
  const files = await database.selectFrom("files").selectAll().execute();
  const known = new Set(
    files.filter((file) => hashText(file.text) === file.hash).map((file) => file.hash),
  );
  let previous = GENESIS;
  let expected = 1;
  for (const row of rows) {
    const revision = parsedRevision(row);
    const holds =
      revision !== null &&
      revision.revision === expected &&
      revision.prevHash === previous &&
      revisionHash(revision) === revision.hash &&
      revision.given.every((file) => known.has(file.hash)) &&
      revision.resources.every((resource) => known.has(resource.fileHash));
    if (!holds) return { intact: false, brokenAt: row.revision };
    previous = row.hash;
    expected += 1;
  }
  return { intact: true };
}

/** Null when somebody made the row unreadable. */
function parsedRevision(row: Selectable<StateTables["revisions"]>): Revision | null {
  try {
    return revisionOf(row);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function rowOf(revision: Revision): Insertable<StateTables["revisions"]> {
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

function revisionOf(row: Selectable<StateTables["revisions"]>): Revision {
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

function driftOf(row: Selectable<StateTables["drift_reports"]>): StoredDrift {
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

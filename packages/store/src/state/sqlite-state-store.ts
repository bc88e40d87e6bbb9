/** The state store on node:sqlite through kysely. One file, one process. */
import { Kysely, SqliteDialect, type Transaction } from "kysely";
import { verifyChain } from "./chain-check.ts";
import { measureStore, prepareMeasures } from "./measures.ts";
import { openNodeSqlite } from "./node-sqlite.ts";
import { GENESIS, hashText, revisionHash, type Revision } from "./revision.ts";
import { driftOf, revisionOf, rowOf } from "./rows.ts";
import { prepareSchema, type StateTables } from "./schema.ts";
import { StoreFullError, type StateStore } from "./state-store.ts";

/** Receipts come every few seconds; only the newest are of interest. */
const RECEIPTS_KEPT = 1000;

export async function openStateStore(path: string): Promise<StateStore> {
  const database = new Kysely<StateTables>({
    dialect: new SqliteDialect({ database: async () => openNodeSqlite(path) }),
  });
  await full(() => prepareSchema(database));
  await full(() => prepareMeasures(database));

  return {
    ...measureStore(database, full),

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

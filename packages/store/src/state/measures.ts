/**
 * What measures over days and weeks are made of, beside revisions and drift: events counted by the hour, and incidents
 * with their beginning and end. Both outlive the process that saw them.
 */
import { sql, type Kysely } from "kysely";
import type { StateTables } from "./schema.ts";

export type IncidentKind = "drift" | "false-deny" | "blind-spot";

/** Something that had to be repaired. At most one of a kind and subject is open at a time. */
export interface Incident {
  readonly kind: IncidentKind;
  /** What is broken, and what like incidents are told by: a host, or `shop/web → shop/db 5432/tcp`. */
  readonly subject: string;
  readonly message: string;
  /** When it was noticed or reported, milliseconds since the epoch. */
  readonly detectedAt: number;
  /** When what ended it took effect; absent while it is open. */
  readonly endedAt?: number;
  /** `revision 7`, `repaired by the agent`. */
  readonly endedBy?: string;
}

export interface Tally {
  /** Milliseconds since the epoch, of the hour's beginning. */
  readonly hour: number;
  readonly name: string;
  readonly count: number;
}

export interface MeasureStore {
  /** Adds to the counts of the hour that `time` lies in. */
  tally(time: number, counts: Readonly<Record<string, number>>): Promise<void>;
  /** Of the hours that end after `since`; of all time where it is negative. */
  tallies(since: number): Promise<readonly Tally[]>;
  /** False when one of its kind and subject is open already; nothing changes then. */
  openIncident(incident: Incident): Promise<boolean>;
  /** Ends those open of a kind (and subject); the number of them. */
  endIncidents(
    which: { readonly kind: IncidentKind; readonly subject?: string },
    end: { readonly at: number; readonly by: string },
  ): Promise<number>;
  /** Open now, or ended since then; the newest first. */
  incidents(since: number): Promise<readonly Incident[]>;
  /** Drift found since then, the oldest first. */
  driftSince(since: number): Promise<readonly DriftEvent[]>;
  /** Forgets ended incidents from before; hours from before become one, so that what was counted of all time stays. */
  forgetMeasures(before: number): Promise<void>;
}

export interface DriftEvent {
  readonly host: string;
  readonly detectedAt: number;
  readonly revision: number;
  readonly actualDigest: string | null;
  readonly repaired: boolean;
}

const HOUR_OF = (time: number): number => Math.floor(time / 3_600_000) * 3_600_000;

/**
 * Made at every start where they are missing, and outside the numbered schema: an earlier version opens a file that has
 * them, and does not see them.
 */
const CREATE = [
  `CREATE TABLE IF NOT EXISTS tallies (
     hour INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (hour, name)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS incidents (
     id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL,
     detected_at INTEGER NOT NULL, ended_at INTEGER, ended_by TEXT)`,
  `CREATE UNIQUE INDEX IF NOT EXISTS incidents_open ON incidents (kind, subject) WHERE ended_at IS NULL`,
  `CREATE INDEX IF NOT EXISTS drift_reports_time ON drift_reports (detected_at)`,
];

export async function prepareMeasures(database: Kysely<StateTables>): Promise<void> {
  for (const statement of CREATE) await sql.raw(statement).execute(database);
}

export function measureStore(
  database: Kysely<StateTables>,
  write: <T>(work: () => Promise<T>) => Promise<T>,
): MeasureStore {
  return {
    tally: (time, counts) =>
      write(async () => {
        const rows = Object.entries(counts)
          .filter(([, count]) => count !== 0)
          .map(([name, count]) => ({ hour: HOUR_OF(time), name, count }));
        if (rows.length === 0) return;
        await database
          .insertInto("tallies")
          .values(rows)
          .onConflict((conflict) =>
            conflict.columns(["hour", "name"]).doUpdateSet((build) => ({
              count: sql`tallies.count + ${build.ref("excluded.count")}`,
            })),
          )
          .execute();
      }),

    tallies: (since) =>
      database
        .selectFrom("tallies")
        .selectAll()
        .where("hour", ">", since < 0 ? since : Math.max(0, since - 3_600_000))
        .orderBy("hour")
        .orderBy("name")
        .execute(),

    openIncident: (incident) =>
      write(async () => {
        const opened = await database
          .insertInto("incidents")
          .values({
            kind: incident.kind,
            subject: incident.subject,
            message: incident.message,
            detected_at: incident.detectedAt,
            ended_at: incident.endedAt ?? null,
            ended_by: incident.endedBy ?? null,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returning("id")
          .executeTakeFirst();
        return opened !== undefined;
      }),

    endIncidents: ({ kind, subject }, { at, by }) =>
      write(async () => {
        let update = database
          .updateTable("incidents")
          .set({ ended_at: at, ended_by: by })
          .where("kind", "=", kind)
          .where("ended_at", "is", null);
        if (subject !== undefined) update = update.where("subject", "=", subject);
        const { numUpdatedRows } = await update.executeTakeFirstOrThrow();
        return Number(numUpdatedRows);
      }),

    async incidents(since) {
      const rows = await database
        .selectFrom("incidents")
        .selectAll()
        .where((where) => where.or([where("ended_at", "is", null), where("ended_at", ">=", since)]))
        .orderBy("id", "desc")
        .execute();
      return rows.map((row) => ({
        kind: row.kind as IncidentKind,
        subject: row.subject,
        message: row.message,
        detectedAt: row.detected_at,
        ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
        ...(row.ended_by === null ? {} : { endedBy: row.ended_by }),
      }));
    },

    async driftSince(since) {
      const rows = await database
        .selectFrom("drift_reports")
        .select(["host", "detected_at", "revision", "actual_digest", "repaired"])
        .where("detected_at", ">=", since)
        .orderBy("id")
        .execute();
      return rows.map((row) => ({
        host: row.host,
        detectedAt: row.detected_at,
        revision: row.revision,
        actualDigest: row.actual_digest,
        repaired: row.repaired === 1,
      }));
    },

    forgetMeasures: (before) =>
      write(async () => {
        const end = HOUR_OF(before);
        await database.transaction().execute(async (transaction) => {
          const old = await transaction
            .deleteFrom("tallies")
            .where("hour", "<", end)
            .returning(["name", "count"])
            .execute();
          const sums = Map.groupBy(old, ({ name }) => name);
          for (const [name, ones] of sums) {
            const count = ones.reduce((sum, one) => sum + one.count, 0);
            await transaction.insertInto("tallies").values({ hour: 0, name, count }).execute();
          }
          await transaction.deleteFrom("incidents").where("ended_at", "<", before).execute();
        });
      }),
  };
}

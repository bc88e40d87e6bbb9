/** What is forgotten, and when: single flows by age and number, days by age, and then what nothing refers to any more. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { DAY_MS, HOUR_MS } from "@bulkhead/model";
import type { DayBook } from "./day-book.ts";
import type { Pruned, Retention } from "./flow-store.ts";
import type { RecordDigests } from "./record-digests.ts";
import { ask } from "./sql.ts";

/** In the caller's transaction. */
export async function forgetRecords(
  connection: DuckDBConnection,
  book: DayBook,
  digests: RecordDigests,
  retention: Retention,
): Promise<Pruned> {
  const before = Math.floor(retention.daysBefore / DAY_MS);
  const most = Math.max(0, Math.trunc(retention.maxRecords));
  const [counted] = await ask(connection, "SELECT count(*) AS n FROM records WHERE end_ms >= $1", [
    BigInt(Math.ceil(retention.before)),
  ]);
  const surplus = Number(counted?.["n"] ?? 0) - most;
  const doomed =
    `end_ms < ${Math.ceil(retention.before)} OR start_ms < ${before * DAY_MS}` +
    (surplus <= 0
      ? ""
      : ` OR rowid IN (SELECT rowid FROM records ORDER BY end_ms DESC, rowid DESC OFFSET ${most})`);
  const days = await ask(
    connection,
    `SELECT DISTINCT start_ms // ${DAY_MS} AS day FROM records WHERE ${doomed}`,
  );
  await book.seal(
    connection,
    days.map(({ day }) => Number(day)),
  );
  const gone = await connection.run(`DELETE FROM records WHERE ${doomed}`);
  const forgotten = await book.forget(connection, before);
  await connection.run("DELETE FROM watch WHERE day < $1", [before]);
  await digests.forget(connection, (before * DAY_MS) / HOUR_MS);
  await connection.run("DELETE FROM watch_by WHERE day < $1", [before]);
  return { flows: gone.rowsChanged, days: forgotten };
}

/** Links and ends of which neither a record nor a sum tells; the number of them. In the caller's transaction. */
export async function forgetUnused(connection: DuckDBConnection): Promise<number> {
  const links = await connection.run(`DELETE FROM links WHERE id NOT IN
    (SELECT link FROM records UNION SELECT link FROM days UNION SELECT link FROM blocks)`);
  if (links.rowsChanged === 0) return 0;
  const ends = await connection.run(
    "DELETE FROM ends WHERE id NOT IN (SELECT src FROM links UNION SELECT dst FROM links)",
  );
  return links.rowsChanged + ends.rowsChanged;
}

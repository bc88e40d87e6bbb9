/**
 * The tables of a flow file. What repeats stands once: ends as they were (address, workload, name, labels, DNS names), and
 * links between two ends by protocol, port and manner (verdict, rule, probe). A record is then a row of numbers. Days sum
 * the records of a link, blocks sum 32 days. Links that are one edge, whatever labels its ends had, share `edge`, and ends
 * that are one party share `party`: each is the id of the first of them.
 *
 *   ends ◄── links ◄── records     single flows, for weeks; `seq` counts the appends
 *   manners ◄─┘  ▲ ▲     └──► details (node, cookie, direction, origin)
 *                │ └── days        what `rolled` names, for years
 *                ├──── blocks      what `closed` names: a copy of days, made for speed
 *                └──── totals      the blocks that `totalled` names in one: a copy of blocks, made for speed
 *
 * `watch` has the hours in which records began, `watch_by` the same by who told of them (not of files older than that).
 * `unsummed` counts what was never answered and was too much to be summed; `digests` are of records of others, which may be
 * told again; `identity` is the store's own name.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { DAY_MS, HOUR_MS } from "@bulkhead/model";
import { ask, transaction } from "./sql.ts";

const SUMS = `connections BIGINT, established BIGINT, failed BIGINT, bytes BIGINT, packets BIGINT, windows BIGINT,
  first_ms BIGINT, last_ms BIGINT, last_start BIGINT, origins BIGINT`;

const TABLES = `
  CREATE TABLE ends (id INTEGER, party INTEGER, address VARCHAR, workload VARCHAR, name VARCHAR, labels VARCHAR, names VARCHAR);
  CREATE TABLE manners (id INTEGER, verdict VARCHAR, rule VARCHAR, probe BOOLEAN);
  CREATE TABLE origins (id INTEGER, origin VARCHAR);
  CREATE TABLE details (id INTEGER, node VARCHAR, cookie VARCHAR, direction VARCHAR, origin INTEGER);
  CREATE TABLE links (id INTEGER, edge INTEGER, src INTEGER, dst INTEGER, src_party INTEGER, dst_party INTEGER,
    protocol INTEGER, port INTEGER, manner INTEGER);
  CREATE TABLE records (seq INTEGER, start_ms BIGINT, end_ms BIGINT, link INTEGER, detail INTEGER, source_port INTEGER,
    connections BIGINT, established BIGINT, failed BIGINT, bytes BIGINT, packets BIGINT,
    src_process VARCHAR, dst_process VARCHAR, request VARCHAR);
  CREATE TABLE days (day INTEGER, link INTEGER, hours INTEGER, ${SUMS});
  CREATE TABLE blocks (block INTEGER, link INTEGER, ${SUMS});
  CREATE TABLE rolled (day INTEGER, seq INTEGER, sealed BOOLEAN);
  CREATE TABLE closed (block INTEGER);
  CREATE TABLE IF NOT EXISTS watch (day INTEGER, hours INTEGER);
  CREATE TABLE IF NOT EXISTS intake (boot VARCHAR NOT NULL, sequence BIGINT NOT NULL);`;

/** What the first files of this layout lack. */
const LATER_TABLES = `
  CREATE TABLE IF NOT EXISTS unsummed (day INTEGER, edges BIGINT, connections BIGINT);
  CREATE TABLE IF NOT EXISTS totals (link INTEGER, ${SUMS});
  CREATE TABLE IF NOT EXISTS totalled (block INTEGER);
  CREATE TABLE IF NOT EXISTS watch_by (day INTEGER, format VARCHAR, hours INTEGER);
  CREATE TABLE IF NOT EXISTS digests (hour INTEGER, digest BIGINT, seq INTEGER);
  CREATE TABLE IF NOT EXISTS identity (name VARCHAR);
  INSERT INTO identity SELECT uuid()::VARCHAR WHERE NOT EXISTS (FROM identity);`;

/** Those that grow. */
export const TABLE_NAMES = [
  "ends",
  "links",
  "records",
  "days",
  "blocks",
  "totals",
  "digests",
] as const;

/** Days of one block: as many as fit in a number by a shift. */
export const BLOCK_SHIFT = 5;

/** Makes the tables, and takes over what a file of the earlier layout has, in one transaction. */
export async function layOut(connection: DuckDBConnection): Promise<void> {
  const names = new Set(
    (await ask(connection, "SELECT table_name AS name FROM duckdb_tables()")).map(
      ({ name }) => name,
    ),
  );
  if (names.has("records")) {
    await connection.run(LATER_TABLES);
    return;
  }
  await transaction(connection, async () => {
    await connection.run(TABLES + LATER_TABLES);
    if (names.has("flows")) await takeOver(connection, names.has("watch"));
  });
  await connection.run("CHECKPOINT");
}

/** Columns that the oldest files lack. */
const LATER = ["src_names", "dst_names", "node", "src_process", "dst_process", "origin", "request"];

async function takeOver(connection: DuckDBConnection, watched: boolean): Promise<void> {
  for (const column of LATER)
    await connection.run(`ALTER TABLE flows ADD COLUMN IF NOT EXISTS ${column} VARCHAR`);
  await connection.run(TAKE_OVER);
  if (!watched) {
    await connection.run(`INSERT INTO watch SELECT start_ms // ${DAY_MS} AS day,
      bit_or(1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER) FROM records GROUP BY day`);
  }
  await connection.run(`INSERT INTO watch_by
    SELECT start_ms // ${DAY_MS} AS day, coalesce(regexp_extract(o.origin, '"format":"([^"]+)"', 1), 'agent') AS format,
      bit_or(1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER)
    FROM records r JOIN details t ON t.id = r.detail LEFT JOIN origins o ON o.id = t.origin GROUP BY 1, 2`);
  await connection.run("DROP TABLE flows");
}

const END = (side: "src" | "dst"): string =>
  ["address", "workload", "name", "labels", "names"]
    .map((column) => `${side}_${column} AS ${column}`)
    .join(", ");

const SAME = (id: string, side: "src" | "dst"): string =>
  `${["address", "name", "labels"].map((column) => `${id}.${column} = f.${side}_${column}`).join(" AND ")}
   AND ${id}.workload IS NOT DISTINCT FROM f.${side}_workload AND ${id}.names IS NOT DISTINCT FROM f.${side}_names`;

const TAKE_OVER = `
  INSERT INTO ends
    SELECT id, min(id) OVER (PARTITION BY address, workload, name), address, workload, name, labels, names
    FROM (SELECT row_number() OVER () AS id, * FROM
      (SELECT DISTINCT ${END("src")} FROM flows UNION SELECT DISTINCT ${END("dst")} FROM flows));
  INSERT INTO manners SELECT row_number() OVER (), * FROM (SELECT DISTINCT verdict, rule, probe FROM flows);
  INSERT INTO origins
    SELECT row_number() OVER (), origin FROM (SELECT DISTINCT origin FROM flows WHERE origin IS NOT NULL);
  INSERT INTO details
    SELECT row_number() OVER (), node, cookie, direction, id
    FROM (SELECT DISTINCT f.node, f.cookie, f.direction, o.id FROM flows f LEFT JOIN origins o ON o.origin = f.origin);
  CREATE TEMP TABLE taken AS
    SELECT f.rowid AS row, s.id AS src, d.id AS dst, s.party AS src_party, d.party AS dst_party, m.id AS manner, t.id AS detail
    FROM flows f
    JOIN ends s ON ${SAME("s", "src")}
    JOIN ends d ON ${SAME("d", "dst")}
    JOIN manners m ON m.verdict = f.verdict AND m.probe = f.probe AND m.rule IS NOT DISTINCT FROM f.rule
    LEFT JOIN origins o ON o.origin = f.origin
    JOIN details t ON t.node IS NOT DISTINCT FROM f.node AND t.cookie IS NOT DISTINCT FROM f.cookie
      AND t.direction IS NOT DISTINCT FROM f.direction AND t.origin IS NOT DISTINCT FROM o.id;
  INSERT INTO links
    SELECT id, min(id) OVER (PARTITION BY src_party, dst_party, protocol, port, manner), * EXCLUDE (id)
    FROM (SELECT row_number() OVER () AS id, * FROM
      (SELECT DISTINCT src, dst, src_party, dst_party, protocol, port, manner FROM taken JOIN flows f ON f.rowid = taken.row));
  INSERT INTO records
    SELECT 1, start_ms, end_ms, l.id, t.detail, source_port, connections, established, failed, bytes, packets,
      src_process, dst_process, request
    FROM flows f JOIN taken t ON t.row = f.rowid
    JOIN links l ON l.src = t.src AND l.dst = t.dst AND l.manner = t.manner AND l.protocol = f.protocol AND l.port = f.port
    ORDER BY start_ms;
  DROP TABLE taken;`;

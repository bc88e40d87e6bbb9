/** Flows and edges of ClickHouse's as a table for other programs, with the columns that every store writes. */
import { DuckDBInstance } from "@duckdb/node-api";

const moment = (column: string, as: string): string =>
  `fromUnixTimestamp64Milli(${column}, 'UTC') AS ${as}`;

const END = (side: "src" | "dst", as: string, more: readonly string[]): readonly string[] =>
  ["address", "name", "labels", ...more].map((field) => `${side}_${field} AS ${as}_${field}`);

const COUNTS = "connections established failed bytes packets".split(" ");

/** Lists of names, each JSON, as one; none is null. */
const names = (side: "src" | "dst", as: string): string =>
  `nullIf(toJSONString(arraySort(arrayDistinct(arrayFlatten(arrayMap(list -> if(list = '', [], JSONExtract(list, 'Array(String)')), ${side}_names))))), '[]') AS ${as}_names`;

const workload = (side: "src" | "dst", as: string): string =>
  `nullIf(${side}_workload, '') AS ${as}_workload`;

const FLOWS = [
  moment("start_ms", "start"),
  moment("end_ms", "end"),
  ...END("src", "source", ["workload", "names", "process"]),
  ...END("dst", "destination", ["workload", "names", "process"]),
  ..."protocol port source_port verdict cookie direction rule probe node origin request".split(" "),
  ...COUNTS,
];

const EDGES = [
  moment("first_seen", "first_seen"),
  moment("last_seen", "last_seen"),
  ...END("src", "source", []),
  workload("src", "source"),
  names("src", "source"),
  ...END("dst", "destination", []),
  workload("dst", "destination"),
  names("dst", "destination"),
  ..."protocol port verdict".split(" "),
  "nullIf(rule, '') AS rule",
  "probe",
  "if(arrayAll(one -> one = '', origins), NULL, concat('[', arrayStringConcat(arrayMap(one -> if(one = '', '{\"format\":\"agent\"}', one), arraySort(origins)), ','), ']')) AS origins",
  ...COUNTS,
  "windows",
];

export function exportQuery(rows: string, what: "flows" | "edges"): string {
  const columns = (what === "flows" ? FLOWS : EDGES).map((one) => one).join(", ");
  return `SELECT ${columns} FROM (${rows}) FORMAT Parquet`;
}

/** As the file itself tells. */
export async function parquetRows(path: string): Promise<number> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const read = await connection.runAndReadAll(
      "SELECT sum(num_rows)::DOUBLE FROM parquet_file_metadata($1)",
      [path],
    );
    return Number(read.getRows()[0]?.[0] ?? 0);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * Flows and edges as a table for other programs: the columns of an export, by the names of `observe`'s JSON, and the
 * statement that writes them to a Parquet file.
 */

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const moment = (column: string, as: string): string => `make_timestamp_ms(${column}) AS "${as}"`;

const END = (side: "src" | "dst", as: string, more: readonly string[]): readonly string[] =>
  ["address", "workload", "name", "labels", "names", ...more].map(
    (field) => `${side}_${field} AS ${as}_${field}`,
  );

const FLOWS = [
  moment("start_ms", "start"),
  moment("end_ms", "end"),
  ...END("src", "source", ["process"]),
  ...END("dst", "destination", ["process"]),
  ..."protocol port source_port verdict cookie direction rule probe node origin request".split(" "),
  ..."connections established failed bytes packets".split(" "),
];

const EDGES = [
  moment("first_seen", "first_seen"),
  moment("last_seen", "last_seen"),
  ...END("src", "source", []),
  ...END("dst", "destination", []),
  ..."protocol port verdict rule probe".split(" "),
  "origins",
  ..."connections established failed bytes packets windows".split(" "),
];

/** `rows`: a statement that gives the columns of flows, or of edges. */
export const EXPORT_SQL = (path: string, rows: string, what: "flows" | "edges"): string =>
  `COPY (SELECT ${(what === "flows" ? FLOWS : EDGES).join(", ")} FROM (${rows}))
   TO ${text(path)} (FORMAT parquet, COMPRESSION zstd)`;

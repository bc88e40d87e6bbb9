/** What the parts of the DuckDB flow store share: asking for rows or columns, and transactions that end whole. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";

/** A value as DuckDB hands it over: BIGINT is bigint, DOUBLE and INTEGER are numbers. */
export type Cell = string | number | bigint | boolean | null;
export type ResultRow = Readonly<Record<string, Cell>>;
export type Columns = Readonly<Record<string, readonly Cell[]>>;
export type Values = readonly DuckDBValue[];

export async function ask(
  connection: DuckDBConnection,
  sql: string,
  values: Values = [],
): Promise<ResultRow[]> {
  const reader = await connection.runAndReadAll(sql, [...values]);
  return reader.getRowObjects() as ResultRow[];
}

/** Cheaper than rows where there are many. */
export async function askColumns(
  connection: DuckDBConnection,
  sql: string,
  values: Values = [],
): Promise<Columns> {
  const reader = await connection.runAndReadAll(sql, [...values]);
  return reader.getColumnsObject() as Columns;
}

export async function transaction<T>(
  connection: DuckDBConnection,
  work: () => Promise<T>,
): Promise<T> {
  await connection.run("BEGIN");
  let result: T;
  try {
    result = await work();
    await connection.run("COMMIT");
  } catch (error) {
    await connection.run("ROLLBACK").catch((rollback: unknown) => {
      // A failed commit has ended the transaction already; the file is opened anew when DuckDB says it is unusable.
      if (isFatal(rollback)) throw rollback;
    });
    throw error;
  }
  return result;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isFull(error: unknown): boolean {
  return /no space left|could not write|failed to (?:write|commit|sync)|disk (?:is )?full/i.test(
    messageOf(error),
  );
}

export function isFatal(error: unknown): boolean {
  return /database has been invalidated|fatal error|no space left|could not write/i.test(
    messageOf(error),
  );
}

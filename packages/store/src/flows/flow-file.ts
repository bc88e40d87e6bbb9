/**
 * The flow file as it is found: one that cannot be read, half-written or of another kind, is set aside under another name, and
 * a new one begun. Nothing is deleted, and policy does not wait for history.
 */
import { existsSync, renameSync } from "node:fs";
import { openDuckDbFlowStore, type DuckDbFlowOptions } from "./duckdb-flow-store.ts";
import type { FlowStore } from "./flow-store.ts";
import { isFull } from "./sql.ts";

export interface OpenedFlows {
  readonly store: FlowStore;
  /** Where the file lies that could not be read. */
  readonly setAside?: string;
}

/** Two programs on one file: the one that was there first keeps it. */
export function isInUse(error: unknown): boolean {
  return error instanceof Error && /could not set lock|conflicting lock/i.test(error.message);
}

export async function openFlowFile(
  path: string,
  now: number,
  options: DuckDbFlowOptions = {},
): Promise<OpenedFlows> {
  try {
    return { store: await openDuckDbFlowStore(path, options) };
  } catch (error) {
    // What may be there for the next try is not set aside.
    const elsewhere =
      isInUse(error) || isFull(error) || /permission denied|out of memory/i.test(String(error));
    if (elsewhere || !existsSync(path)) throw error;
  }
  const setAside = freeName(
    `${path}.unreadable-${new Date(now).toISOString().slice(0, 19).replaceAll(":", "")}`,
  );
  renameSync(path, setAside);
  // The log belongs to this file, and would be taken for the new one's.
  if (existsSync(`${path}.wal`)) renameSync(`${path}.wal`, `${setAside}.wal`);
  return { store: await openDuckDbFlowStore(path, options), setAside };
}

function freeName(name: string): string {
  let free = name;
  for (let number = 2; existsSync(free); number += 1) free = `${name}-${number}`;
  return free;
}

/**
 * Makes Parquet files of what is on record and hands out their bytes. The file lies in a folder of its own inside the state
 * directory, which is root's alone, for as long as it is read; nobody names a path to us. One at a time, and only where the
 * disk has room for it and for what the control plane needs.
 */
import { mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ApiFailure, type ExportFlowsAnswer } from "@bulkhead/api";
import type { FlowFilter, FlowStore } from "@bulkhead/store";

export interface FlowExporterDeps {
  readonly store: Pick<FlowStore, "exportTo" | "stats">;
  /** The controller's own. */
  readonly folder: string;
  /** Has stored what waits. */
  readonly flush: () => Promise<void>;
  /** So long a piece may wait to be taken. */
  readonly patienceMs?: number;
}

export interface FlowExporter {
  parquet(filter: FlowFilter, what: "flows" | "edges"): AsyncGenerator<ExportFlowsAnswer>;
}

const PREFIX = "export-";
const PIECE = 512 * 1024;
/** What an export must leave free. */
const RESERVE = 128 * 1024 * 1024;

export function createFlowExporter(deps: FlowExporterDeps): FlowExporter {
  const { store, folder, flush, patienceMs = 60_000 } = deps;
  // Of a controller that was killed in the middle of one.
  for (const name of readdirSync(folder))
    if (name.startsWith(PREFIX)) rmSync(join(folder, name), { recursive: true, force: true });
  let underWay = false;

  async function checkRoom(): Promise<void> {
    const { bytes } = await store.stats();
    const { bavail, bsize } = statfsSync(folder);
    // What is exported is packed as the store's own file is; it does not get larger.
    if (bavail * bsize < bytes + RESERVE) {
      throw new ApiFailure("store-full", "there is not enough room on the disk for an export", {
        help: "give a shorter time (`--since`, `--until`), or make room; JSON Lines need none",
      });
    }
  }

  return {
    async *parquet(filter, what) {
      if (underWay) {
        throw new ApiFailure("busy", "another export is under way", {
          help: "try again when it is done",
        });
      }
      const own = mkdtempSync(join(folder, PREFIX));
      underWay = true;
      let patience: NodeJS.Timeout | undefined;
      let handle: FileHandle | undefined;
      let released = false;
      const release = async (): Promise<void> => {
        if (released) return;
        released = true;
        clearTimeout(patience);
        rmSync(own, { recursive: true, force: true });
        underWay = false;
        await handle?.close();
      };
      try {
        await checkRoom();
        await flush();
        const file = join(own, "flows.parquet");
        const { rows } = await store.exportTo(file, filter, what);
        handle = await open(file);
        const piece = Buffer.alloc(PIECE);
        let next: ExportFlowsAnswer = { kind: "begin", rows, bytes: (await stat(file)).size };
        for (;;) {
          // Whoever does not take what was asked for must not keep it from others.
          patience = setTimeout(() => void release(), patienceMs);
          yield next;
          clearTimeout(patience);
          if (released) throw new ApiFailure("busy", "the export was not read, and is given up");
          const { bytesRead } = await handle.read(piece, 0, PIECE, null);
          if (bytesRead === 0) return;
          next = { kind: "data", base64: piece.toString("base64", 0, bytesRead) };
        }
      } finally {
        await release();
      }
    },
  };
}

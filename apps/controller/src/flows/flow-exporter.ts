/**
 * Makes Parquet files of what is on record and hands out their bytes. The file lies in a folder of its own inside the state
 * directory, which is root's alone, for as long as it is read; nobody names a path to us. One at a time, and only where the
 * disk has room for it and for what the control plane needs. Who reads nothing for half a minute is given up, who reads next to
 * nothing gives way to the next, and the next is told who it is that reads.
 */
import { mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ApiFailure, type Access, type ExportFlowsAnswer } from "@bulkhead/api";
import type { FlowFilter, FlowStore } from "@bulkhead/store";

export interface FlowExporterDeps {
  readonly store: Pick<FlowStore, "exportTo" | "stats">;
  /** The controller's own. */
  readonly folder: string;
  /** Has stored what waits. */
  readonly flush: () => Promise<void>;
  /** So long a piece may wait to be taken. */
  readonly patienceMs?: number;
  /** Milliseconds that no step of the machine's clock moves. */
  readonly clock?: () => number;
}

export interface FlowExporter {
  /** `access`: by which of the sockets it was asked for. */
  parquet(
    filter: FlowFilter,
    what: "flows" | "edges",
    access: Access,
  ): AsyncGenerator<ExportFlowsAnswer>;
}

const PREFIX = "export-";
const PIECE = 512 * 1024;
/** What an export must leave free. */
const RESERVE = 128 * 1024 * 1024;
const PATIENCE_MS = 30_000;
/** Whoever takes less, after so long, holds up others: a thousandth of what a slow disk writes. */
const SLOW_BYTES_PER_S = 64 * 1024;
const SLOW_AFTER_MS = 60_000;

const READERS: Readonly<Record<Access, string>> = {
  read: "a member of the group `bulkhead`",
  change: "root",
};

interface Held {
  readonly access: Access;
  readonly since: number;
  /** Absent while the file is made. */
  handedOut?: { readonly since: number; readonly bytes: number; taken: number; last: number };
  /** Ends it, for this reason. */
  release(why: string): Promise<void>;
}

export function createFlowExporter(deps: FlowExporterDeps): FlowExporter {
  const { store, folder, flush, patienceMs = PATIENCE_MS, clock = () => performance.now() } = deps;
  // Of a controller that was killed in the middle of one.
  for (const name of readdirSync(folder))
    if (name.startsWith(PREFIX)) rmSync(join(folder, name), { recursive: true, force: true });
  let held: Held | undefined;

  function isSlow({ handedOut }: Held): boolean {
    if (handedOut === undefined) return false;
    const spent = clock() - handedOut.since;
    return spent > SLOW_AFTER_MS && (handedOut.taken * 1000) / spent < SLOW_BYTES_PER_S;
  }

  function busy({ access, since, handedOut }: Held): ApiFailure {
    const seconds = (from: number): string => `${Math.round((clock() - from) / 1000)} s`;
    const progress =
      handedOut === undefined
        ? "its file is being made"
        : `${handedOut.taken} of ${handedOut.bytes} bytes are taken, the last of them ${seconds(handedOut.last)} ago`;
    return new ApiFailure(
      "busy",
      `another export is under way: ${READERS[access]} began it ${seconds(since)} ago, and ${progress}`,
      {
        help: `try again when it is done: one that takes nothing for ${patienceMs / 1000} s is given up, and one below ${SLOW_BYTES_PER_S / 1024} KiB/s for ${SLOW_AFTER_MS / 1000} s gives way; JSON Lines need no turn`,
      },
    );
  }

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
    async *parquet(filter, what, access) {
      if (held !== undefined && !isSlow(held)) throw busy(held);
      // Free at once; only its file is closed later.
      const givenWay = held?.release("the export was read too slowly, and gave way to another");
      const own = mkdtempSync(join(folder, PREFIX));
      let patience: NodeJS.Timeout | undefined;
      let handle: FileHandle | undefined;
      let released: string | undefined;
      const release = async (why: string): Promise<void> => {
        if (released !== undefined) return;
        released = why;
        clearTimeout(patience);
        rmSync(own, { recursive: true, force: true });
        held = undefined;
        await handle?.close();
      };
      const mine: Held = { access, since: clock(), release };
      held = mine;
      try {
        await givenWay;
        await checkRoom();
        await flush();
        const file = join(own, "flows.parquet");
        const { rows } = await store.exportTo(file, filter, what);
        handle = await open(file);
        const piece = Buffer.alloc(PIECE);
        const { size } = await stat(file);
        let next: ExportFlowsAnswer = { kind: "begin", rows, bytes: size };
        const begun = clock();
        const progress = { since: begun, bytes: size, taken: 0, last: begun };
        mine.handedOut = progress;
        for (let length = 0; ;) {
          // Whoever does not take what was asked for must not keep it from others.
          patience = setTimeout(
            () => void release("the export was not read, and is given up"),
            patienceMs,
          );
          yield next;
          clearTimeout(patience);
          if (released !== undefined) throw new ApiFailure("busy", released);
          progress.taken += length;
          progress.last = clock();
          const { bytesRead } = await handle.read(piece, 0, PIECE, null);
          if (bytesRead === 0) return;
          length = bytesRead;
          next = { kind: "data", base64: piece.toString("base64", 0, bytesRead) };
        }
      } finally {
        await release("the export is over");
      }
    },
  };
}

/** Exports: bytes of a file that lies in the controller's own folder for as long as it is read, and one at a time. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createFlowExporter } from "../src/flows/flow-exporter.ts";
import { until } from "./lab.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bh-export-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const CONTENT = Buffer.alloc(1_300_000, "parquet");

function exporter(more: { readonly bytes?: number; readonly patienceMs?: number } = {}) {
  const paths: string[] = [];
  const made = createFlowExporter({
    store: {
      exportTo: (path) => {
        paths.push(path);
        writeFileSync(path, CONTENT);
        return Promise.resolve({ rows: 7 });
      },
      stats: () => Promise.resolve({ stored: 7, bytes: more.bytes ?? 0 }),
    },
    folder,
    flush: () => Promise.resolve(),
    patienceMs: more.patienceMs ?? 60_000,
  });
  return { paths, parquet: () => made.parquet({ probes: false }, "flows") };
}

it("hands out the whole file in pieces, and leaves nothing behind", async () => {
  const { parquet, paths } = exporter();
  const pieces: Buffer[] = [];
  for await (const answer of parquet()) {
    if (answer.kind === "begin")
      expect(answer).toEqual({ kind: "begin", rows: 7, bytes: 1_300_000 });
    else pieces.push(Buffer.from(answer.base64, "base64"));
  }
  expect(Buffer.concat(pieces).equals(CONTENT)).toBe(true);
  expect(pieces.length).toBeGreaterThan(1);
  expect(paths[0]?.startsWith(`${folder}/export-`)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

it("makes one at a time, and is free again when its reader hangs up or does not read", async () => {
  const { parquet } = exporter({ patienceMs: 1 });
  const first = parquet();
  await first.next();
  // Nobody reads on: it is given up, its file is gone, and the next one is served.
  await until(() => Promise.resolve(readdirSync(folder).length === 0), "it is not given up");
  await expect(first.next()).rejects.toThrow("not read");
  const patient = exporter();
  const one = patient.parquet();
  await one.next();
  await expect(patient.parquet().next()).rejects.toThrow("another export is under way");
  await one.return(undefined);
  expect(readdirSync(folder)).toEqual([]);
  expect((await patient.parquet().next()).value).toMatchObject({ rows: 7 });
});

it("refuses where the disk has no room, and clears up after one that was killed", async () => {
  mkdirSync(join(folder, "export-old"));
  const { parquet, paths } = exporter({ bytes: Number.MAX_SAFE_INTEGER });
  expect(readdirSync(folder)).toEqual([]);
  await expect(parquet().next()).rejects.toThrow("not enough room");
  expect([paths, readdirSync(folder)]).toEqual([[], []]);
});

it("is free again after a folder could not be made", async () => {
  const { parquet } = exporter();
  rmSync(folder, { recursive: true });
  await expect(parquet().next()).rejects.toThrow("ENOENT");
  mkdirSync(folder);
  expect((await parquet().next()).value).toMatchObject({ kind: "begin" });
});

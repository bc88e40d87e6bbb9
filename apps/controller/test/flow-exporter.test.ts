/** Exports: bytes of a file that lies in the controller's own folder for as long as it is read, and one at a time. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Access } from "@bulkhead/api";
import { createApp, type Handlers } from "../src/api/app.ts";
import { openSocket } from "../src/api/sockets.ts";
import { createFlowExporter } from "../src/flows/flow-exporter.ts";
import { until } from "./lab.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bh-export-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const CONTENT = Buffer.alloc(1_300_000, "parquet");
/** More than the buffers of a socket hold. */
const MUCH = Buffer.alloc(30_000_000, "parquet");

function exporter(
  more: {
    readonly bytes?: number;
    readonly patienceMs?: number;
    readonly clock?: () => number;
    readonly content?: Buffer;
  } = {},
) {
  const paths: string[] = [];
  const made = createFlowExporter({
    store: {
      exportTo: (path) => {
        paths.push(path);
        writeFileSync(path, more.content ?? CONTENT);
        return Promise.resolve({ rows: 7 });
      },
      stats: () => Promise.resolve({ stored: 7, bytes: more.bytes ?? 0 }),
    },
    folder,
    flush: () => Promise.resolve(),
    patienceMs: more.patienceMs ?? 60_000,
    ...(more.clock === undefined ? {} : { clock: more.clock }),
  });
  return {
    paths,
    parquet: (access: Access = "change") => made.parquet({ probes: false }, "flows", access),
  };
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

it("tells the next one who reads, and how far that is", async () => {
  const { parquet } = exporter({ clock: () => 0 });
  const first = parquet("read");
  const making = parquet().next();
  await expect(making).resolves.toMatchObject({ value: { kind: "begin" } });
  await expect(first.next()).rejects.toThrow("another export is under way: root began it 0 s ago");
});

it("is given to the next one where its reader takes next to nothing, and only then", async () => {
  let now = 0;
  const { parquet } = exporter({ clock: () => now });
  const slow = parquet("read");
  await slow.next();
  await slow.next();
  now = 20_000;
  await slow.next();
  now = 50_000;
  await expect(parquet().next()).rejects.toThrow(
    "a member of the group `bulkhead` began it 50 s ago, and 524288 of 1300000 bytes are taken, the last of them 30 s ago",
  );
  now = 61_000;
  const next = parquet();
  expect((await next.next()).value).toMatchObject({ kind: "begin" });
  await expect(slow.next()).rejects.toThrow("gave way to another");
  // That one has ended is no end of the one that reads now.
  await expect(parquet().next()).rejects.toThrow("root began it 0 s ago");
  expect((await next.next()).value).toMatchObject({ kind: "data" });
});

it("is free again when a reader at the socket stops reading without hanging up", async () => {
  const { parquet, paths } = exporter({ patienceMs: 200, content: MUCH });
  const handlers = { exportFlows: (_: unknown, __: unknown, access: Access) => parquet(access) };
  const app = createApp(handlers as unknown as Handlers, pino({ level: "silent" }), "read");
  const path = join(folder, "read.sock");
  const open = await openSocket(path, app, undefined);
  const stalled = connect(path).pause();
  try {
    stalled.write("GET /v1/flows/export?what=flows HTTP/1.1\r\nhost: x\r\n\r\n");
    const isGone = () => readdirSync(folder).every((name) => !name.startsWith("export-"));
    await until(() => Promise.resolve(paths.length === 1), "it does not begin");
    await until(() => Promise.resolve(isGone()), "it is not given up");
    expect((await parquet().next()).value).toMatchObject({ kind: "begin" });
  } finally {
    stalled.destroy();
    open.end();
  }
});

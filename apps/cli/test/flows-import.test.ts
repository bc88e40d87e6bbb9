/** `flows import`: files into the running controller, batch by batch, with what was not taken told and quoted. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ImportFlowsRequest } from "@bulkhead/api";
import { createBatches } from "../src/flows/batches.ts";
import { flowsImportAnswerSchema } from "../src/schemas.ts";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

const folder = mkdtempSync(join(tmpdir(), "bh-flows-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let controller: FakeController | undefined;
afterEach(() => controller?.stop());

const AT = 1_760_000_000;
const row = (port: number, rest = "ACCEPT OK", at = AT): string =>
  `2 210987654321 eni-0a1b2c3d 10.0.1.5 10.0.2.6 ${port} 5432 6 12 3400 ${at} ${at + 58} ${rest}\n`;
const LOG = `${row(40_001)}${row(40_002, "REJECT OK")}`;

function write(name: string, text: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const ownFlow = (port: number) => ({
  start: 1,
  end: 2,
  source: { address: "10.0.0.1", name: "10.0.0.1", labels: {} },
  destination: { address: "10.0.0.2", name: "10.0.0.2", labels: {} },
  protocol: 6,
  port,
  sourcePort: 1,
  verdict: "forwarded" as const,
  connections: 1,
  established: 0,
  failed: 0,
  bytes: 0,
  packets: 1,
});

const STORED = { known: false, stored: 2, repeated: 0, future: 0, old: 0 };

async function imported(args: readonly string[], stdin = "", stored = STORED) {
  controller = await startFakeController({ ...answers, importFlows: stored });
  const { state } = controller;
  const called = await call(["flows", "import", ...args], { state, stdin });
  const batches = controller.requests
    .filter(({ route }) => route === "importFlows")
    .map(({ request }) => request as ImportFlowsRequest);
  await controller.stop();
  return { ...called, batches };
}

describe("flows import", () => {
  it("tells the format by the file's beginning, and says what came of it", async () => {
    const text = `${LOG}${row(40_001)}oops\u001b[2J\n${row(40_003, "- NODATA")}`;
    const { stdout, code, batches } = await imported([write("vpc.log", text)]);
    expect(code).toBe(0);
    expect(stdout).toContain("(aws-vpc): 2 flows, 2 edges\n");
    expect(stdout).toContain("stored: 2");
    expect(stdout).toContain("told twice in the file, counted once: 1");
    expect(stdout).toContain("no flow: NODATA (1)");
    expect(stdout).toContain(
      "1 record could not be read:\n    4: 1 fields, where 14 are expected: oops�[2J",
    );
    expect(stdout).toContain("summed up over as much as 60s");
    expect(stdout).toContain("guessed by the lower port");
    expect(batches).toHaveLength(1);
    expect(batches[0]?.ends.map(({ address }) => address)).toEqual(["10.0.1.5", "10.0.2.6"]);
    expect(batches[0]?.flows.map(({ verdict }) => verdict)).toEqual(["forwarded", "dropped"]);
  });

  it("reads what gzip and zstd packed, and standard input, as the same batches", async () => {
    const files = [
      write("vpc.plain", LOG),
      write("vpc.gz", gzipSync(LOG)),
      write("vpc.zst", zstdCompressSync(LOG)),
    ];
    const names = new Set<string>();
    for (const file of files) {
      for (const { batch } of (await imported([file])).batches) names.add(batch);
    }
    for (const { batch } of (await imported(["aws-vpc", "-"], LOG)).batches) names.add(batch);
    expect([...names]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  it("reads all of packed files that lie behind one another", async () => {
    const parts = Array.from({ length: 40 }, (_, at) =>
      Array.from({ length: 50 }, (_unused, row_) => row(1000 + at * 50 + row_)).join(""),
    );
    const plain = (await imported([write("parts.log", parts.join(""))])).batches;
    expect(plain.flatMap(({ flows }) => flows)).toHaveLength(2000);
    for (const pack of [gzipSync, zstdCompressSync]) {
      const packed = Buffer.concat(parts.map((part) => pack(part)));
      const { batches, code } = await imported([write("parts.packed", packed)]);
      expect([code, batches.map(({ batch }) => batch)]).toEqual([
        0,
        plain.map(({ batch }) => batch),
      ]);
      const torn = await imported([write("parts.torn", packed.subarray(0, packed.length - 30))]);
      expect(torn.code).toBe(2);
      const garbage = Buffer.concat([packed, Buffer.from("no frame at all")]);
      // What gzip's own tool ignores with a warning is ignored here too.
      if (pack === zstdCompressSync)
        expect((await imported([write("parts.garbage", garbage)])).code).toBe(2);
    }
  });

  it("keeps what came before a packed file breaks off, and does not end as if it were the whole", async () => {
    const many = Array.from({ length: 2000 }, (_, at) => row(20_000 + at)).join("");
    const gzip = gzipSync(many);
    const zstd = zstdCompressSync(many);
    const damaged = Buffer.from(gzip);
    damaged.fill(0xff, gzip.length - 400, gzip.length - 300);
    const files = [
      ["torn.gz", gzip.subarray(0, gzip.length - 400), "gzip ends too early"],
      ["damaged.gz", damaged, "gzip is damaged, so that some of what was read may be wrong"],
      ["torn.zst", zstd.subarray(0, zstd.length - 400), "zstd ends too early"],
    ] as const;
    for (const [name, bytes, problem] of files) {
      const { stdout, code, batches } = await imported([write(name, bytes)]);
      expect([name, code]).toEqual([name, 2]);
      expect(stdout).toContain(`${problem}: what was read until then is stored`);
      expect(stdout).toContain(`${problem}: ${join(folder, name)}`);
      const [sent = 0] = batches.map(({ flows }) => flows.length);
      // zstd gives out nothing of a block that it has not whole.
      expect(sent).toBeGreaterThan(name.endsWith(".gz") ? 1000 : -1);
      expect(sent).toBeLessThan(2000);
    }
    const file = write("again.gz", gzip.subarray(0, gzip.length - 400));
    const { stdout } = await imported([file, "-o", "json"]);
    const { files: told } = flowsImportAnswerSchema.parse(JSON.parse(stdout));
    expect(told).toMatchObject([{ broken: "gzip ends too early" }]);
  });

  it.each(["gzip", "zstd"] as const)(
    "refuses a small file of %s that unpacks to far more than any log, and stores none of it",
    async (packing) => {
      const pack = packing === "gzip" ? gzipSync : zstdCompressSync;
      // Packed files behind one another are one: a quarter of a gibibyte needs not be packed to be unpacked.
      const nothing = pack(Buffer.alloc(1 << 24));
      const packed = Buffer.concat([pack(LOG), ...Array.from({ length: 17 }, () => nothing)]);
      expect(packed.length).toBeLessThan(1 << 20);
      const { stdout, stderr, code, batches } = await imported([write(`bomb.${packing}`, packed)]);
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain("unpacks to more than 300 times its size, which no log does");
      expect(stderr).toContain(`unpack it and look, if it is meant: ${packing} -d`);
      expect(batches).toEqual([]);
    },
    60_000,
  );

  it("refuses a file of frames with nothing in them, each of which takes longer to open than to read", async () => {
    const frames = (many: number) =>
      Buffer.concat([
        zstdCompressSync(LOG),
        ...Array.from({ length: many }, () => zstdCompressSync("")),
        zstdCompressSync(row(40_003)),
      ]);
    const some = await imported([write("some-empty.zst", frames(20))]);
    expect([some.code, some.batches.map(({ flows }) => flows.length)]).toEqual([0, [3]]);
    const many = await imported([write("many-empty.zst", frames(1001))]);
    expect([many.code, many.stdout, many.batches]).toEqual([2, "", []]);
    expect(many.stderr).toContain("more than 1000 frames with nothing in them");
  });

  it("refuses what is another format, none at all, empty, a folder or not there", async () => {
    const log = write("some.log", LOG);
    const noise = write("noise.txt", "hello\nworld\n");
    const parquet = write("flows.parquet", "PAR1\u0000\u0000");
    const refusals: readonly (readonly [readonly string[], string])[] = [
      [["hubble", log], "this looks like aws-vpc"],
      [[noise], "looks like no format of flows"],
      [[parquet], "is Parquet, which is not read"],
      [[write("empty.log", "")], "is empty"],
      [[folder], "is a folder"],
      [[join(folder, "nowhere")], "no such file"],
      [[], "no file is named"],
    ];
    for (const [args, message] of refusals) {
      const { code, stderr, batches } = await imported(args);
      expect([code, batches]).toEqual([2, []]);
      expect(stderr).toContain(message);
    }
    const near = await call(["flows", "imprt", log]);
    expect(near.stderr).toContain("did you mean `import`?");
    const format = await call(["flows", "import", "zeke", write("conn.log", LOG)]);
    expect(format.stderr).toContain("`zeke` is neither a file nor a format of flows");
    expect(format.stderr).toContain("did you mean `zeek`?");
    expect(format.code).toBe(2);
  });

  it("sends a digest for each record, the same in files that overlap, and tells what was known", async () => {
    const rows = Array.from({ length: 30 }, (_, at) => row(40_000 + at));
    const digests = async (name: string, lines: readonly string[]) => {
      const { batches } = await imported([write(name, lines.join(""))]);
      return batches.flatMap(({ records = [] }) => records);
    };
    const whole = await digests("whole.log", rows);
    expect(new Set(whole).size).toBe(30);
    expect(await digests("half.log", rows.slice(10))).toEqual(whole.slice(10));
    const told = { known: false, stored: 1, repeated: 29, future: 0, old: 0 };
    const { stdout } = await imported([write("again.log", rows.join(""))], "", told);
    expect(stdout).toContain("stored: 1\n  told by a file imported before, counted once: 29\n");
  });

  it("takes no line that was exported from the store it reads into", async () => {
    const line = (store?: string, at = AT * 1000) =>
      `${JSON.stringify({
        ...ownFlow(5432),
        start: at,
        end: at,
        ...(store === undefined ? {} : { store }),
      })}\n`;
    const here = answers.status.flows.store ?? "";
    expect(here).not.toBe("");
    const text = `${line(here)}${line("another")}${line(undefined, 5000)}${line(here, 6000)}`;
    const { stdout, batches } = await imported([write("own.jsonl", text)]);
    expect(batches.flatMap(({ flows }) => flows)).toHaveLength(2);
    expect(stdout).toContain("no flow: exported from this very store, which has it (2)");
  });

  it.each([
    ["observe", "--flows"],
    ["observe", "--follow"],
    ["observe", "--last", "9"],
  ])("takes no line that `%s %s` wrote from the store it reads into", async (...args) => {
    controller = await startFakeController(answers);
    const { stdout: lines } = await call([...args, "-o", "json"], {
      state: controller.state,
    });
    await controller.stop();
    const { stdout, batches } = await imported([write("observed.jsonl", lines)]);
    expect(batches.flatMap(({ flows }) => flows)).toEqual([]);
    expect(stdout).toContain(
      `no flow: exported from this very store, which has it (${answers.flows.length})`,
    );
  });

  it("prints its schema", async () => {
    const { stdout } = await imported([write("json.log", LOG), "-o", "json"]);
    const { files } = flowsImportAnswerSchema.parse(JSON.parse(stdout));
    expect(files).toMatchObject([
      { format: "aws-vpc", flows: 2, stored: 2, first: AT * 1000, last: (AT + 58) * 1000 },
    ]);
    expect((await call(["flows", "formats"])).stdout).toContain("aws-vpc");
  });
});

it("batches are the same for the same flows, and named by all that came before", () => {
  const namesOf = (ports: readonly number[]): readonly string[] => {
    const batches = createBatches("zeek", "", 2);
    for (const port of ports) batches.add(ownFlow(port));
    return batches.take(true).map(({ batch }) => batch);
  };
  const [first, second, third] = namesOf([1, 2, 1, 2, 3]);
  expect(new Set([first, second, third]).size).toBe(3);
  expect(namesOf([1, 2, 1, 2, 3])).toEqual([first, second, third]);
  // Broken off, and gone on: what was whole is known.
  expect(namesOf([1, 2, 1, 2])).toEqual([first, second]);
});

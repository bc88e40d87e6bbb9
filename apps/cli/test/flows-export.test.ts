/** `flows export`: a file of the caller's own, in the format its name tells, and never half of one. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ExportFlowsAnswer } from "@bulkhead/api";
import { flowsExportAnswerSchema } from "../src/schemas.ts";
import { answers } from "./answers.ts";
import { edges, flows } from "./answers/traffic.ts";
import { call } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

const folder = mkdtempSync(join(tmpdir(), "bh-flows-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let controller: FakeController | undefined;
afterEach(() => controller?.stop());

const pieces: readonly ExportFlowsAnswer[] = [
  { kind: "begin", rows: 1234, bytes: 5 },
  { kind: "data", base64: Buffer.from("PAR").toString("base64") },
  { kind: "data", base64: Buffer.from("1!").toString("base64") },
];

async function exported(args: readonly string[], exportFlows = pieces) {
  controller = await startFakeController({ ...answers, exportFlows });
  const called = await call(["flows", "export", ...args], { state: controller.state });
  const asked = controller.requests.filter(({ route }) => route !== "status");
  await controller.stop();
  return { ...called, asked };
}

describe("flows export", () => {
  it("writes the controller's bytes to the file, and tells it no path", async () => {
    const file = join(folder, "a.parquet");
    const { code, stdout, asked } = await exported([file, "--port", "5432/tcp", "--since", "1h"]);
    expect([code, stdout]).toEqual([0, `1,234 flows written to ${file}\n`]);
    expect(readFileSync(file, "utf8")).toBe("PAR1!");
    expect(asked.at(-1)).toMatchObject({ route: "exportFlows", request: { port: "5432/tcp" } });
    expect(JSON.stringify(asked)).not.toContain(folder);
    const again = await exported([file]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("exists already")]);
    const over = await exported([file, "--overwrite", "--edges", "-o", "json"]);
    expect(flowsExportAnswerSchema.parse(JSON.parse(over.stdout))).toMatchObject({ what: "edges" });
    expect(over.asked.at(-1)?.request).toMatchObject({ what: "edges" });
  });

  it("leaves no half of a file when the controller hangs up", async () => {
    const file = join(folder, "half.parquet");
    const { code, stderr } = await exported([file], pieces.slice(0, 2));
    expect([code, existsSync(file)]).toEqual([3, false]);
    expect(stderr).toContain("hung up");
  });

  it("writes JSON Lines, each with its store's name, also to standard output", async () => {
    const file = join(folder, "a.jsonl");
    expect((await exported([file])).code).toBe(0);
    const written = readFileSync(file, "utf8").trimEnd().split("\n");
    // With the name of the store that they are from: read back into it, they are known by it.
    const { store } = answers.status.flows;
    expect(store).toBeDefined();
    expect(written.map((line) => JSON.parse(line) as unknown)).toEqual(
      flows.map((flow) => ({ ...flow, store })),
    );
    const { stdout, asked } = await exported(["-", "--edges", "--to", "world"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(edges.length);
    expect(asked.at(-1)).toMatchObject({ route: "edges", request: { to: "world" } });
  });

  it("asks what is meant where it cannot be told", async () => {
    writeFileSync(join(folder, "x"), "");
    for (const [args, told] of [
      [[], "no file is named"],
      [["a.csv"], "--as parquet"],
      [["a", "--as", "csv"], "no format of an export"],
      [["-", "--as", "parquet"], "no text"],
      [["a.parquet", "b.parquet"], "more than one file"],
    ] as const) {
      const { code, stderr } = await exported(args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(told)]);
    }
    const imported = await call(["flows", "import", "x", "--to-ip", "10.0.0.1"]);
    expect(imported.stderr).toContain("takes no `--to-ip`");
  });
});

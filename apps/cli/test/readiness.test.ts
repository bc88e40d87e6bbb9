/** `readiness`: whom it shows, what it refuses, and what it makes of a file alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadinessAnswer } from "@bulkhead/api";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

let controller: FakeController;
let folder = "";

beforeEach(async () => {
  controller = await startFakeController(answers);
  folder = mkdtempSync(join(tmpdir(), "bhi-ready-"));
});
afterEach(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true, force: true });
});

const asked = (...args: readonly string[]) =>
  call(["readiness", ...args], { state: controller.state });

it("asks for groups unless told, and shows who is named, in full or by the last word", async () => {
  const shown = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await asked(...args, "-o", "json");
    return (JSON.parse(stdout) as ReadinessAnswer).subjects.map(({ subject }) => subject.name);
  };
  expect(await shown("db", "shop/cache")).toEqual(["shop/cache", "shop/db"]);
  expect(await shown("--level", "application")).toHaveLength(5);
  expect(controller.requests.map(({ request }) => request)).toEqual([
    { level: "group" },
    { level: "application" },
  ]);
});

it("says who else it could be", async () => {
  const { code, stderr } = await asked("shop/dbb");
  expect(code).toBe(2);
  expect(stderr).toContain("no group is called `shop/dbb`");
  expect(stderr).toContain("did you mean `shop/db`?");
});

it("--strict: 1 while anybody that is shown is learning", async () => {
  expect((await asked("--strict")).code).toBe(1);
  expect((await asked("db", "--strict")).code).toBe(0);
});

it("records what a person says of doubtful edges before it asks", async () => {
  const { code } = await asked(
    "--accept",
    "a -> b 1/tcp",
    "--reject",
    "c -> d 2/tcp",
    "--reason",
    "eve",
  );
  expect(code).toBe(0);
  expect(controller.requests).toMatchObject([
    {
      route: "answerDoubts",
      request: { accept: ["a -> b 1/tcp"], reject: ["c -> d 2/tcp"], forget: [], reason: "eve" },
    },
    { route: "readiness" },
  ]);
});

it("tells a doubtful edge once, with the command that answers for it", async () => {
  const { stdout } = await asked("storefront");
  expect(stdout).toContain("Seen, and waiting for a person's word:");
  expect(stdout).toContain("`bulkhead readiness --accept 'shop/storefront -> shop/db 5432/tcp'`");
  expect(stdout).toContain("2 more doubtful edges");
});

const DAY = 86_400_000;

const end = (name: string, address: string, app = name) => ({
  address,
  workload: `shop/${name}`,
  name: `shop/${name}`,
  labels: { app },
});

function flows(
  days: number,
  source = end("web", "10.0.0.1"),
  destination = end("db", "10.0.0.2"),
): string {
  return Array.from({ length: days }, (_, at) =>
    JSON.stringify({
      start: 20_000 * DAY + at * DAY,
      end: 20_000 * DAY + at * DAY + 1000,
      source,
      destination,
      protocol: 6,
      port: 5432,
      sourcePort: 40_000,
      verdict: "forwarded",
      connections: 3,
      established: 3,
      failed: 0,
      bytes: 9000,
      packets: 40,
    }),
  ).join("\n");
}

it("--flows: from a file alone, as of its end", async () => {
  const file = join(folder, "flows.jsonl");
  writeFileSync(file, `${flows(20)}\n`);
  const called = await call(["readiness", "--flows", file, "-o", "json"], { state: folder });
  expect(called.stderr).toBe("");
  const answer = JSON.parse(called.stdout) as ReadinessAnswer;
  expect(answer).toMatchObject({
    at: 20_019 * DAY + 1000,
    edges: 1,
    watched: { days: 20, hours: 20 },
  });
  expect(answer.subjects.map(({ subject, state }) => `${subject.name} ${state}`)).toEqual([
    "shop/db ready-except",
    "shop/web ready-except",
  ]);
});

it("says so where all that was seen is set aside, as of those who have no labels", async () => {
  const readiness = { ...answers.readiness, subjects: [], edges: 0, setAside: 46 };
  const unlabelled = await startFakeController({ ...answers, readiness });
  try {
    const { stdout } = await call(["readiness"], { state: unlabelled.state });
    expect(stdout).toContain("All that was seen is set aside: `bulkhead suggest` tells why.");
    expect(stdout).toMatch(/bulkhead suggest\n$/);
  } finally {
    await unlabelled.stop();
  }
});

it("--flows: a word holds for the one answer", async () => {
  const file = join(folder, "doubtful.jsonl");
  const copies = [1, 2, 3, 4].map((copy) => end(`web-${copy}`, `10.0.0.${copy + 10}`, "web"));
  const lone = flows(2, copies[0], end("vault", "10.0.0.9"));
  writeFileSync(file, `${[...copies.map((copy) => flows(20, copy)), lone].join("\n")}\n`);
  const word = async (...args: readonly string[]) => {
    const called = await call(["readiness", "--flows", file, ...args], { state: folder });
    return { ...called, waits: called.stdout.includes("waiting for a person's word") };
  };
  const edge = "shop/web -> shop/vault 5432/tcp";
  expect((await word()).stdout).toContain(`readiness --flows ${file} --accept '${edge}'`);
  expect((await word()).stdout).toContain(`suggest --flows ${file} -f policy.yaml`);
  const accepted = await word("--accept", edge);
  expect(accepted).toMatchObject({ code: 0, waits: false });
  // What comes next is asked of the same file, and of the same word.
  expect(accepted.stdout).toContain(`suggest --flows ${file} --accept '${edge}' -f policy.yaml`);
  expect(await word("--reject", edge)).toMatchObject({ code: 0, waits: false });
  expect(await word()).toMatchObject({ waits: true });
  const wrong = await word("--accept", "shop/web -> shop/vault 22/tcp");
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("nothing that is doubtful is called");
  expect((await word("--forget", edge)).stderr).toContain("of a file nothing is remembered");
});

it.each([
  [["--reason", "eve"], "`--reason` is about a doubtful edge"],
  [["--flows", "a.jsonl", "--flows", "b.jsonl"], "`--flows` is given twice"],
  [["--format", "zeek"], "`--format` is about the file of `--flows`"],
])("%j is refused in words", async (args, words) => {
  const { code, stderr } = await call(["readiness", ...args], { state: folder });
  expect(stderr).toContain(words);
  expect(code).toBe(2);
});

it("--flows: what was summed up no longer tells of days, and is refused", async () => {
  const file = join(folder, "edges.json");
  writeFileSync(file, JSON.stringify(answers.edges, undefined, 2));
  const { code, stderr } = await call(["readiness", "--flows", file], { state: folder });
  expect(code).toBe(2);
  expect(stderr).toContain("no longer tells on which days");
});

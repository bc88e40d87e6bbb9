/** `doctor`, `boot restore`, and `up` on a kernel that cannot enforce, in a network namespace of their own. */
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bootAnswerSchema, doctorAnswerSchema } from "../src/schemas.ts";

const host = `bbo-${randomBytes(3).toString("hex")}-host`;
const main = join(import.meta.dirname, "..", "src", "main.ts");
const PATH = process.env["PATH"];
let folder = "";
let state = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bbo-doctor-"));
  state = join(folder, "state");
  mkdirSync(join(folder, "bin"));
  const nft = execFileSync("sh", ["-c", "command -v nft"], { encoding: "utf8" }).trim();
  // A kernel without connection tracking.
  writeFileSync(
    join(folder, "bin", "nft"),
    `#!/bin/sh\n[ "$1" = -f ] || exec ${nft} "$@"\nsed 's/ct state/ct states/' | exec ${nft} "$@"\n`,
  );
  chmodSync(join(folder, "bin", "nft"), 0o755);
  execFileSync("ip", ["netns", "add", host]);
});
afterAll(async () => {
  await bulkhead(["down"]);
  execFileSync("ip", ["netns", "del", host]);
  rmSync(folder, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function within(command: readonly string[], path = PATH): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      "nsenter",
      [`--net=/run/netns/${host}`, ...command],
      { env: { ...process.env, PATH: path, BULKHEAD_STATE: state, NO_COLOR: "1" } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

const bulkhead = (args: readonly string[], path = PATH): Promise<Ran> =>
  within([process.execPath, "--disable-warning=ExperimentalWarning", main, ...args], path);
const without = (): string => `${join(folder, "bin")}:${PATH}`;
/** Without what the settings of the kernel were before, which differs from time to time. */
const ruleset = async (): Promise<string> =>
  (await within(["nft", "-s", "list", "ruleset"])).stdout.replaceAll(/ was=\S+/g, "");
const tables = async (): Promise<string> => (await within(["nft", "list", "tables"])).stdout;

it("finds that this machine can enforce, and leaves nothing behind", async () => {
  const { code, stdout } = await bulkhead(["doctor", "-o", "json"]);
  const { checks } = doctorAnswerSchema.parse(JSON.parse(stdout));
  expect(checks.filter((one) => one.necessary && one.state !== "works")).toEqual([]);
  expect(checks.map(({ name }) => name)).toContain("self-test");
  expect(code).toBe(checks.some(({ state: found }) => found === "fails") ? 1 : 0);
  expect(existsSync(state)).toBe(false);
  expect(await tables()).toBe("");
});

it("where the kernel cannot, doctor names the feature, and up refuses with it", async () => {
  const doctor = await bulkhead(["doctor"], without());
  expect(doctor.code).toBe(3);
  expect(doctor.stdout).toMatch(/self-test +fails +a ruleset is taken whole/);
  expect(doctor.stdout).toContain("cannot run here");

  const up = await bulkhead(["up"], without());
  expect(up.code).toBe(3);
  expect(up.stderr).toMatch(/self-test failed.*a ruleset is taken whole/);
  expect(existsSync(state)).toBe(false);
  expect(await tables()).toBe("");
});

it("a boot restores what was in force, and down finds it although nothing runs", async () => {
  const nothing = await bulkhead(["boot", "restore", "-o", "json"]);
  expect(nothing.code).toBe(0);
  expect(bootAnswerSchema.parse(JSON.parse(nothing.stdout)).outcome).toBe("nothing");

  expect((await bulkhead(["up"])).code).toBe(0);
  const before = await ruleset();
  expect(before).toContain("table inet bulkhead");
  await bulkhead(["down"]);
  expect(await tables()).toBe("");

  const { code, stdout } = await bulkhead(["boot", "restore", "-o", "json"]);
  expect(code).toBe(0);
  expect(bootAnswerSchema.parse(JSON.parse(stdout)).outcome).toBe("restored");
  expect(await ruleset()).toBe(before);
  expect((await bulkhead(["down"])).stdout).toContain("none of our rules");
  expect(await tables()).toBe("");
});

/** Half a file of recorded flows is no whole one: whoever reads it answers by what there is, says so, and ends with 2. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { call } from "./call.ts";
import { hubble, hubblePod } from "./hubble.ts";

const folder = mkdtempSync(join(tmpdir(), "bh-torn-"));
const whole = join(folder, "whole.gz");
const torn = join(folder, "torn.gz");
const damaged = join(folder, "damaged.gz");
const inventory = join(folder, "inventory.yaml");
const [web, db] = [hubblePod("web", "10.0.0.1"), hubblePod("db", "10.0.0.2")];
const EXPORT = Array.from({ length: 9 }, (_, hour) =>
  hubble(web, db, 5432, Date.UTC(2026, 2, 1, hour)),
).join("\n");

beforeAll(() => {
  const packed = gzipSync(`${EXPORT}\n`);
  writeFileSync(whole, packed);
  writeFileSync(torn, packed.subarray(0, packed.length - 8));
  // Of what was packed the last is a sum over all of it.
  writeFileSync(
    damaged,
    packed.map((byte, at) => (at === packed.length - 8 ? byte ^ 0xff : byte)),
  );
  writeFileSync(
    inventory,
    "apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: { name: shop }\nspec: { workloads: [] }\n",
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["suggest"],
  ["suggest", "-o", "json"],
  ["suggest", "-o", "markdown"],
  ["readiness"],
  ["readiness", "--strict"],
  ["check", inventory],
  ["labels", "lint", inventory],
  ["labels", "lint", inventory, "--fix", "--dry-run"],
])("%s", async (...verb) => {
  const read = (file: string) => call([...verb, "--flows", file], { state: folder });
  const [all, half, wrong] = await Promise.all([whole, torn, damaged].map(read));
  expect(all?.code).toBeLessThan(2);
  expect(all?.stderr).not.toContain("gzip");
  expect(half).toMatchObject({ code: 2, stdout: all?.stdout.replaceAll(whole, torn) });
  expect(half?.stderr).toContain("gzip ends too early");
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong?.stderr).toContain("gzip is damaged, so that some of what was read may be wrong");
  expect(`${half?.stderr}${wrong?.stderr}`).not.toContain("line 0");
});

/** Where flows go: said once, kept until something else is said, and never with a password in it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { flowStoreOf, keepFlowStore } from "../src/process/flow-store.ts";
import { settingsOf } from "../src/verbs/up.ts";
import { layoutOf } from "../src/process/layout.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhk-flow-store-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const flowStore = "https://ch.example:8443/flows?cluster=fleet";

it("keeps what was said until something else is, and for its owner alone", () => {
  const layout = layoutOf(folder);
  const file = layout.flowStore;
  const flowStoreCredentials = join(folder, "credentials");
  writeFileSync(flowStoreCredentials, "u:p\n", { mode: 0o600 });
  expect(keepFlowStore(layout, flowStoreOf({}))).toBe(false);
  expect(existsSync(file)).toBe(false);
  expect(keepFlowStore(layout, flowStoreOf({ flowStore, flowStoreCredentials }))).toBe(true);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    address: flowStore,
    credentials: flowStoreCredentials,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(keepFlowStore(layout, flowStoreOf({ flowStore, flowStoreCredentials }))).toBe(false);
  expect(keepFlowStore(layout, flowStoreOf({}))).toBe(false);
  expect(keepFlowStore(layout, flowStoreOf({ flowStore: "local" }))).toBe(true);
  expect(existsSync(file)).toBe(false);
});

it("refuses a password on the command line, and credentials of nothing or from nowhere", () => {
  const given = "https://me:secret@ch.example/";
  expect(() => flowStoreOf({ flowStore: given })).toThrow(/holds a user or a password/);
  expect(() => flowStoreOf({ flowStore: "ch.example" })).toThrow(/is no URL/);
  expect(() => flowStoreOf({ flowStoreCredentials: "x" })).toThrow(/are for a `--flow-store`/);
  expect(() => flowStoreOf({ flowStore, flowStoreCredentials: join(folder, "none") })).toThrow(
    /there is no/,
  );
});

it("reads how long flows are kept, and refuses what makes no sense", () => {
  expect(settingsOf({})).toBeUndefined();
  expect(settingsOf({ keepFlows: "2w" })).toEqual({ retention: { flows: 14 } });
  expect(settingsOf({ keepFlows: "48h", keepHistory: "400d" })).toEqual({
    retention: { flows: 2, history: 400 },
  });
  for (const keepFlows of ["30", "36h", "0d", "1s", "200000d"])
    expect(() => settingsOf({ keepFlows })).toThrow("no number of days");
  expect(() => settingsOf({ keepFlows: "30d", keepHistory: "7d" })).toThrow("forgotten before");
});

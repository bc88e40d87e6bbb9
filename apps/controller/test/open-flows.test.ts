/** Where flows go, and who may write there: read from files and the environment, refused where others could read it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { credentialsOf, openFlows } from "../src/flows/open-flows.ts";
import { openStateDirectory, type StateDirectory } from "../src/state-directory.ts";

let root: string;
let directory: StateDirectory;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bhk-open-flows-"));
  directory = openStateDirectory(root, undefined);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const NOBODY_THERE = "http://127.0.0.1:9/flows?timeout=1";
const open = (env: Readonly<Record<string, string>> = {}) =>
  openFlows(directory, { now: () => 1, env });

it("stays in the state directory unless it was told otherwise", async () => {
  const { store } = await open();
  await store.append([{ boot: "b", sequence: 1, flows: [] }]);
  expect(await store.lastSequence("b")).toBe(1);
  await store.close();
});

it("goes where `up` said, which need not answer yet, and takes one controller a directory", async () => {
  writeFileSync(directory.flowStore, JSON.stringify({ address: NOBODY_THERE }));
  const { store } = await open();
  await expect(store.stats()).rejects.toThrow(/^ClickHouse: .*ECONNREFUSED/);
  await expect(open()).rejects.toThrow(`another controller uses \`${root}\``);
  await store.close();
  const again = await open({ BULKHEAD_FLOW_STORE: "http://[::1]:9/" });
  await again.store.close();
});

it("tells what is wrong without what is secret", async () => {
  const address = "https://me:secret@ch.example/";
  const failure = await open({ BULKHEAD_FLOW_STORE: address }).catch((error: unknown) => error);
  expect(String(failure)).toContain("holds a user or a password");
  expect(String(failure)).not.toContain("secret");
});

it("has credentials from a file of the owner's alone, else from the environment", () => {
  const credentials = join(root, "credentials");
  writeFileSync(credentials, "bulkhead:pa:ss\r\nmore\n", { mode: 0o600 });
  expect(credentialsOf({ credentials }, {})).toEqual({ username: "bulkhead", password: "pa:ss" });
  chmodSync(credentials, 0o640);
  expect(() => credentialsOf({ credentials }, {})).toThrow("can be read by others");
  chmodSync(credentials, 0o600);
  writeFileSync(credentials, "topsecret\n");
  let told = "";
  try {
    credentialsOf({ credentials }, {});
  } catch (error) {
    told = String(error);
  }
  expect(told).toContain("is not `user:password`");
  expect(told).not.toContain("topsecret");
  const env = { BULKHEAD_FLOW_STORE_USER: "u", BULKHEAD_FLOW_STORE_PASSWORD: "p" };
  expect(credentialsOf({}, env)).toEqual({ username: "u", password: "p" });
  expect(credentialsOf({}, {})).toEqual({ username: "default", password: "" });
});

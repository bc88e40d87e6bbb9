/** Taking single resources out of force: the rest stays as it is, and it is told what becomes allowed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { compileIndexed } from "@bulkhead/engine";
import { openStateStore, type StateStore } from "@bulkhead/store";
import { historyOf } from "../src/queries/history.ts";
import { watchChain } from "../src/policy/chain-watch.ts";
import type { Compiled, Distributor, Intent } from "../src/policy/distributor.ts";
import { Governor } from "../src/policy/governor.ts";
import type { Reading } from "../src/policy/reading.ts";
import { buildWorld, type World } from "../src/world/world.ts";
import { INVENTORY, NOW, service, SHOP } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

let directory: string;
let store: StateStore;
let governor: Governor;

const now = () => NOW;
const session = { source: "10.9.0.10", destination: "10.9.0.11", protocol: 6, port: 5432 };
const around = {
  ...SHOP,
  sessions: [{ ...session, what: "ssh session" }],
  processes: [service("/system.slice/nginx.service")],
};

function compile(intent: Intent, world: World): Compiled {
  const { index, endpoints } = world;
  const options = { now: NOW, revision: intent.revision, endpoints };
  return { intent, world, digest: "sha256:0", result: compileIndexed(intent.set, index, options) };
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bulkhead-delete-"));
  store = await openStateStore(join(directory, "state.db"));
  const distributor = {
    compile,
    adopt: () => undefined,
    keep: () => Promise.resolve(),
    change: (_intent: Intent, compiled: Compiled) =>
      Promise.resolve({ compiled, receipt: { readAt: NOW }, host: "host" }),
  } as unknown as Distributor;
  governor = await Governor.load({
    store,
    chain: watchChain(store, now),
    log: pino({ level: "silent" }),
    now,
    worldUnder: ({ declared }: Reading) => buildWorld(declared, around),
    distributor: () => distributor,
    requireAgent: () => undefined,
    render: () => Promise.resolve("ruleset"),
    capacity: () => 0,
    underWay: () => Promise.resolve(undefined),
    check: () => Promise.resolve([]),
    onChange: () => undefined,
  });
  await governor.apply({ files: [INVENTORY, POLICY], mode: "enforce", prune: false, ...common });
});

afterEach(async () => {
  try {
    await governor.stop();
    await store.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const common = { strict: false, dryRun: false, force: false, reason: "", author: "ada" };
const remove = (names: readonly string[], more: object = {}) =>
  governor.delete({ ...common, resources: [...names], ...more });
const SHUT = "Policy/shop/shut";
const ALL = ["Intent/shop/web-db", "Inventory/shop/lab", SHUT];
const inForce = () => governor.inForce.held.map(({ stored }) => `${stored.key} ${stored.mode}`);

it("takes one out, says what that allows, and is a revision of its own", async () => {
  const answer = await remove([SHUT], { reason: "moved" });
  expect(answer).toMatchObject({
    revision: 2,
    mode: "enforce",
    resources: { removed: [SHUT], added: [], changed: [], unchanged: ALL.slice(0, 2), kept: [] },
    notices: [],
  });
  expect(answer.permitted?.removed).toEqual([]);
  expect(answer.permitted?.added).toContainEqual({ from: "shop/evil", to: "world", ports: "all" });
  // The Intent alone still isolates the database.
  expect(answer.permitted?.added.some(({ to }) => to === "shop/db")).toBe(false);
  expect(inForce()).toEqual(["Intent/shop/web-db enforce", "Inventory/shop/lab enforce"]);
  const record = await store.revision(2);
  expect(record).toMatchObject({ kind: "delete", author: "ada", reason: "moved", given: [] });
  const back = await governor.rollback({ revision: 1, opens: false, ...common });
  expect(back.resources.added).toEqual([SHUT]);
  expect(back.permitted).toEqual({
    added: answer.permitted?.removed,
    removed: answer.permitted?.added,
  });
});

it("tells that an Exception has ended to who gives it, and to nobody else", async () => {
  const ended = MORE.replace("2027-01-01", "2020-01-01");
  const given = { mode: "enforce", prune: false, ...common } as const;
  const codes = ({ diagnostics }: { diagnostics: readonly { code: string; severity: string }[] }) =>
    diagnostics.map(({ code, severity }) => `${severity} ${code}`);
  const first = await governor.apply({ files: [{ name: "more.yaml", text: ended }], ...given });
  expect(codes(first)).toEqual(["info BH0303"]);
  expect(codes(await remove([SHUT]))).toEqual([]);
});

it("gives what stays another mode when asked", async () => {
  const answer = await remove([SHUT], { mode: "audit" });
  expect(answer).toMatchObject({ mode: "audit", resources: { changed: ALL.slice(0, 2) } });
  expect(inForce()).toEqual(["Intent/shop/web-db audit", "Inventory/shop/lab audit"]);
});

it("changes nothing in a dry run, nor for a name that is not in force", async () => {
  expect(await remove([SHUT], { dryRun: true })).toMatchObject({
    changed: false,
    ruleset: "ruleset",
    resources: { removed: [SHUT] },
    permitted: { removed: [] },
  });
  await expect(remove([SHUT, "Policy/shop/nowhere"])).rejects.toMatchObject({
    code: "unknown-resource",
    exitCode: 2,
    message: expect.stringContaining("`Policy/shop/nowhere`"),
  });
  expect(inForce().length).toBe(3);
  expect((await store.current())?.revision).toBe(1);
});

it("is refused where it would cut a session, break a test, or race a change that waits", async () => {
  const files = [{ name: "more.yaml", text: `${MORE}---\n${TEST}` }];
  const more = { mode: "enforce", prune: false, ...common } as const;
  await governor.apply({ files, ...more });
  await expect(remove(["Exception/shop/hold"])).rejects.toMatchObject({ code: "tests-failed" });
  await remove(["PolicyTest/shop/t"]);
  await expect(remove(["Intent/shop/web-db"])).resolves.toMatchObject({ changed: true });
  await expect(remove(["Exception/shop/hold"])).rejects.toMatchObject({ code: "lockout" });
  await remove(["Exception/shop/hold"], { force: true, reason: "known", confirmSeconds: 60 });
  await expect(remove([SHUT])).rejects.toMatchObject({ code: "busy" });
});

const MORE = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: closed, namespace: shop }
spec: { subject: app=db, ingress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Exception
metadata: { name: hold, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5432/tcp, 22/tcp], owner: ada, reason: session, expires: 2027-01-01T00:00:00Z }
`;
const TEST = `apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: t, namespace: shop }
spec: { tests: [{ from: web, to: db, port: 22/tcp, expect: allow }] }
`;

it("says in audit what stays enforced all the same, and what no longer is", async () => {
  const name = "Policy/shop/late";
  const late = {
    name: "late.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: late, namespace: shop }
spec: { subject: app=db, egress: [] }
`,
  };
  const audit = { ...common, mode: "audit", prune: false } as const;
  const added = await governor.apply({ files: [late], ...audit });
  expect(added.stayEnforced).toEqual(["Intent/shop/web-db", SHUT]);
  expect(inForce()).toContain(`${name} audit`);
  const weakened = await governor.apply({ files: [INVENTORY, POLICY], ...audit });
  expect(weakened.stayEnforced).toBeUndefined();
  expect(weakened.notices.join()).toContain(
    "3 resources that were enforced only audit now; `--mode enforce` keeps them enforced",
  );
});

it("says what an apply in audit leaves denied, and of which modes the whole is then", async () => {
  const text = POLICY.text.replaceAll("web-db", "evil-db").replaceAll("app=web", "app=evil");
  const files = [
    { name: "evil.yaml", text: text.split("---\n").find((one) => one.includes("kind: Intent"))! },
  ];
  const given = { files, prune: false, ...common };
  const audited = await governor.apply({ ...given, mode: "audit" });
  const open = [{ from: "shop/evil", to: "shop/db", ports: "5432/tcp" }];
  expect(audited).toMatchObject({ mode: "audit", modes: { enforce: 2, audit: 1 }, unopened: open });
  expect((await historyOf(store)).revisions.map(({ modes }) => modes)).toEqual([
    { enforce: 2, audit: 1 },
    { enforce: 2, audit: 0 },
  ]);
  // What was applied last is not what counts when something is taken out.
  expect((await remove(["Inventory/shop/lab"], { dryRun: true })).mode).toBe("enforce");
  const enforced = await governor.apply({ ...given, mode: "enforce" });
  expect(enforced.unopened).toBeUndefined();
  expect(enforced.modes).toEqual({ enforce: 3, audit: 0 });
});

it("a label that shuts somebody in says so, also when nothing is done yet", async () => {
  const text = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: front, namespace: host }
spec: { subject: role=front, ingress: [] }
`;
  const files = [{ name: "front.yaml", text }];
  await governor.apply({ files, mode: "enforce", prune: false, ...common });
  const given = { ...common, workload: "host/nginx.service", set: { role: "front" }, remove: [] };
  const { notices, permitted } = await governor.label({ ...given, dryRun: true });
  expect(notices).toContainEqual(expect.stringMatching(/^`host\/nginx.service` is enforced by/));
  expect(permitted?.removed).not.toEqual([]);
  await governor.label(given);
  const back = await governor.label({ ...given, set: {}, remove: ["role"], dryRun: true });
  expect(back.notices).toContainEqual(expect.stringContaining("is enforced no longer"));
});

it("going back to what is not enforced is refused unless it is meant, and says what it newly allows", async () => {
  const back = (more: object = {}) =>
    governor.rollback({ revision: 0, opens: false, ...common, ...more });
  await expect(back()).rejects.toMatchObject({
    code: "opens",
    message: expect.stringMatching(
      /^in revision 0 `Intent\/shop\/web-db` is gone, .*`Policy\/shop\/shut` is gone, so that going back newly allows .+ → .+: nothing was changed$/,
    ),
    help: expect.stringContaining("--confirm 60s"),
  });
  const audited = governor.rollback({ revision: 1, mode: "audit", opens: false, ...common });
  await expect(audited).rejects.toMatchObject({
    message: expect.stringContaining("`Policy/shop/shut` only audits"),
  });
  expect(governor.inForce.revision).toBe(1);
  // It takes itself back, so that it may be tried.
  expect(await back({ confirmSeconds: 60 })).toMatchObject({ revision: 2 });
  // And back from what waits is what was there before: nobody is asked.
  expect(await governor.rollback({ revision: 1, opens: false, ...common })).toMatchObject({
    revision: 3,
  });
  expect(await back({ opens: true })).toMatchObject({ revision: 4 });
});

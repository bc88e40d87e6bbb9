/** What the kernel is told of control groups: those that exist, by number, and no more than what changed. */
import { expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import {
  beforeLettingGo,
  bindProcesses,
  checkHostPolicy,
  currentVersions,
  planUpdate,
  rebindProcesses,
  renderRuleset,
} from "../src/index.ts";
import type { Bindings } from "../src/index.ts";
import { PROCESSES, SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

const MARKER = "bulkhead/1 owner=test was=-,-,-";
const rendered = renderRuleset(PROCESSES, MARKER);
const versions = currentVersions(rendered);

const there = (groups: Readonly<Record<string, string>>): Bindings => ({
  numbers: new Map(Object.entries(groups)),
  firstLevel: new Map(Object.entries(groups).filter(([path]) => path.split("/").length === 2)),
  prefix: "unified/",
});
const nobody = there({});
const slice = { "/system.slice": "10", "/other.slice": "11" };
const nginx = { "/system.slice/nginx.service": "21" };
const redis = { "/system.slice/redis.service": "22" };

const elements = (bindings: Bindings, name: string): readonly string[] => [
  ...(bindProcesses(rendered, bindings).inet?.sets.get(name)?.elements.keys() ?? []),
];
const lines = (before: Bindings, after: Bindings): readonly string[] =>
  rebindProcesses(rendered, versions, before, after, SAMPLE_NOW).trim().split("\n");

test("only what exists is bound, under its number", () => {
  expect(elements(nobody, "known2")).toEqual([]);
  expect(elements(there({ ...slice, ...nginx }), "known2")).toEqual(["21"]);
  expect(elements(there({ ...slice, ...nginx }), "owned2_4")).toEqual(["21 . 6 . 443"]);
  expect(elements(there({ ...slice, ...redis }), "ownedat2_4")).toEqual([
    "22 . 127.0.0.1 . 6 . 6379",
  ]);
});

test("at the first level, who is managed and who is elsewhere", () => {
  expect(elements(there(slice), "managed")).toEqual(["10"]);
  expect(elements(there(slice), "elsewhere")).toEqual(["11"]);
});

test("the record of all does not depend on who is there", () => {
  const record = (bindings: Bindings) =>
    bindProcesses(rendered, bindings).inet?.sets.get("process_path0");
  expect(record(nobody)).toEqual(record(there({ ...slice, ...nginx, ...redis })));
  expect([...(record(nobody)?.elements.values() ?? [])].map(({ comment }) => comment)).toContain(
    "/system.slice/redis.service",
  );
});

test("who comes is added where it is asked for, and nothing else is touched", () => {
  const added = lines(there(slice), there({ ...slice, ...nginx }));
  expect(added.filter((line) => !line.startsWith("add element inet bulkhead "))).toEqual([]);
  expect(added).toContain(
    'add element inet bulkhead le_process2 { "unified/system.slice/nginx.service" : jump le_class_0000000b }',
  );
  expect(added.join("\n")).not.toContain("redis");
});

test("who comes again under another number replaces what was there", () => {
  const again = lines(
    there({ ...slice, ...nginx, ...redis }),
    there({ ...slice, ...nginx, "/system.slice/redis.service": "99" }),
  );
  expect(again).toContain("flush set inet bulkhead known2");
  expect(again).toContain(
    'add element inet bulkhead known2 { "unified/system.slice/nginx.service", "unified/system.slice/redis.service" }',
  );
  // Redis is judged where others come to it, nginx where it goes.
  expect(again.join("\n")).not.toContain("le_process2");
});

test("nothing to tell is no transaction", () => {
  expect(rebindProcesses(rendered, versions, there(slice), there(slice), SAMPLE_NOW)).toBe("");
});

test("groups that are gone cannot be named: their set is filled again", () => {
  const before = bindProcesses(rendered, there({ ...slice, ...nginx, ...redis }));
  const after = bindProcesses(rendered, there({ ...slice, ...nginx }));
  const update = planUpdate(before, after, SAMPLE_NOW);
  const script = Object.values(update).join("");
  expect(script).not.toContain("delete element");
  expect(script).toContain("flush set inet bulkhead known2");
});

test("a socket is let in over loopback a step after its owner's ingress is asked for", () => {
  const told = (policy: HostPolicy) =>
    bindProcesses(renderRuleset(policy, MARKER), there({ ...slice, ...redis }));
  const socket = { workload: "host/redis", family: 4, protocol: 6, port: 7000 } as const;
  const update = planUpdate(
    told(PROCESSES),
    told({ ...PROCESSES, sockets: [...(PROCESSES.sockets ?? []), socket] }),
    SAMPLE_NOW,
  );
  expect(update.switch).toContain(
    "add element inet bulkhead li_open4 { 6 . 7000 : goto li_near_0000000d }",
  );
  expect(update.switch).not.toContain("owned2_4");
  expect(update.open).toContain(
    'add element inet bulkhead owned2_4 { "unified/system.slice/redis.service" . 6 . 7000 }',
  );
});

test("what is let go of keeps its processes on the way, under one name for each control group", () => {
  const canary = { seed: 1, share: 100, maps: PROCESSES.live };
  const [first, second, third] = PROCESSES.processes ?? [];
  if (first === undefined || second === undefined || third === undefined) throw new Error("three");
  const nothing = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
  const renamed = { ...second, workload: "host/web", handle: "0a0b0c0d" };
  const between = beforeLettingGo(PROCESSES, {
    ...SAMPLE_POLICIES.enforce,
    processes: [renamed],
    live: nothing,
    canary: { ...canary, maps: SAMPLE_POLICIES.enforce.live },
  });
  if (between === null) throw new Error("nothing between");
  expect(checkHostPolicy(between)).toEqual([]);
  expect(between.live.processes?.egress).toEqual([["host/web", "0000000b"]]);
  expect(between.processes).toEqual([renamed, first, third]);
  expect(between.managed).toEqual(PROCESSES.managed);
});

test("whose name another takes over is nobody's on the way", () => {
  const [first, second, third] = PROCESSES.processes ?? [];
  if (first === undefined || second === undefined || third === undefined) throw new Error("three");
  const heir = { ...second, workload: first.workload, handle: first.handle };
  const between = beforeLettingGo(PROCESSES, {
    ...SAMPLE_POLICIES.enforce,
    processes: [heir],
    live: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
    canary: { seed: 1, share: 100, maps: SAMPLE_POLICIES.enforce.live },
  });
  if (between === null) throw new Error("nothing between");
  expect(checkHostPolicy(between)).toEqual([]);
  expect(() => renderRuleset(between, MARKER)).not.toThrow();
  expect(between.processes).toEqual([heir, third]);
  const { egress = [], ingress = [] } = between.live.processes ?? {};
  const judged = [...egress, ...ingress].map(([workload]) => workload);
  expect(judged.every((workload) => [heir.workload, third.workload].includes(workload))).toBe(true);
});

test("without processes there is nothing to bind", () => {
  const ruleset = renderRuleset(SAMPLE_POLICIES.enforce, MARKER);
  expect(bindProcesses(ruleset, there({ ...slice, ...nginx }))).toBe(ruleset);
});

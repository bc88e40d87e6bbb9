/** What `status` makes of warnings that only show on this machine: a problem that wants attention, with its place. */
import { expect, it } from "vitest";
import type { StatusAnswer } from "@bulkhead/api";
import { compileIndexed } from "@bulkhead/engine";
import type { Refusal } from "@bulkhead/wire";
import { createRefusedParts } from "../src/link/refused-parts.ts";
import { statusOf } from "../src/queries/status.ts";
import { buildWorld } from "../src/world/world.ts";
import {
  endpoint,
  held,
  INVENTORY,
  NOW,
  reading,
  service,
  SHOP,
  surroundings,
} from "./fixtures.ts";

function status(
  around: typeof SHOP,
  ...more: readonly { readonly name: string; readonly text: string }[]
): StatusAnswer {
  return statusWith({}, around, ...more);
}

function statusWith(
  facts: Partial<Parameters<typeof statusOf>[0]>,
  around: typeof SHOP,
  ...more: readonly { readonly name: string; readonly text: string }[]
): StatusAnswer {
  const files = [INVENTORY, ...more];
  const read = reading(files);
  const world = buildWorld(read.declared, around);
  const options = { now: NOW, revision: 1, endpoints: world.endpoints };
  const result = compileIndexed(read.set, world.index, options);
  return statusOf({
    version: "0",
    now: NOW,
    startedAt: NOW,
    inForce: { revision: 1, record: null, held: held(files), reading: read },
    world,
    wanted: { intent: { revision: 1, set: read.set }, world, digest: "sha256:0", result },
    problem: undefined,
    modes: result.modes,
    session: undefined,
    pending: null,
    chain: { intact: true },
    drift: { setting: "repair", total: 0, last: undefined },
    flows: { stored: 0, bytes: 0, waiting: 0, redated: 0, unstored: 0, writable: true },
    names: [],
    unread: [
      { interface: "vnew", since: NOW - 4000 },
      { interface: "vweb", name: "web", since: NOW - 60_000 },
    ],
    ambiguousConnections: 3,
    alarms: [],
    lastLook: undefined,
    orphaned: false,
    probe: null,
    ...facts,
  });
}

const problems = (...given: Parameters<typeof status>): readonly string[] =>
  status(...given).problems;

it("counts what is enforced and what is audited, whatever the last change was", () => {
  const policy = {
    name: "policy.yaml",
    text: "apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: db, namespace: shop }\nspec: { subject: app=db, ingress: [] }\n",
  };
  expect(status(SHOP).resources).toEqual({ enforce: 0, audit: 0 });
  expect(status(SHOP, policy).resources).toEqual({ enforce: 1, audit: 0 });
});

it("names them beside what else is not well", () => {
  const well = problems(SHOP);
  const twice = surroundings([...SHOP.endpoints, endpoint("copy", { addresses: ["10.9.0.10"] })]);
  expect(problems(twice).filter((problem) => !well.includes(problem))).toEqual([
    "BH0602: address `10.9.0.10` is claimed by `default/copy`, `shop/web`",
  ]);
});

it("tells of programs that speak as the machine, while that is exempt and somebody is under policy", () => {
  const relayed = surroundings(SHOP.endpoints, { relays: ["docker-proxy"] });
  const shut = (machine: string) => [
    {
      name: "policy.yaml",
      text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { subject: app=db, ingress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: machine }
spec: { machine: ${machine} }
`,
    },
  ];
  const told = (all: readonly string[]) => all.filter((one) => one.startsWith("docker-proxy"));
  expect(told(problems(relayed, ...shut("{}")))).toHaveLength(1);
  expect(told(problems(relayed, ...shut("{ nodeExempt: false }")))).toEqual([]);
  expect(told(problems(relayed))).toEqual([]);
  expect(told(problems(SHOP, ...shut("{}")))).toEqual([]);
});

it("names links that no rule can hold so that they cannot write on a screen, and fails where that is somebody enforced", () => {
  const shut = {
    name: "policy.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { subject: app=db, ingress: [] }
`,
  };
  const odd = (name: string) =>
    surroundings(
      SHOP.endpoints.map((one) => (one.name === name ? { ...one, interface: 'v"\u001b[2J' } : one)),
    );
  const told = (name: string) =>
    problems(odd(name), shut).filter((one) => one.includes("no rule can hold"));
  expect(told("db")).toEqual([
    expect.stringMatching(/^link `v\\u\{22\}\\u\{1b\}\\u\{5b\}2J` of shop\/db .*nothing guards/),
  ]);
  expect(told("evil")).toEqual([expect.stringContaining("a link that nobody knows")]);
});

it("tells of links that nobody can look behind, once that lasts", () => {
  expect(problems(SHOP).filter((one) => one.includes("look behind"))).toEqual([
    "nobody can look behind link `vweb`: policy goes by what web was when it was last seen",
  ]);
});

it("lists enforced workloads that reach beyond their network, which is no problem of ours", () => {
  const shut = {
    name: "policy.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { subject: app=db, ingress: [] }
`,
  };
  const able = surroundings(
    SHOP.endpoints.map((one) => ({ ...one, capabilities: ["CAP_NET_ADMIN", "CAP_BPF"] })),
  );
  expect(status(able, shut).notices).toEqual([
    expect.stringMatching(/^shop\/db has processes with CAP_BPF, CAP_NET_ADMIN in /),
  ]);
  expect(status(SHOP, shut).notices).toBeUndefined();
  expect(problems(able, shut)).toEqual(problems(SHOP, shut));
});

it("is one note of many that reach past their policy alike", () => {
  const names = ["a", "b", "c", "d", "e"];
  const units = names.map((name, at) =>
    service(`/system.slice/${name}.service`, { capabilities: at === 1 ? [] : ["CAP_NET_RAW"] }),
  );
  const shut = {
    name: "policy.yaml",
    text: names
      .map(
        (name) => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${name}, namespace: host }
spec: { subject: bulkhead.dev/unit=${name}.service, ingress: [] }
`,
      )
      .join("---\n"),
  };
  expect(status(surroundings([], { processes: units }), shut).notices).toEqual([
    "4 workloads have processes with capabilities: they reach past their policy; `CapabilityBoundingSet=` in the unit takes that away: host/a.service (CAP_NET_RAW), host/c.service (CAP_NET_RAW), host/d.service (CAP_NET_RAW) and 1 more (`bulkhead workloads -o json`)",
  ]);
});

it("tells of enforced units that reach past their policy, and of those whose sockets it misses", () => {
  const unit = service("/system.slice/cups.service", {
    capabilities: ["CAP_NET_RAW"],
    borrowed: [{ maker: "", how: "moved", ports: [] }],
  });
  const around = surroundings([], { processes: [unit], processesProblem: "something" });
  const shut = {
    name: "policy.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: cups, namespace: host }
spec: { subject: bulkhead.dev/unit=cups.service, ingress: [] }
`,
  };
  expect(status(around, shut).notices).toEqual([
    "services of this machine are not told apart: something",
    expect.stringMatching(/^host\/cups.service has processes with CAP_NET_RAW: /),
  ]);
  const missed = (all: readonly string[]) => all.filter((one) => one.includes("not judged as"));
  expect(missed(problems(around, shut))).toEqual([
    expect.stringMatching(/^host\/cups.service is enforced, and uses connections .* has gone/),
  ]);
  expect(missed(problems(around))).toEqual([]);
});

it("does not count units that ran once among the workloads", () => {
  const gone = { ...service("/system.slice/backup.service"), gone: true } as const;
  const here = service("/system.slice/nginx.service");
  expect(status(surroundings([], { processes: [gone, here] })).coverage.workloads).toBe(
    status(surroundings([])).coverage.workloads + 1,
  );
});

function session(digest: string, readAt: number, refused: readonly Refusal[] = []) {
  const parts = createRefusedParts();
  parts.note(refused);
  return {
    connected: true,
    since: NOW,
    hello: {
      host: "edge-1",
      pid: 1,
      version: "0",
      driver: "nftables",
      exemptions: { version: 1, list: [] },
    },
    receipt: { revision: 1, digest, driver: "nftables", readAt, entries: 3 },
    receiptSigned: true,
    collector: { alive: true, received: 0, delivered: 0, lost: 0, queueDepth: 0 },
    counters: {},
    undecided: [],
    refused: parts,
  } as unknown as NonNullable<Parameters<typeof statusOf>[0]["session"]>;
}

it("says how often the controller was started again", () => {
  const restarts = { count: 2, at: NOW - 5000, how: "SIGKILL" };
  expect(statusWith({ restarts }, SHOP).restarts).toEqual(restarts);
  expect(statusWith({}, SHOP)).not.toHaveProperty("restarts");
});

it("tells what of an agent's words nobody took, and goes on with the rest", () => {
  const told = (refused: readonly Refusal[]) => {
    const {
      state,
      problems: bad,
      agents,
    } = statusWith({ session: session("sha256:0", NOW, refused), alarms: [] }, SHOP);
    return { state, lines: bad.filter((one) => one.startsWith("parts of")), agent: agents[0] };
  };
  expect(told([]).lines).toEqual([]);
  const names = { place: "expected.schedules.name", why: "control characters", count: 2 };
  const many = { place: "expected.problems", why: "number", count: 40 };
  const { lines, agent } = told([names, many, names]);
  expect(lines).toEqual([
    "parts of what the agent of edge-1 told are refused: 44, 40 by number in `expected.problems`, 4 by control characters in `expected.schedules.name`; the rest of it is kept",
  ]);
  expect(agent?.refused).toEqual([many, { ...names, count: 4 }]);
  // However many places somebody finds, they stay a list that is read.
  const flood = Array.from({ length: 5000 }, (_, at) => ({ ...names, place: `place ${at}` }));
  const flooded = told(flood).agent?.refused ?? [];
  expect(flooded).toHaveLength(101);
  expect(flooded[0]).toEqual({ place: "elsewhere", why: "several reasons", count: 2 * 4900 });
});

it("drift wants attention until the kernel was read again and held what is wanted; then it is told with its time", () => {
  const message = "drift on edge-1: table inet bulkhead is gone, repaired";
  const alarms = [{ at: NOW - 60_000, kind: "drift" as const, message, count: 2 }];
  const told = (digest: string, readAt: number) => {
    const { problems: bad, notices = [] } = statusWith(
      { alarms, session: session(digest, readAt) },
      SHOP,
    );
    return [bad, notices].map((lines) => lines.filter((line) => line.startsWith("drift on")));
  };
  const [problem, notice] = [
    [`${message} (2 times)`],
    [
      `${message} (2 times), at ${new Date(NOW - 60_000).toISOString()}: the kernel holds what is wanted again (\`bulkhead drift\`)`,
    ],
  ];
  expect(told("sha256:0", NOW - 1000)).toEqual([[], notice]);
  // Not read since, or holding something else: whatever the agent said of its repair.
  expect(told("sha256:0", NOW - 61_000)).toEqual([problem, []]);
  expect(told("sha256:1", NOW - 1000)).toEqual([problem, []]);
});

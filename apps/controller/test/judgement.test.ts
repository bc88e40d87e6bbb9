/** What speaks against a change, found before anything is touched: broken tests, sessions that would be cut, size. */
import { describe, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import { compileIndexed } from "@bulkhead/engine";
import { countEntries, takesPart } from "@bulkhead/model";
import type { ChangeSummary, Revision } from "@bulkhead/store";
import type { BorrowedSockets, HostSession } from "@bulkhead/wire";
import { mergeGiven, readGiven } from "../src/policy/candidate.ts";
import type { Change, InForce } from "../src/policy/change.ts";
import { judge } from "../src/policy/judgement.ts";
import { readPolicy, type Reading } from "../src/policy/reading.ts";
import { buildWorld, type Surroundings } from "../src/world/world.ts";
import { POLICY } from "./lab.ts";
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

const NO_CHANGES: ChangeSummary = { added: [], changed: [], removed: [], unchanged: [], kept: [] };

function judged(
  text: string,
  more: Partial<Change> = {},
  around: Surroundings = SHOP,
  capacity = 0,
  now: Partial<InForce> = {},
) {
  const after = held([INVENTORY, { name: "p.yaml", text }]);
  const change: Change = {
    kind: "apply",
    held: after,
    changes: NO_CHANGES,
    files: [],
    mode: "enforce",
    author: "",
    reason: "",
    force: false,
    dryRun: false,
    strict: false,
    diagnostics: [],
    ...more,
  };
  const before = [INVENTORY];
  try {
    return judge(change, {
      inForce: { revision: 1, record: null, held: held(before), reading: reading(before), ...now },
      now: NOW,
      worldUnder: ({ declared }: Reading) => buildWorld(declared, around),
      compile: ({ set }, world) => ({
        intent: { revision: 2, set },
        world,
        digest: "",
        result: compileIndexed(set, world.index, {
          now: NOW,
          revision: 2,
          endpoints: world.endpoints,
          processes: world.processes,
        }),
      }),
      capacity,
    });
  } catch (error) {
    if (error instanceof ApiFailure) return error;
    throw error;
  }
}

const test = (line: string) =>
  `${POLICY.text}---\napiVersion: bulkhead.dev/v1\nkind: PolicyTest\nmetadata: { name: t, namespace: shop }\nspec:\n  tests:\n    - ${line}\n`;
const HOLDS = test("{ from: web, to: db, port: 5432/tcp, expect: allow }");
const FAILS = test("{ from: evil, to: db, port: 5432/tcp, expect: allow }");

describe("policy tests", () => {
  it("let through what they expect, and refuse what they do not", () => {
    expect(judged(HOLDS)).toMatchObject({ tests: [{ passed: true }] });
    expect(judged(FAILS)).toMatchObject({
      code: "tests-failed",
      message: expect.stringContaining("p.yaml:"),
    });
  });

  it("hint at the Inventory when its removal is why they fail", () => {
    const own = [{ name: "p.yaml", text: HOLDS }];
    const before = { held: held([INVENTORY]), reading: reading([INVENTORY]) };
    const removed = mergeGiven(before.held, readGiven(own), { mode: "enforce", prune: true });
    const hint = (words: string) => ({
      code: "tests-failed",
      help: expect.stringMatching(`^\`Inventory/shop/lab\` ${words}`),
    });
    expect(judged("", removed)).toMatchObject(hint("would be removed"));

    const { changes } = mergeGiven(before.held, readGiven([]), { mode: "enforce", prune: true });
    const now = { held: [], reading: reading([]), record: { changes } as Revision };
    const later = { held: held(own), changes: NO_CHANGES };
    expect(judged("", later, SHOP, 0, now)).toMatchObject(hint("was removed with revision 1"));
    expect(judged(FAILS, {}, SHOP, 0, now)).toHaveProperty("help", undefined);
  });

  it("speak of workloads that are not attached as well", () => {
    const nobody = surroundings([]);
    expect(judged(HOLDS, {}, nobody)).toMatchObject({ tests: [{ passed: true }] });
    expect(judged(FAILS, {}, nobody)).toMatchObject({ code: "tests-failed" });
  });
});

it("policy tests speak of units of the machine as well", () => {
  const around = { ...SHOP, processes: [service("/system.slice/nginx.service")] };
  const text = (expect: string) => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: nginx, namespace: host }
spec: { subject: app=nginx, ingress: [{ from: [{ selector: app=web, namespace: shop }], ports: [80/tcp] }] }
---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: t, namespace: host }
spec:
  tests:
    - { from: shop/web, to: nginx.service, port: 80/tcp, expect: allow }
    - { from: shop/evil, to: nginx.service, port: 80/tcp, expect: ${expect} }
    - { from: nginx.service, to: shop/db, port: 5432/tcp, expect: allow }
`;
  expect(judged(text("deny"), {}, around)).toMatchObject({
    tests: [{ passed: true }, { passed: true }, { passed: true }],
  });
  expect(judged(text("allow"), {}, around)).toMatchObject({ code: "tests-failed" });
});

describe("units whose sockets are judged as others'", () => {
  const unit = (how: BorrowedSockets["how"]) =>
    service("/system.slice/cups.service", {
      borrowed: [{ maker: "/init.scope", how, ports: [{ protocol: 6, port: 631 }] }],
    });
  const around = (how: BorrowedSockets["how"]) =>
    surroundings([], { processes: [unit(how), service("/init.scope", { form: "scope" })] });
  const policy = (mode = "") => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: cups, namespace: host }
spec: { ${mode} subject: bulkhead.dev/unit=cups.service, ingress: [] }
`;
  const ACCEPTED = `${policy()}---
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: units, namespace: host }
spec:
  workloads:
    - { name: cups, unit: cups.service, borrowedSockets: accepted, labels: { bulkhead.dev/unit: cups.service } }
`;

  it("are not enforced, whether systemd made the sockets or they were moved", () => {
    expect(judged(policy(), {}, around("activated"))).toMatchObject({
      code: "bad-policy",
      diagnostics: [
        {
          code: "BH0605",
          span: { file: "p.yaml", line: 4 },
          message: expect.stringMatching(/host\/cups.service.*631\/tcp.*host\/init.scope/),
          help: expect.stringMatching(/cups\.socket.*borrowedSockets: accepted/),
        },
      ],
    });
    expect(judged(policy(), {}, around("moved"))).toMatchObject({ code: "bad-policy" });
  });

  it("are, where an Inventory says that it is known", () => {
    expect(judged(ACCEPTED, {}, around("activated"))).toMatchObject({ notices: [] });
  });

  it("are audited, with a word of warning", () => {
    expect(judged(policy("mode: audit,"), {}, around("activated"))).toMatchObject({
      notices: [expect.stringMatching(/cups.service .*enforcing its policy would be refused/)],
    });
  });

  it("are enforced while only connections came to them that another accepted", () => {
    expect(judged(policy(), {}, around("accepted"))).toMatchObject({ notices: [] });
  });

  it("do not stand in the way of what is in force already", () => {
    const before = [INVENTORY, { name: "p.yaml", text: policy() }];
    const now = { held: held(before), reading: reading(before) };
    expect(judged(policy(), {}, around("moved"), 0, now)).toMatchObject({ notices: [] });
  });
});

describe("sessions", () => {
  const session: HostSession = {
    source: "10.9.0.12",
    destination: "10.9.0.11",
    protocol: 6,
    port: 22,
    what: "ssh session",
  };
  const around = { ...SHOP, sessions: [session] };

  it("are not cut unasked, nor without a reason", () => {
    expect(judged(POLICY.text, {}, around)).toMatchObject({ code: "lockout" });
    expect(judged(POLICY.text, { force: true }, around)).toMatchObject({
      code: "lockout",
      help: expect.stringContaining("reason"),
    });
    expect(judged(POLICY.text, { force: true, reason: "known" }, around)).toMatchObject({
      notices: [expect.stringContaining("forced")],
    });
  });

  it("do not stand in the way of what leaves them alone, or only audits them", () => {
    const allowed = { ...session, source: "10.9.0.10", port: 5432 };
    expect(judged(POLICY.text, {}, { ...SHOP, sessions: [allowed] })).toMatchObject({
      notices: [],
    });
    const audited = held([INVENTORY, { name: "p.yaml", text: POLICY.text }], "audit");
    expect(judged(POLICY.text, { held: audited }, around)).toMatchObject({ notices: [] });
  });
});

describe("of a rollout the whole counts, not today's share", () => {
  // So small a share that neither flow takes part.
  const canary = { seed: 1, share: 1 };
  const rolledOut = (text: string) => ({
    held: held([INVENTORY, { name: "p.yaml", text }], "enforce", canary),
  });

  it("for the sessions that it will cut", () => {
    const session = { protocol: 6, port: 22, what: "ssh session" };
    const ends = { source: "10.9.0.12", destination: "10.9.0.11" };
    const around = { ...SHOP, sessions: [{ ...session, ...ends }] };
    expect(takesPart({ ...ends, protocol: 6, port: 22 }, canary)).toBe(false);
    expect(judged("", rolledOut(POLICY.text), around)).toMatchObject({ code: "lockout" });
  });

  it("for the tests that it has to pass", () => {
    expect(judged("", rolledOut(HOLDS))).toMatchObject({ tests: [{ passed: true }] });
    expect(judged("", rolledOut(FAILS))).toMatchObject({ code: "tests-failed" });
  });
});

it("tells what is doubtful on this machine, with what is doubtful in the text", () => {
  const twice = surroundings([...SHOP.endpoints, endpoint("copy", { addresses: ["10.9.0.10"] })]);
  expect(judged(POLICY.text, {}, twice)).toMatchObject({
    diagnostics: [
      {
        code: "BH0602",
        severity: "warning",
        message: "address `10.9.0.10` is claimed by `default/copy`, `shop/web`",
      },
    ],
  });
  const disagreeing = [
    ["allow", "app=web"],
    ["deny", "app notin (db)"],
  ].map(
    ([action, from]) => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${action}-it, namespace: shop }
spec:
  tier: guardrail
  subject: app=db
  ingress: [{ action: ${action}, from: [${from}], ports: [22/tcp] }]
`,
  );
  expect(judged(disagreeing.join("---\n"))).toMatchObject({
    diagnostics: [{ code: "BH0603", span: { file: "p.yaml" } }],
  });
});

it("notices policies that select nobody", () => {
  const notices = (text: string) => {
    const result = judged(text);
    return result instanceof ApiFailure ? [result.message] : result.notices;
  };
  expect(notices(POLICY.text)).toEqual([]);
  const mistyped = POLICY.text.replace("from: app=web", "from: app=wbe").replace("=evil", "=devil");
  expect(notices(mistyped)).toEqual([
    "no workload known here is selected by `Intent/shop/web-db` (from), `Policy/shop/shut`: compare their labels with `bulkhead workloads`",
  ]);
});

it("refuses what does not fit", () => {
  const fitting = judged(POLICY.text);
  if (fitting instanceof ApiFailure) throw fitting;
  const entries = countEntries(fitting.compiled.result.policy);
  expect(judged(POLICY.text, {}, SHOP, entries - 1)).toMatchObject({
    code: "capacity",
    exitCode: 2,
    message: `the set needs ${entries} entries and the kernel takes ${entries - 1}: nothing was changed`,
  });
  expect(judged(POLICY.text, {}, SHOP, entries)).toHaveProperty("compiled");
});

it("tells at once what parsing finds and what building finds in the same resource", () => {
  const text = POLICY.text.replace(
    "  ingress: []\n",
    "  owner: 7\n  ingress: [{ from: [{ any: true }] }]\n",
  );
  const { resources, diagnostics, partial } = readGiven([{ name: "p.yaml", text }]);
  expect([...resources.keys()]).toEqual(["Intent/shop/web-db"]);
  expect(judged("", { diagnostics, partial })).toMatchObject({
    code: "bad-policy",
    message: "2 errors: nothing was changed",
    diagnostics: [{ code: "BH0104" }, { code: "BH0301" }],
  });
});

it("refuses a policy with errors, with all of them", () => {
  const wrong = POLICY.text.replace("to: app=db", "to: { networkSet: nowhere }");
  const failure = judged(wrong);
  expect(failure).toMatchObject({
    code: "bad-policy",
    diagnostics: [expect.objectContaining({ code: "BH0305" })],
  });
});

describe("a tier", () => {
  const tier = (name: string, priority: number) => `---
apiVersion: crd.antrea.io/v1beta1
kind: Tier
metadata: { name: ${name} }
spec: { priority: ${priority} }
`;
  const policy = (name: string, action: string) => `---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterNetworkPolicy
metadata: { name: ${name} }
spec:
  priority: 1
  tier: ${name}
  appliedTo: [{ podSelector: { matchLabels: { app: db } } }]
  ingress: [{ action: ${action}, from: [{ ipBlock: { cidr: 192.0.2.0/24 } }], ports: [{ protocol: TCP, port: 80 }] }]
`;
  const POLICIES = `${policy("one", "Drop")}${policy("two", "Allow")}`;
  const file = (text: string) => ({ name: "tiers.yaml", text });
  const moved = file(`${tier("one", 110)}${tier("two", 105)}`);

  function applied(mode: "audit" | "enforce", policies: "audit" | "enforce" = "enforce") {
    const tiers = file(`${tier("one", 101)}${tier("two", 105)}`);
    const rules = { name: "rules.yaml", text: POLICIES };
    const before = mergeGiven(held([INVENTORY, tiers]), readGiven([rules]), {
      mode: policies,
      prune: false,
    }).held;
    const { held: after, changes } = mergeGiven(before, readGiven([moved]), { mode, prune: false });
    const read = readPolicy(before, { now: NOW, strict: false });
    return judged(POLICIES, { held: after, changes, mode }, SHOP, 0, {
      held: before,
      reading: read,
    });
  }

  it("that moves enforced policies is not applied in audit", () => {
    const refused = applied("audit");
    expect(refused).toBeInstanceOf(ApiFailure);
    expect(refused).toMatchObject({ code: "bad-policy" });
    expect((refused as ApiFailure).message).toContain("tier `antrea/");
    expect((refused as ApiFailure).help).toContain("--mode enforce");
  });

  it("moves where that is meant, and where nothing in it is enforced", () => {
    expect(applied("enforce")).not.toBeInstanceOf(ApiFailure);
    expect(applied("audit", "audit")).not.toBeInstanceOf(ApiFailure);
  });
});

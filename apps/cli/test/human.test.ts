/** What people see, word for word: every verb, without colour, 120 columns wide. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ambiguous, barred, exact, permitted, spared } from "./answers/decisions.ts";
import { drifted, servesLeasesAndNames, units, unwell } from "./answers/machine.ts";
import { deleted, rollout } from "./answers/policies.ts";
import { provenProbes, untriedProbes } from "./answers/probes.ts";
import { policiesBroad, policiesEnding, policiesUsed } from "./answers/measures.ts";
import { whyAllowedNow, whyBarred, whyGone } from "./answers/why.ts";
import { answers } from "./answers.ts";
import { call, NOW, type CallOptions, type Called } from "./call.ts";
import { startFakeController, type Answers, type FakeController } from "./fake-controller.ts";

let controller: FakeController | undefined;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-files-"));
  writeFileSync(join(folder, "policy.yaml"), "kind: Policy\nname: web\n");
});

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function shown(
  args: readonly string[],
  over: Answers = {},
  options: CallOptions = {},
): Promise<Called> {
  controller = await startFakeController({ ...answers, ...over });
  const called = await call(args, { state: controller.state, ...options });
  const tidy = (text: string): string => text.replaceAll(folder, "FOLDER");
  return { ...called, stdout: tidy(called.stdout), stderr: tidy(called.stderr) };
}

const POLICY = (): string => join(folder, "policy.yaml");

const cases: readonly (readonly [string, () => readonly string[], number, Answers])[] = [
  ["status", () => ["status"], 0, {}],
  ["status-wide", () => ["status", "-o", "wide"], 0, {}],
  ["status-unwell", () => ["status"], 1, { status: unwell }],
  ["status-machine", () => ["status"], 0, { status: servesLeasesAndNames }],
  ["workloads", () => ["workloads"], 0, {}],
  ["workloads-wide", () => ["workloads", "-o", "wide"], 0, {}],
  ["workloads-units", () => ["workloads"], 0, { workloads: units }],
  ["workloads-units-all", () => ["workloads", "--all", "-o", "wide"], 0, { workloads: units }],
  ["workloads-export", () => ["workloads", "--export"], 0, { workloads: units }],
  ["label", () => ["label", "shop/web", "tier=front", "role-"], 0, {}],
  [
    "label-shut",
    () => ["label", "db", "tier=back", "--dry-run"],
    0,
    {
      label: {
        ...answers.label,
        dryRun: true,
        notices: ["`shop/db` is enforced by these labels: what no rule allows it is denied"],
        underWay: [
          {
            source: answers.edges.edges[0]!.source,
            destination: answers.edges.edges[0]!.destination,
            protocol: 6,
            port: 5432,
            connections: 3,
            verdict: "drop",
            rule: "Policy/shop/default-deny#ingress",
          },
        ],
      },
    },
  ],
  [
    "label-dry-run",
    () => ["label", "db", "tier=back", "--dry-run"],
    0,
    { label: { ...answers.label, dryRun: true } },
  ],
  ["workloads-none", () => ["workloads", "-n", "nowhere"], 0, {}],
  ["policies", () => ["policies"], 0, {}],
  ["policies-one", () => ["policies", "Policy/old", "-o", "wide"], 0, {}],
  [
    "policies-uncounted",
    () => ["policies"],
    0,
    { policies: { ...answers.policies, uncounted: "no agent is connected" } },
  ],
  ["policies-terms", () => ["policies"], 0, { policies: policiesEnding }],
  ["policies-none", () => ["policies"], 0, { policies: { revision: 0, policies: [], others: [] } }],
  ["observe", () => ["observe"], 0, {}],
  ["observe-wide", () => ["observe", "-o", "wide"], 0, {}],
  ["observe-nothing", () => ["observe"], 0, { edges: { edges: [] } }],
  ["observe-flows", () => ["observe", "--flows"], 0, {}],
  ["observe-flows-table", () => ["observe", "--flows", "-o", "table"], 0, {}],
  ["observe-process", () => ["observe", "--process"], 0, {}],
  ["observe-dict", () => ["observe", "-o", "dict"], 0, {}],
  ["observe-jsonpb", () => ["observe", "-o", "jsonpb"], 0, {}],
  ["observe-top", () => ["observe", "--top"], 0, {}],
  ["observe-top-denied", () => ["observe", "--top", "1", "--by", "denied"], 0, {}],
  [
    "observe-top-nothing",
    () => ["observe", "--top", "--by", "failed"],
    0,
    { edges: { edges: [] } },
  ],
  ["map", () => ["map"], 0, {}],
  ["map-wide", () => ["map", "-o", "wide", "--group-by", "role"], 0, {}],
  ["map-mermaid", () => ["map", "-o", "mermaid"], 0, {}],
  ["map-nothing", () => ["map"], 0, { edges: { edges: [] } }],
  ["why", () => ["why"], 1, {}],
  ["why-draft", () => ["why", "web", "db:5432", "--draft"], 1, {}],
  ["why-allowed-now", () => ["why", "web", "db:5432"], 0, { why: whyAllowedNow }],
  ["why-barred", () => ["why", "web", "db:5432"], 1, { why: whyBarred }],
  ["why-gone", () => ["why"], 0, { why: whyGone }],
  ["why-report", () => ["why", "web", "db:5432", "--report", "the report fails"], 0, {}],
  ["why-nothing", () => ["why", "web", "db"], 0, { why: { revision: 3, rules: [] } }],
  ["suggest-text", () => ["suggest"], 0, {}],
  ["suggest-table", () => ["suggest", "-o", "table"], 0, {}],
  ["suggest-file", () => ["suggest", "-f", join(folder, "out.yaml")], 0, {}],
  ["replay", () => ["replay", POLICY()], 1, {}],
  ["replay-wide", () => ["replay", POLICY(), "-o", "wide"], 1, {}],
  ["plan", () => ["plan", POLICY()], 1, {}],
  ["apply", () => ["apply", POLICY(), "--mode", "enforce", "--confirm", "60s"], 0, {}],
  [
    "apply-nothing",
    () => ["apply", POLICY()],
    0,
    {
      apply: { ...answers.apply, changed: false, mode: "audit", confirmBy: undefined, notices: [] },
    },
  ],
  [
    "apply-dry-run",
    () => ["apply", POLICY(), "--dry-run"],
    0,
    {
      apply: {
        ...answers.apply,
        dryRun: true,
        confirmBy: undefined,
        ruleset: "table inet bulkhead {\n}",
      },
    },
  ],
  [
    "apply-audit-beside-enforced",
    () => ["apply", POLICY()],
    0,
    {
      apply: {
        ...answers.apply,
        mode: "audit",
        confirmBy: undefined,
        notices: [],
        stayEnforced: ["Intent/shop/web-to-db", "Policy/shop/default-deny"],
        modes: { enforce: 2, audit: 1 },
        unopened: answers.plan.permitted.added,
      },
    },
  ],
  [
    "suggest-unlabelled",
    () => ["suggest", "-f", join(folder, "out.yaml")],
    0,
    { suggest: { ...answers.suggest, rules: [], setAside: [], unlabelled: ["default/web"] } },
  ],
  ["delete", () => ["delete", "Policy/shop/default-deny"], 0, {}],
  [
    "delete-dry-run",
    () => ["delete", "Policy/shop/default-deny", "--dry-run"],
    0,
    { delete: { ...deleted, dryRun: true, ruleset: "table inet bulkhead {\n}" } },
  ],
  [
    "apply-canary",
    () => ["apply", POLICY(), "--mode", "enforce", "--canary", "10%"],
    0,
    {
      apply: {
        ...answers.apply,
        confirmBy: undefined,
        canary: rollout,
        notices: ["`Policy/shop/db` holds for 10% of flows; all others are only audited"],
      },
    },
  ],
  [
    "plan-unopened",
    () => ["plan", POLICY()],
    1,
    {
      plan: {
        ...answers.plan,
        tests: [],
        unopened: answers.plan.permitted.added,
        notices: [
          "no workload known here is selected by `Intent/shop/web-db` (from): compare their labels with `bulkhead workloads`",
        ],
      },
    },
  ],
  [
    "apply-audit-dry-run",
    () => ["apply", POLICY(), "--dry-run"],
    0,
    {
      apply: {
        ...answers.apply,
        mode: "audit",
        dryRun: true,
        confirmBy: undefined,
        unopened: answers.plan.permitted.added,
        ruleset: "table inet bulkhead {\n}",
      },
    },
  ],
  [
    "status-ambiguous",
    () => ["status"],
    0,
    {
      status: {
        ...answers.status,
        ambiguous: {
          connections: 1204,
          contested: [{ what: "10.0.0.10", workloads: ["default/copy", "shop/web"] }],
        },
      },
    },
  ],
  [
    "workloads-contested",
    () => ["workloads"],
    0,
    {
      workloads: {
        ...answers.workloads,
        workloads: answers.workloads.workloads
          .slice(0, 2)
          .map((one) => ({ ...one, contested: ["10.0.0.10"] })),
      },
    },
  ],
  ["status-canary", () => ["status"], 0, { status: { ...answers.status, canary: rollout } }],
  ["plan-canary", () => ["plan", POLICY()], 1, { plan: { ...answers.plan, canary: rollout } }],
  [
    "history-canary",
    () => ["history"],
    0,
    {
      history: {
        ...answers.history,
        revisions: answers.history.revisions.map((one) => ({ ...one, canary: rollout })),
      },
    },
  ],
  ["explain-exact", () => ["explain", "web", "db:5432"], 0, { explain: exact }],
  ["explain-ambiguous", () => ["explain", "web", "db:5432"], 1, { explain: ambiguous }],
  ["explain-spared", () => ["explain", "web", "db:5432"], 0, { explain: spared }],
  ["drift-none", () => ["drift"], 0, {}],
  ["drift", () => ["drift", "--set", "report"], 1, { drift: drifted }],
  ["slo", () => ["slo"], 0, {}],
  ["policies-unused", () => ["policies", "--unused", "30d"], 1, { policies: policiesUsed }],
  ["policies-broad", () => ["policies", "--broad"], 1, { policies: policiesBroad }],
  [
    "policies-broad-none",
    () => ["policies", "--broad", "7d"],
    0,
    { policies: { ...policiesBroad, broad: { ...policiesBroad.broad, rules: [], patch: "" } } },
  ],
  [
    "policies-broad-young",
    () => ["policies", "--broad"],
    0,
    {
      policies: {
        ...policiesBroad,
        broad: { ...policiesBroad.broad, from: NOW - 12 * 60_000, days: 1, rules: [], patch: "" },
      },
    },
  ],
  [
    "policies-unused-young",
    () => ["policies", "--unused", "30d"],
    0,
    {
      policies: {
        ...policiesUsed,
        usage: { ...policiesUsed.usage, from: policiesUsed.usage.since + 86_400_000, rules: [] },
      },
    },
  ],
  ["slo-wide", () => ["slo", "--strict", "-o", "wide"], 1, {}],
  ["slo-md", () => ["slo", "-o", "md"], 0, {}],
  ["assess", () => ["assess"], 0, {}],
  ["assess-wide", () => ["assess", "-o", "wide"], 0, {}],
  ["assess-md", () => ["assess", "-o", "md"], 0, {}],
  ["readiness", () => ["readiness"], 0, {}],
  ["readiness-wide", () => ["readiness", "checkout", "--strict", "-o", "wide"], 1, {}],
  ["readiness-md", () => ["readiness", "shop/db", "-o", "md"], 0, {}],
  [
    "status-readiness",
    () => ["status"],
    0,
    {
      status: {
        ...answers.status,
        readiness: {
          at: Date.UTC(2026, 2, 31, 16, 59),
          applications: 9,
          ready: 2,
          readyExcept: 4,
          learning: 3,
        },
      },
    },
  ],
  ["confirm", () => ["confirm"], 0, {}],
  ["history", () => ["history"], 0, {}],
  [
    "history-broken",
    () => ["history"],
    1,
    { history: { ...answers.history, intact: false, brokenAt: 2 } },
  ],
  ["history-none", () => ["history"], 0, { history: { revisions: [], current: 0, intact: true } }],
  ["history-one", () => ["history", "1"], 0, {}],
  ["rollback", () => ["rollback"], 0, {}],
  ["explain-deny", () => ["explain", "web", "db:5432"], 1, {}],
  ["explain-deny-wide", () => ["explain", "web", "db:5432", "-o", "wide"], 1, {}],
  ["explain-allow", () => ["explain", "web", "db:5432"], 0, { explain: permitted }],
  ["explain-barred", () => ["explain", "web", "db:5432"], 1, { explain: barred }],
  ["explain-change", () => ["explain", "web", "db:5432", "--change"], 1, {}],
  ["probe", () => ["probe"], 1, {}],
  ["probe-wide", () => ["probe", "-o", "wide"], 1, {}],
  ["probe-untried", () => ["probe"], 1, { probe: [...untriedProbes] }],
  ["probe-proven", () => ["probe"], 0, { probe: [...provenProbes] }],
];

/** How the last line of what needs no word after it begins. */
const MADE_FOR_A_PIPE: Readonly<Record<string, RegExp>> = {
  "why-draft": /^  name: allow-web-to-db$/,
  "explain-change": /^spec: /,
  "observe-jsonpb": /^\{"flow":/,
  "assess-md": /^\| advanced/,
  "readiness-md": /^\| shop\/db/,
  "slo-md": /^\| M8 violation to alert/,
  "map-mermaid": /^ {2}n1 -->/,
  "workloads-export": /^ {4}hairpinExempt: /,
};

describe("human output", () => {
  it.each(cases)("of %s", async (name, args, code, over) => {
    const called = await shown(args(), over);
    expect(called.code).toBe(code);
    await expect(
      `${called.stdout}${called.stderr === "" ? "" : `--- stderr\n${called.stderr}`}`,
    ).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it.each(cases)("of %s ends with the next sensible command", async (name, args, _code, over) => {
    const called = await shown(args(), over);
    const last = called.stdout.trimEnd().split("\n").at(-1) ?? "";
    const expected = MADE_FOR_A_PIPE[name] ?? /^(# )?next: bulkhead /;
    expect(last).toMatch(expected);
  });

  it("keeps within a narrow terminal", async () => {
    const { stdout } = await shown(["observe"], {}, { columns: 100 });
    for (const line of stdout.split("\n")) expect([...line].length).toBeLessThanOrEqual(100);
    expect(stdout).toContain("…");
  });

  it("counts the edges of its rows, and cuts a long list with a count", async () => {
    const [row] = answers.replay.affected;
    if (row === undefined) throw new Error("nobody is affected");
    const replay = {
      ...answers.replay,
      denied: { edges: 90, connections: 5000 },
      affected: Array.from({ length: 30 }, () => ({ ...row, edges: 3 })),
    };
    const { stdout } = await shown(["replay", POLICY()], { replay });
    expect(stdout).toContain("Newly denied: 90 edges (5,000 connections) in 30 rows\n");
    expect(stdout.match(/^shop\/web ×3 /gm)).toHaveLength(20);
    expect(stdout).toContain("\nand 10 more rows (-o wide)\n");
    const wide = await shown(["replay", POLICY(), "-o", "wide"], { replay });
    expect(wide.stdout.match(/^shop\/web ×3 /gm)).toHaveLength(30);
    expect(wide.stdout).toContain("\nand 89 more edges with fewer connections\n");
  });

  it("cuts no name short in a file or a pipe", async () => {
    const long = `shop/${"long-name-".repeat(20)}end`;
    const first = answers.edges.edges[0];
    if (first === undefined) throw new Error("no edge to rename");
    const { stdout } = await shown(
      ["observe"],
      { edges: { edges: [{ ...first, source: { ...first.source, name: long } }] } },
      { columns: "none" },
    );
    expect(stdout).toContain(long);
    expect(stdout).not.toContain("…");
  });

  it("gives every column a place of its own in a file or a pipe, and folds on a terminal", async () => {
    const piped = await shown(["workloads", "-o", "wide"], {}, { columns: "none" });
    expect(piped.stdout.split("\n")[0]).toMatch(/^WORKLOAD .* ADDRESSES .* SELECTED BY$/);
    const narrow = await shown(["workloads", "-o", "wide"], {}, { columns: 60 });
    expect(narrow.stdout).toMatch(/^ {4}ADDRESSES 10\.0\.0\.10, fd00::10/m);
    expect(narrow.stdout).toContain("Policy/shop/default-deny, Intent/shop/web-to-db");
  });

  it("repeats --state in what to type next, where it was given", async () => {
    controller = await startFakeController(answers);
    const { state } = controller;
    const denied = await call(["explain", "web", "db:5432", "--state", state]);
    expect(denied.stdout).toContain(
      `next: bulkhead --state ${state} explain web db:5432 --change | bulkhead --state ${state} plan -\n`,
    );
    const drafted = await call(["suggest", "--state", state]);
    expect(drafted.stdout).toContain(`# next: bulkhead --state ${state} suggest -f policy.yaml\n`);
    const again = await call(["--state", state, "status"]);
    expect(again.stdout).toContain(`next: bulkhead --state ${state} `);
  });

  it("has colour on a terminal only, and none with NO_COLOR", async () => {
    const escape = String.fromCharCode(27);
    expect((await shown(["status"], {}, { tty: true })).stdout).toContain(escape);
    await controller?.stop();
    expect(
      (await shown(["status"], {}, { tty: true, env: { NO_COLOR: "1" } })).stdout,
    ).not.toContain(escape);
    await controller?.stop();
    expect((await shown(["status"])).stdout).not.toContain(escape);
  });

  it("makes control characters in names visible", async () => {
    const evil = `shop/${String.fromCharCode(27)}]0;owned${String.fromCharCode(7)}`;
    const first = answers.workloads.workloads[0];
    if (first === undefined) throw new Error("no workload to spoil");
    const { stdout } = await shown(["workloads"], {
      workloads: { ...answers.workloads, workloads: [{ ...first, id: evil }] },
    });
    expect(stdout).toContain("shop/�]0;owned�");
  });

  it("writes the suggestion to the file", async () => {
    await shown(["suggest", "-f", join(folder, "out.yaml")]);
    expect(readFileSync(join(folder, "out.yaml"), "utf8")).toBe(answers.suggest.files[0]?.text);
  });
});

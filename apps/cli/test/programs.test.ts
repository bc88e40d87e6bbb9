/** What programs see: JSON of the published schemas, JSON Lines for streams, exit codes, and what reaches the controller. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiFailure, publishedSchemas, type RouteName } from "@bulkhead/api";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { unwell } from "./answers/machine.ts";
import { answers } from "./answers.ts";
import { call, NOW } from "./call.ts";
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

async function asked(args: readonly string[], over: Answers = {}, stdin = "") {
  controller = await startFakeController({ ...answers, ...over });
  const called = await call(args, { state: controller.state, stdin });
  return { ...called, requests: controller.requests };
}

const schemas = publishedSchemas();
const ajv = new Ajv2020({ strict: false, allErrors: true });

function ownSchemaOf({ stdout }: { readonly stdout: string }): object {
  return (JSON.parse(stdout) as { readonly answer: object }).answer;
}

const policy = (): string => join(folder, "policy.yaml");
const verbs: readonly (readonly [RouteName, () => readonly string[]])[] = [
  ["status", () => ["status"]],
  ["workloads", () => ["workloads"]],
  ["policies", () => ["policies"]],
  ["edges", () => ["observe", "--edges", "--since", "1700000000000"]],
  ["suggest", () => ["suggest"]],
  ["replay", () => ["replay", policy()]],
  ["plan", () => ["plan", policy()]],
  ["apply", () => ["apply", policy()]],
  ["delete", () => ["delete", "Policy/shop/default-deny"]],
  ["label", () => ["label", "shop/web", "tier=front"]],
  ["confirm", () => ["confirm"]],
  ["drift", () => ["drift"]],
  ["slo", () => ["slo"]],
  ["readiness", () => ["readiness"]],
  ["assess", () => ["assess"]],
  ["history", () => ["history"]],
  ["revision", () => ["history", "1"]],
  ["rollback", () => ["rollback", "1"]],
  ["explain", () => ["explain", "web", "db:5432"]],
  ["why", () => ["why", "web", "db:5432"]],
];

describe("-o json", () => {
  it.each(verbs)("of %s is of its published schema", async (route, args) => {
    const { stdout } = await asked([...args(), "-o", "json"]);
    const valid = ajv.compile(schemas[route].answer);
    valid(JSON.parse(stdout));
    expect(valid.errors ?? []).toEqual([]);
  });

  it("of streams is one value a line, of the stream's schema", async () => {
    for (const [route, args] of [
      ["flows", ["observe", "--flows"]],
      ["probe", ["probe"]],
    ] as const) {
      const { stdout } = await asked([...args, "-o", "json"]);
      const valid = ajv.compile(schemas[route].answer);
      const lines = stdout.trimEnd().split("\n");
      expect(lines.length).toBe(answers[route].length);
      for (const line of lines) expect(valid(JSON.parse(line))).toBe(true);
      await controller?.stop();
      const yaml = await asked([...args, "-o", "yaml"]);
      const documents = parseAllDocuments(yaml.stdout).map((one): unknown => one.toJS());
      expect(documents).toEqual(lines.map((line): unknown => JSON.parse(line)));
      await controller?.stop();
    }
  });

  it.each(verbs)("and -o yaml of %s say the same", async (_route, args) => {
    const json = await asked([...args(), "-o", "json"]);
    await controller?.stop();
    const yaml = await asked([...args(), "-o", "yaml"]);
    expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout));
  });

  it.each<readonly [string, readonly string[]]>([
    ["talkers", ["observe", "--top", "2"]],
    ["map", ["map"]],
  ])("of %s is of its published schema, and -o yaml says the same", async (name, args) => {
    const { stdout } = await asked([...args, "-o", "json"]);
    const valid = ajv.compile(ownSchemaOf(await call(["schema", name, "-o", "json"])));
    valid(JSON.parse(stdout));
    expect(valid.errors ?? []).toEqual([]);
    await controller?.stop();
    expect(parse((await asked([...args, "-o", "yaml"])).stdout)).toEqual(JSON.parse(stdout));
  });

  it("in Hubble's words is a flow a line, of its published schema", async () => {
    const { stdout } = await asked(["observe", "--flows", "-o", "jsonpb"]);
    const valid = ajv.compile(ownSchemaOf(await call(["schema", "hubble-flow", "-o", "json"])));
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(answers.flows.length);
    for (const line of lines) expect(valid(JSON.parse(line))).toBe(true);
    expect(valid({ flow: {}, time: "" })).toBe(false);
  });

  it("tells failures as JSON to those who asked for Hubble's, too", async () => {
    const { code, stderr } = await call(["observe", "-o", "jsonpb"], { state: folder });
    expect(code).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "not-running" } });
  });

  it("is asked for before the verb as well", async () => {
    const { stdout } = await asked(["-o", "json", "status"]);
    expect(JSON.parse(stdout)).toMatchObject({ revision: 3 });
  });

  it("of verbs that no controller answers is published, too", async () => {
    const published = JSON.parse((await call(["schema", "-o", "json"])).stdout) as {
      readonly answers: Readonly<Record<string, { readonly answer: object }>>;
    };
    const check = (name: string, value: unknown): void => {
      const valid = ajv.compile(published.answers[name]?.answer ?? false);
      expect({ name, valid: valid(value) }).toEqual({ name, valid: true });
    };
    for (const [name, args] of [
      ["version", ["version"]],
      ["completion", ["completion", "zsh"]],
      ["schema", ["schema"]],
      ["inventory", ["workloads", "--inventory"]],
      ["inventory", ["workloads", "--export"]],
      ["change", ["explain", "web", "db:5432", "--change"]],
    ] as const) {
      check(name, JSON.parse((await asked([...args, "-o", "json"])).stdout));
      await controller?.stop();
    }
    const [json, yaml] = await Promise.all(
      ["json", "yaml"].map((format) => call(["status", "-o", format], { state: folder })),
    );
    check("failure", JSON.parse(json?.stderr ?? ""));
    expect(parse(yaml?.stderr ?? "")).toEqual(JSON.parse(json?.stderr ?? ""));
    expect(Object.keys(published.answers)).toEqual(expect.arrayContaining(["up", "down"]));
  });

  it("of `observe` is found by the verb's name", async () => {
    const [observe, edges] = await Promise.all(
      ["observe", "edges"].map((name) => call(["schema", name])),
    );
    expect(observe?.stdout).toBe(edges?.stdout);
    expect(observe?.code).toBe(0);
  });

  it("tells failures as JSON on stderr", async () => {
    const { code, stderr, stdout } = await asked(["status", "-o", "json"], {
      status: new ApiFailure("agent-away", "no agent is connected", { help: "start it" }),
    });
    expect(code).toBe(3);
    expect(stdout).toBe("");
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: "agent-away",
        message: "no agent is connected",
        help: "start it",
        diagnostics: [],
      },
    });
  });
});

const underWay = [
  {
    source: answers.edges.edges[0]!.source,
    destination: answers.edges.edges[0]!.destination,
    protocol: 6,
    port: 22,
    connections: 1,
    verdict: "drop" as const,
  },
];

describe("exit codes", () => {
  const quiet = { ...answers.replay, affected: [], newlyDenied: [], newlyAllowed: [] };
  const still = { added: [], changed: [], removed: [], unchanged: ["Policy/shop/a"], kept: [] };
  it.each<readonly [string, number, () => readonly string[], Answers]>([
    ["replay without difference", 0, () => ["replay", policy()], { replay: quiet }],
    ["replay with difference", 1, () => ["replay", policy()], {}],
    [
      "plan without difference",
      0,
      () => ["plan", policy()],
      {
        plan: {
          ...answers.plan,
          resources: still,
          permitted: { added: [], removed: [] },
          tests: [],
        },
      },
    ],
    ["plan with difference", 1, () => ["plan", policy()], {}],
    [
      "plan that does not fit",
      1,
      () => ["plan", policy()],
      {
        plan: {
          ...answers.plan,
          resources: still,
          permitted: { added: [], removed: [] },
          tests: [],
          capacity: { ...answers.plan.capacity, fits: false },
        },
      },
    ],
    ["status that is well", 0, () => ["status"], {}],
    ["status that is not", 1, () => ["status"], { status: unwell }],
    [
      "policy tests that fail",
      1,
      () => ["apply", policy()],
      { apply: new ApiFailure("tests-failed", "1 test fails") },
    ],
    [
      "bad policy",
      2,
      () => ["apply", policy()],
      { apply: new ApiFailure("bad-policy", "2 errors") },
    ],
    ["agent away", 3, () => ["probe"], { probe: new ApiFailure("agent-away", "no agent") }],
    [
      "unknown workload",
      2,
      () => ["explain", "wbe", "db:1"],
      { explain: new ApiFailure("unknown-workload", "no `wbe`") },
    ],
  ])("%s: %i", async (_name, code, args, over) => {
    expect((await asked(args(), over)).code).toBe(code);
  });

  const none = { edges: [] };
  it.each<readonly [string, number, readonly string[], Answers]>([
    ["edges, and none are there", 0, ["observe"], { edges: none }],
    ["edges, and some are there", 1, ["observe"], {}],
    ["edges, and none but one open to be cut", 1, ["observe"], { edges: { ...none, underWay } }],
    ["flows, and none are there", 0, ["observe", "--flows"], { flows: [] }],
    ["flows, and some are there", 1, ["observe", "--last", "5"], {}],
    ["no talkers, and some are there", 1, ["observe", "--top"], {}],
    ["flows that follow, and one comes", 1, ["observe", "--follow"], {}],
  ])("--expect-none of %s: %i", async (_name, code, args, over) => {
    const called = await asked([...args, "--expect-none", "-o", "json"], over);
    expect(called.code).toBe(code);
    await controller?.stop();
    // Without it all is well.
    expect((await asked([...args], over)).code).toBe(0);
  });

  it("--expect-none --follow ends with the first that comes", async () => {
    const { stdout } = await asked(["observe", "--follow", "--expect-none", "-o", "json"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  it("3 when nobody listens", async () => {
    const { code, stderr } = await call(["status"], { state: folder });
    expect(code).toBe(3);
    expect(stderr).toContain("bulkhead up");
  });
});

describe("what is sent", () => {
  it("apply: files, mode, confirmation, author", async () => {
    const { requests } = await asked([
      "apply",
      policy(),
      "--mode",
      "enforce",
      "--confirm",
      "2m",
      "--prune",
      "--reason",
      "because",
    ]);
    expect(requests[0]?.request).toMatchObject({
      files: [{ name: policy(), text: "kind: Policy\nname: web\n" }],
      mode: "enforce",
      confirmSeconds: 120,
      prune: true,
      force: false,
      reason: "because",
    });
  });

  it("apply: audit unless told otherwise; stdin by the name -", async () => {
    const { requests } = await asked(["apply", "-"], {}, "kind: Intent\n");
    expect(requests[0]?.request).toMatchObject({
      mode: "audit",
      files: [{ name: "-", text: "kind: Intent\n" }],
    });
  });

  it("folders: every policy file below, each once, in order", async () => {
    mkdirSync(join(folder, "b"));
    for (const name of ["z.yml", "a.json", "b/c.yaml", "README.md"])
      writeFileSync(join(folder, name), name);
    const { requests } = await asked(["plan", folder, policy()]);
    const sent = requests[0]?.request as { readonly files: readonly { readonly name: string }[] };
    expect(sent.files.map((file) => file.name)).toEqual(
      ["a.json", "b/c.yaml", "policy.yaml", "z.yml"].map((name) => join(folder, name)),
    );
  });

  it("observe: times, verdicts and short names", async () => {
    const { requests } = await asked([
      "observe",
      "--since",
      "10m",
      "--verdict",
      "dropped,audit",
      "--to",
      "db",
      "--port",
      "5432/tcp",
    ]);
    expect(requests.at(-1)).toEqual({
      route: "edges",
      request: {
        since: String(NOW - 600_000),
        verdict: "dropped,audit",
        to: "shop/db",
        port: "5432/tcp",
      },
    });
  });

  it("observe: labels, addresses, protocols, and as many as asked for", async () => {
    const { requests } = await asked([
      ..."observe --last 20 --from-label app=web,tier!=test --from-label tier --to-label !app".split(
        " ",
      ),
      ..."--ip 10.0.0.0/8,fd00::1 --protocol TCP --port 53,80/tcp --verdict DROPPED,Audit".split(
        " ",
      ),
    ]);
    expect(requests.at(-1)).toEqual({
      route: "flows",
      request: {
        fromLabel: "app=web,tier!=test;tier",
        toLabel: "!app",
        ip: "10.0.0.0/8,fd00::1",
        protocol: "TCP",
        port: "53,80/tcp",
        verdict: "dropped,audit",
        limit: "20",
        follow: "false",
      },
    });
  });

  it.each<readonly [string, object]>([
    ["label", { label: "app=x" }],
    ["from-label", { fromLabel: "app=x" }],
    ["to-label", { toLabel: "app=x" }],
    ["ip", { ip: "10.0.0.1" }],
    ["from-ip", { fromIp: "10.0.0.1" }],
    ["to-ip", { toIp: "10.0.0.1" }],
    ["fqdn", { fqdn: "10.0.0.1" }],
    ["from-fqdn", { fromFqdn: "10.0.0.1" }],
    ["to-fqdn", { toFqdn: "10.0.0.1" }],
  ])("observe --%s, and no other filter", async (option, request) => {
    const value = option.endsWith("label") ? "app=x" : "10.0.0.1";
    const { requests } = await asked(["observe", `--${option}`, value]);
    expect(requests).toEqual([{ route: "edges", request }]);
  });

  it.each<readonly [string, object]>([
    ["observe --first 3", { limit: "0", first: "3", follow: "false" }],
    ["observe -o compact", { limit: "200", follow: "false" }],
    ["observe --flows --limit 0", { limit: "0", follow: "false" }],
    ["observe --follow --last 5", { limit: "5", follow: "true" }],
  ])("%s", async (typed, request) => {
    const { requests } = await asked(typed.split(" "));
    expect(requests.at(-1)).toEqual({ route: "flows", request });
  });

  it("map: the same filters", async () => {
    const { requests } = await asked(["map", "--label", "app=web", "--since", "10m"]);
    expect(requests).toEqual([
      { route: "edges", request: { since: String(NOW - 600_000), label: "app=web" } },
    ]);
  });

  it("observe --follow: from now on", async () => {
    const { requests } = await asked(["observe", "--follow"]);
    expect(requests.at(-1)?.request).toMatchObject({
      follow: "true",
      since: String(NOW),
      limit: "0",
    });
  });

  it("why --report: the denial that was found, in its own names", async () => {
    const { requests } = await asked(["why", "web", "db", "--report", "the nightly report fails"]);
    expect(requests.at(-1)).toMatchObject({
      route: "falseDeny",
      request: {
        from: answers.why.denial?.source.name,
        to: answers.why.denial?.destination.name,
        port: answers.why.port,
        reason: "the nightly report fails",
      },
    });
  });

  it("drift --set: the setting first", async () => {
    const { requests } = await asked(["drift", "--set", "report"]);
    expect(requests).toEqual([
      { route: "settings", request: { drift: "report" } },
      { route: "drift", request: {} },
    ]);
  });

  it("rollback: to the revision before the one in force", async () => {
    const { requests } = await asked(["rollback"]);
    expect(requests.at(-1)?.request).toMatchObject({ revision: 2 });
  });

  it("why: nothing, one end, two, with a port and without; and who asks", async () => {
    const cases: readonly (readonly [readonly string[], object])[] = [
      [[], {}],
      [["web"], { from: "web" }],
      [["web", "db"], { from: "web", to: "db" }],
      [["web", "db:5432/tcp"], { from: "web", to: "db", port: "5432/tcp" }],
      [["web", "db", "53/udp"], { from: "web", to: "db", port: "53/udp" }],
      [["web", "[fd00::1]:80"], { from: "web", to: "fd00::1", port: "80" }],
      [["web", "[fd00::1]"], { from: "web", to: "fd00::1" }],
    ];
    for (const [args, expected] of cases) {
      const { requests } = await asked(["why", ...args]);
      const request: unknown = requests[0]?.request;
      const { uid, ...rest } = request as Record<string, unknown>;
      expect(rest).toEqual(expected);
      expect(uid).toBe(String(process.getuid?.()));
    }
  });

  it("explain: addresses in brackets, ports apart or together", async () => {
    for (const args of [["[fd00::1]:53/udp"], ["fd00::1", "53/udp"], ["[fd00::1]", "53/udp"]]) {
      const { requests } = await asked(["explain", "web", ...args]);
      expect(requests[0]?.request).toMatchObject({ from: "web", to: "fd00::1", port: "53/udp" });
      await controller?.stop();
    }
  });
});

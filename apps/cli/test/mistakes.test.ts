/** What a stranger mistypes, and what is said about it. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiFailure } from "@bulkhead/api";
import { createDiagnostic } from "@bulkhead/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseDuration, parseMoment } from "../src/arguments.ts";
import { resolveName } from "../src/names.ts";
import { editDistance, nearest } from "../src/ui/spell.ts";
import { answers } from "./answers.ts";
import { call, NOW } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

let controller: FakeController;
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhi-files-"));
  writeFileSync(join(folder, "bad.yaml"), "kind: Polcy\nspec:\n  subjct: app=web\n");
  const span = (line: number, column: number, endColumn: number) => ({
    file: join(folder, "bad.yaml"),
    line,
    column,
    endLine: line,
    endColumn,
  });
  controller = await startFakeController({
    ...answers,
    workloads: {
      ...answers.workloads,
      workloads: [
        ...answers.workloads.workloads,
        ...["host/nginx.service", "lab/redis.service", "lab/redis-2.service"].map((id) => ({
          ...answers.workloads.workloads[0]!,
          id,
          labels: { app: id.startsWith("lab/") ? "redis" : "nginx" },
        })),
      ],
    },
    explain: new ApiFailure("unknown-workload", "no workload is called `wbe`"),
    apply: new ApiFailure("bad-policy", "the policy has errors", {
      diagnostics: [
        createDiagnostic(
          "BH0102",
          span(3, 3, 9),
          "unknown field `subjct`",
          "did you mean `subject`?",
        ),
        createDiagnostic(
          "BH0101",
          span(1, 7, 12),
          "unknown kind `Polcy`",
          "did you mean `Policy`?",
        ),
      ],
    }),
  });
});

afterAll(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("a mistake", () => {
  it.each<readonly [readonly string[], string, string]>([
    [["obsrve"], "unknown command `obsrve`", "did you mean `observe`?"],
    [["sugest"], "unknown command `sugest`", "did you mean `suggest`?"],
    [["xyzzy"], "unknown command `xyzzy`", "`bulkhead --help` lists the verbs"],
    [["observe", "--verdct", "x"], "unknown option `--verdct`", "did you mean `--verdict`?"],
    [["observe", "--verdict", "droped"], "`droped` is not a verdict", "did you mean `dropped`?"],
    [["observe", "--since", "yesterday"], "`yesterday` is not a time", "10m, 2h, 7d"],
    [["policies", "--unused", "30"], "`30` has no unit", "30d for days"],
    [["observe", "--verdict", "DROPED"], "`DROPED` is not a verdict", "did you mean `dropped`?"],
    [["observe", "--limit", "many"], "`many` is not a number of flows", "whole number"],
    [["observe", "--last", "-1"], "`-1` is not a number of flows", "whole number"],
    [["observe", "--from-label", "app in web"], "at character 8", "app in (web,api)"],
    [["observe", "--to-label", "k8s:app=web"], "`--to-label`: `k8s:", "did you mean `app=web`?"],
    [["observe", "--label", ""], "an empty selector selects all", "write it like"],
    [["observe", "--from-ip", "web"], "neither an address nor a prefix", "10.0.0.0/8"],
    [["map", "--ip", "10.0.0.7/8"], "`10.0.0.7/8`", "did you mean `10.0.0.0/8` or `10.0.0.7`?"],
    [["observe", "--protocol", "tpc"], "`tpc` is not a protocol", "did you mean `tcp`?"],
    [["observe", "--protocol", "http"], "`http` is not a protocol", "use tcp, udp"],
    [["observe", "--port", "http/tcp"], "not a port by number", "5432/tcp"],
    [
      ["observe", "--port", "70000"],
      "error: `--port`: `70000` is not a port; ports are",
      "5432/tcp",
    ],
    [["observe", "--port", "tcp/80"], "`tcp/80`: the protocol comes last: `80/tcp`", "5432/tcp"],
    [
      ["observe", "--to", "redis"],
      "is called `redis`",
      "`lab/redis.service` or `lab/redis-2.service`?",
    ],
    [
      ["label", "nginx", "a=b"],
      "no workload is called `nginx`",
      "did you mean `host/nginx.service`?",
    ],
    [["map", "--group-by", "ap"], "nobody bears a label `ap`", "did you mean `app`?"],
    [
      ["map", "--group-by", "foo,bar"],
      "bears a label `foo` or `bar`",
      "those that are borne: app, role",
    ],
    [["events", "--help"], "unknown command `events`", "`bulkhead --help` lists the verbs"],
    [["-o", "json", "obsrve", "-h"], "unknown command `obsrve`", "did you mean `observe`?"],
    [["observe", "--from-lable", "app=web"], "unknown option", "did you mean `--from-label`?"],
    [["observe", "--first", "1", "--last", "1"], "say different numbers", "give one of them"],
    [["observe", "--first", "1", "--follow"], "`--first` are the oldest", "--last 20 --follow"],
    [["observe", "--top", "--follow"], "`--top` is about like flows together", "leave out --top"],
    [["observe", "--edges", "-o", "dict"], "`--edges` is about like flows", "leave out --edges"],
    [["observe", "--top", "--by", "byte"], "not a rank", "did you mean `bytes`?"],
    [["observe", "--by", "bytez"], "not a rank", "did you mean `bytes`?"],
    [["observe", "--by", "bytes"], "`--by` says how", "--top --by bytes"],
    [["observe", "--top", "few"], "`few` is not a number of talkers", "whole number"],
    [["map", "--group-by", "a b"], "`--group-by a b`: a label key", "app or role"],
    [["-o", "dict", "status"], "unknown output format `dict`", "json, yaml, table, wide"],
    [["observe", "-o", "svg"], "`svg` is invalid", "bulkhead observe --help"],
    [["observe", "--to", "bd"], "no workload is called `bd`", "did you mean `db`?"],
    [["observe", "--to", "web"], "`web` could be `shop/web` or `lab/web`", "with its namespace"],
    [
      ["observe", "--to", "shop/dbb"],
      "no workload is called `shop/dbb`",
      "did you mean `shop/db`?",
    ],
    [["status", "-o", "jsn"], "`jsn` is invalid", "bulkhead status --help"],
    [["explain", "web", "db"], "`db` has no port", "web:80"],
    [["explain", "web"], "`explain` needs a source and a destination", "explain policies/ web db"],
    [["explain", "web", "fd00::1:80"], "could end in a port", "[fd00::1]:80"],
    [["apply"], "missing required argument", "bulkhead apply --help"],
    [["apply", "nowhere.yaml", "-"], "cannot read `nowhere.yaml`: no such file", ""],
    [["apply", process.execPath], `cannot read \`${process.execPath}\`: it is not text`, ""],
    [["apply", "-"], "no resources in `-`", "bulkhead suggest"],
    [["explain", "wbe", "db:5432"], "no workload is called `wbe`", "did you mean `web`?"],
    [["apply", "-", "--mode", "enforced"], "`enforced` is not a mode", "did you mean `enforce`?"],
    [["apply", "-", "--confirm", "soon"], "`soon` is not a duration", "90s, 10m"],
    [["apply", "-", "--force"], "`--force` needs a reason", "--reason"],
    [["history", "-1"], "`-1` is not a revision", "whole number"],
    [["drift", "--set", "repare"], "`repare` is not a setting", "did you mean `repair`?"],
    [["delete"], "missing required argument", "bulkhead delete --help"],
    [
      ["delete", "Policy/shop/defualt-deny"],
      "is called",
      "did you mean `Policy/shop/default-deny`?",
    ],
    [["delete", "default-deny"], "is called", "did you mean `Policy/shop/default-deny`?"],
    [["delete", "Policy/old"], "`Policy/lab/old` or `Policy/shop/old`", "with its namespace"],
    [["delete", "Exception/x/y"], "`Exception/x/y`", "in force: `Intent/shop/web-to-db`"],
    [["delete", "Policy/lab/old", "--mode", "enforced"], "not a mode", "did you mean `enforce`?"],
    [["delete", "Policy/lab/old", "--force"], "`--force` needs a reason", "--reason"],
    [["delete", "Policy/lab/old", "--confirm", "5"], "has no unit", "5s for seconds"],
    [["history", "two"], "`two` is not a revision", ""],
    [["observe", "--since", "1h", "--until", "2h"], "`--since 1h` is not before", "--since 2h"],
    [["suggest", "--since", "1h", "--until", "1h"], "is not before `--until 1h`", "--since 2h"],
    [["replay", "-", "--since", "1h", "--until", "2h"], "`--since 1h` is not before", ""],
    [["plan", "/nowhere/policy.yaml"], "cannot read `/nowhere/policy.yaml`", ""],
    [["completion", "zhs"], "no completion for `zhs`", "did you mean `zsh`?"],
    [["schema", "stats"], "no schema is called `stats`", "did you mean `status`?"],
    [["help", "nosuch"], "unknown command `nosuch`", "`bulkhead --help` lists the verbs"],
    [["help", "obsrve"], "unknown command `obsrve`", "did you mean `observe`?"],
    [["--state", "/x", "obsrve"], "unknown command `obsrve`", "did you mean `observe`?"],
    [["observe", "--follow", "--until", "1h"], "`--follow` has no end", "leave out one"],
    [["explain", ""], "an end or the port is empty", "explain web db:5432/tcp"],
    [["why", "", "db:5432"], "an end or the port is empty", "why web db:5432/tcp"],
    [["explain", "", "db:5432"], "an end or the port is empty", "explain web db:5432/tcp"],
    [["apply", "-", "--confirm", "5"], "`--confirm 5` has no unit", "5s for seconds"],
    [["apply", "-", "--confirm", "100d"], "longer than a day", "at most 24h"],
    [["apply", "-", "--mode", "enforce", "--canary", "10"], "not a share", "write 10% for 10% of"],
    [["apply", "-", "--mode", "enforce", "--canary", "0%"], "not a share", "10% or 0.5%"],
    [["apply", "-", "--mode", "enforce", "--canary", "101%"], "not a share", "at most 100%"],
    [["apply", "-", "--mode", "enforce", "--canary", "0.001%"], "not a share", "steps of 0.01%"],
    [["apply", "-", "--canary", "10%"], "`--canary` is for what is enforced", "--mode enforce"],
    [["rollback", "--confirm", "10ms"], "too short", "at least 1s"],
    [["suggest", "-f", "/nowhere/x.yaml"], "no folder `/nowhere`", "mkdir -p /nowhere"],
    [["suggest", "-f", "/tmp"], "`/tmp` is a folder", "name a file in it"],
    [["suggest", "-f", "/dev/null/x"], "`/dev/null` is no folder", "another file"],
    [["workloads", "shop"], "too many arguments", "bulkhead workloads --help"],
  ])("%j is bad input, and told what to do", async (args, message, help) => {
    const { code, stderr, stdout } = await call(args, { state: controller.state });
    expect(code).toBe(2);
    expect(stdout).toBe("");
    const first = args.includes("json") ? /^\{"error":/ : /^error: /;
    expect(stderr.split("\n")[0]).toMatch(first);
    expect(stderr).toContain(message);
    expect(stderr).toContain(help);
  });

  it("in the name of a file leads to the one that is there", async () => {
    const { code, stderr } = await call(["apply", join(folder, "bda.yaml")], {
      state: controller.state,
    });
    expect(code).toBe(2);
    expect(stderr).toContain("no such file or folder");
    expect(stderr).toContain(`did you mean \`${join(folder, "bad.yaml")}\`?`);
  });

  it("in the name of a folder does not read a whole home", async () => {
    const home = join(folder, "home");
    mkdirSync(home);
    for (let at = 0; at <= 2000; at += 1) writeFileSync(join(home, `${at}.json`), "");
    const { code, stderr } = await call(["plan", home], { state: controller.state });
    expect(code).toBe(2);
    expect(stderr).toContain("2001 files below it, and at most 2000 are read");
  });

  it("in a text is told although no controller answers, whole", async () => {
    const file = join(folder, "broken.yaml");
    writeFileSync(file, "kind: [Policy\n---\napiVersion: bulkhead.dev/v1\nkind: Polcy\n");
    for (const verb of ["plan", "apply", "replay"]) {
      const { code, stderr } = await call([verb, file], { state: join(folder, "nobody") });
      expect(code).toBe(2);
      expect(stderr).toContain("broken.yaml:2:1: error");
      expect(stderr).toContain("unknown kind `Polcy`");
      expect(stderr).toContain("found before any controller was asked");
    }
    writeFileSync(file, "kind: Namespace\napiVersion: v1\nmetadata: { name: x }\n");
    const sound = await call(["plan", file], { state: join(folder, "nobody") });
    expect(sound).toMatchObject({ code: 3, stderr: expect.stringContaining("no controller") });
  });

  it("in a policy is shown in its line, all of them at once", async () => {
    const { code, stderr } = await call(["apply", join(folder, "bad.yaml")], {
      state: controller.state,
    });
    expect(code).toBe(2);
    expect(stderr.replaceAll(folder, "FOLDER"))
      .toBe(`FOLDER/bad.yaml:1:7: error BH0101: unknown kind \`Polcy\`
  1 | kind: Polcy
    |       ^^^^^
  help: did you mean \`Policy\`?

FOLDER/bad.yaml:3:3: error BH0102: unknown field \`subjct\`
  3 |   subjct: app=web
    |   ^^^^^^
  help: did you mean \`subject\`?

2 errors

error: the policy has errors
`);
  });
});

describe("suggest -f", () => {
  it("overwrites nothing unasked", async () => {
    const file = join(folder, "mine.yaml");
    writeFileSync(file, "mine");
    const refused = await call(["suggest", "-f", file], { state: controller.state });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("exists already\nhelp: add --overwrite");
    expect(readFileSync(file, "utf8")).toBe("mine");
    const asked = await call(["suggest", "-f", file, "--overwrite"], { state: controller.state });
    expect(asked.code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(answers.suggest.files[0]?.text);
  });

  it("names a loop of symbolic links", async () => {
    const file = join(folder, "loop.yaml");
    symlinkSync(file, file);
    const { code, stderr } = await call(["suggest", "-f", file], { state: controller.state });
    expect(code).toBe(2);
    expect(stderr).toContain("is a loop of symbolic links");
  });
});

describe("a folder of policies", () => {
  const text = "kind: Namespace\napiVersion: v1\nmetadata: { name: a }\n";

  it("does not lose what stands behind a symbolic link, and reads nothing outside", async () => {
    const [inside, outside] = [join(folder, "linked"), join(folder, "outside")];
    mkdirSync(join(inside, "..data"), { recursive: true });
    mkdirSync(outside);
    for (const one of [join(inside, "..data"), outside]) writeFileSync(join(one, "a.yaml"), text);
    // As a mounted ConfigMap has it: read once, at its place.
    symlinkSync(join("..data", "a.yaml"), join(inside, "a.yaml"));
    symlinkSync("..data", join(inside, "data"));
    symlinkSync("nowhere", join(inside, "README"));
    expect((await call(["lint", inside])).code).toBe(0);
    for (const [target, name] of [
      [join("..", "outside", "a.yaml"), "b.yaml"],
      [join("..", "outside"), "more"],
      ["nowhere.yaml", "c.yaml"],
    ] as const) {
      const link = join(inside, name);
      symlinkSync(target, link);
      const { code, stderr } = await call(["lint", inside]);
      expect(stderr).toContain(`\`${link}\` is a symbolic link`);
      expect(code).toBe(2);
      rmSync(link);
    }
  });

  it("refuses names that would make lines of their own", async () => {
    const strange = join(folder, "strange");
    mkdirSync(strange);
    writeFileSync(join(strange, "a\n::error::b.yaml"), text);
    const { code, stderr, stdout } = await call(["lint", strange, "-o", "github"]);
    expect(stderr).toContain('a\\n::error::b.yaml" has control characters in its name');
    expect([code, stdout]).toEqual([2, ""]);
  });
});

it("options without a verb show the help", async () => {
  const { code, stdout, stderr } = await call(["-o", "json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Usage: bulkhead");
});

it("a full disk is told in one line", async () => {
  const child = spawn(
    "sh",
    [
      "-c",
      'exec "$0" "$1" version > /dev/full',
      process.execPath,
      join(import.meta.dirname, "..", "src", "main.ts"),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  expect(code).toBe(3);
  expect(stderr).toMatch(/^error: cannot write the answer: ENOSPC[^\n]*\n$/);
});

describe("times", () => {
  it.each([
    ["90s", 90_000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["250ms", 250],
    ["45", 45_000],
  ])("%s is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ["10m", NOW - 600_000],
    ["2026-03-31", Date.UTC(2026, 2, 31)],
    ["2026-03-31T16:00", Date.UTC(2026, 2, 31, 16)],
    ["2026-03-31 16:00:30", Date.UTC(2026, 2, 31, 16, 0, 30)],
    ["2026-03-31T16:00:00Z", Date.UTC(2026, 2, 31, 16)],
    ["2026-03-31T18:00:00+02:00", Date.UTC(2026, 2, 31, 16)],
    ["1774972800", 1_774_972_800_000],
    ["1774972800123", 1_774_972_800_123],
  ])("%s is a moment", (text, time) => {
    expect(parseMoment(text, NOW)).toBe(time);
  });

  it.each(["", "-5m", "5 m", "10x", "2026-13-01", "2026-03-31T25:00", "m"])(
    "%j is none",
    (text) => {
      expect(() => parseMoment(text, NOW)).toThrow("is not a time");
    },
  );
});

describe("names of units", () => {
  const known = ["host/nginx.service", "host/redis-7.service", "shop/web", "lab/nginx-old.service"];
  const labelsOf = (name: string) =>
    name === "host/redis-7.service" ? { app: "redis" } : undefined;
  it.each([
    ["nginx", "host/nginx.service"],
    ["host/nginx", "host/nginx.service"],
    ["redis", "host/redis-7.service"],
    ["redis-7", "host/redis-7.service"],
    ["nginx.service", "host/nginx.service"],
    ["web", "shop/web"],
  ])("%s is %s", (typed, name) => {
    expect(resolveName(typed, known, { labelsOf })).toBe(name);
  });

  it("are whole where something is changed, or where two could be meant", () => {
    const help = (wanted: string) =>
      expect.objectContaining({ help: expect.stringContaining(wanted) });
    expect(() => resolveName("nginx", known, { exact: true })).toThrow(help("host/nginx.service"));
    expect(() => resolveName("nginx", [...known, "x/nginx.scope"])).toThrow(help("x/nginx.scope"));
    expect(() => resolveName("shop/nginx", known)).toThrow("no workload is called");
  });
});

describe("spelling", () => {
  it("counts insertions, deletions, replacements and swaps", () => {
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("abc", "abc")).toBe(0);
    expect(editDistance("audti", "audit")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
  });

  it("names the nearest, or none when nothing is near", () => {
    expect(nearest("obsreve", ["observe", "status"])).toBe("observe");
    expect(nearest("xyz", ["observe", "status"])).toBeUndefined();
    expect(nearest("work", ["workloads", "web"])).toBe("workloads");
    expect(nearest("x", [])).toBeUndefined();
  });
});

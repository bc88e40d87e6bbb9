/** `suggest` beyond its text: from exports, into folders, as a pull request, and what is new since this person last looked. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SuggestAnswer } from "@bulkhead/api";
import { Interrupted } from "../src/failure.ts";
import { suggestOffline } from "../src/suggest/offline.ts";
import { answers } from "./answers.ts";
import { call, NOW } from "./call.ts";
import { startFakeController, type Answers, type FakeController } from "./fake-controller.ts";
import { hubble, hubblePod } from "./hubble.ts";

let folder = "";
let controller: FakeController | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-suggest-"));
});

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function start(over: Answers = {}): Promise<string> {
  await controller?.stop();
  controller = await startFakeController({ ...answers, ...over });
  return controller.state;
}

const web = hubblePod("web", "10.1.0.5");
const db = hubblePod("db", "10.1.0.6");

const minutesAgo = (minute: number): number => NOW - minute * 60_000;

const indented = (json: string): string => JSON.stringify(JSON.parse(json), null, 2);

const EXPORT = [
  ...[1, 2, 3, 4, 5, 6].map((minute) => hubble(web, db, 5432, minutesAgo(minute))),
  hubble(web, "203.0.113.7", 443, minutesAgo(90), ["api.example.com"]),
].join("");

/** As a signal of the operating system comes: whenever whoever works lets it. */
function interruption() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => void setImmediate(() => controller.abort()) };
}

describe("suggest --flows", () => {
  it("needs no controller: Hubble's lines from a file or standard input give the policy", async () => {
    const file = join(folder, "hubble.jsonl");
    writeFileSync(file, EXPORT);
    const nowhere = join(folder, "no-state");
    const fromFile = await call(["suggest", "--flows", file], { state: nowhere });
    expect(fromFile.stderr).not.toContain("could not");
    expect(fromFile.code).toBe(0);
    expect(fromFile.stdout).toContain("name: web-to-db\n");
    expect(fromFile.stdout).toContain("bulkhead.dev/dns-name: api.example.com");
    expect(fromFile.stdout).toContain(
      `# next: bulkhead --state ${nowhere} suggest --flows`.replace(` --state ${nowhere}`, ""),
    );
    const piped = await call(["suggest", "--flows", "-"], { state: nowhere, stdin: EXPORT });
    const policy = (text: string): string => text.replace(/^# next.*\n/m, "");
    expect(policy(piped.stdout)).toBe(policy(fromFile.stdout));
  });

  it("names as next what gives the same suggestion", async () => {
    const typed = [
      ["--flows", "-", "--format", "hubble", "--since", "3h", "--namespace", "shop"],
      ["--range", "203.0.113.0/24", "--exclude-window", "3h..2h", "--include-people"],
      ["--max-rules", "7", "--propose-labels", "--to", "cilium", "--approximate", "over"],
    ].flat();
    const { stdout, code } = await call(["suggest", ...typed], { stdin: EXPORT });
    expect(code).toBe(0);
    expect(stdout).toContain(`# next: bulkhead suggest ${typed.join(" ")} -f policy.yaml\n`);
  });

  it("counts and quotes what it cannot read, and goes on", async () => {
    const { stdout, stderr, code } = await call(["suggest", "--flows", "-", "-o", "table"], {
      stdin: `oops\n${EXPORT}{"lost_events":{"num_events_lost":"3"}}\n{"node_status":{}}\n`,
    });
    expect(code).toBe(0);
    expect(stderr).toContain("1 line could not be read:\n  line 1: not JSON: oops\n");
    expect(stderr).toContain("The exporter had lost 3 events");
    expect(stderr).toContain("Not learned from: node_status (1).");
    expect(stdout).toContain("web → db");
  });

  it.each(["oops\n\n{}\n", '{"start": 1}\n', "<html>"])(
    "refuses %j, of which no line can be read",
    async (stdin) => {
      const { stdout, stderr, code } = await call(["suggest", "--flows", "-"], { stdin });
      expect([stdout, code]).toEqual(["", 2]);
      expect(stderr).toContain("no line of `-` could be read: line 1 is ");
      expect(stderr).toContain("`hubble observe -o jsonpb`");
    },
  );

  it.each([
    ["suggest", ""],
    ["suggest", "\n"],
    ["readiness", "\n \n"],
  ])("%s refuses %j, which proves nothing", async (verb, stdin) => {
    const { stdout, stderr, code } = await call([verb, "--flows", "-"], { stdin });
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
    expect(stderr).toContain("standard input holds no flow that can be read");
  });

  it.each(["suggest", "readiness"])("%s says that flows name nobody", async (verb) => {
    const nobody = { ip: "198.51.100.1", end: { labels: ["reserved:world"] } };
    const stdin = [1, 2].map((minute) => hubble(nobody, "203.0.113.7", 443, minutesAgo(minute)));
    const args = verb === "suggest" ? ["-o", "table"] : [];
    const called = await call([verb, "--flows", "-", ...args], { stdin: stdin.join("") });
    expect(called.stderr).toContain(
      "2 flows read, in 1 edge; none of their addresses is a known workload: `flows import` them",
    );
    expect(called.stdout).not.toContain("no accepted traffic");
    const named = await call([verb, "--flows", "-", ...args], { stdin: EXPORT });
    expect(named.stderr).not.toContain("known workload");
    if (verb === "readiness") return;
    const request = ["suggest", "--flows", "-", "-o", "markdown"];
    const merged = await call(request, { stdin: stdin.join("") });
    expect(merged.stdout).toContain("No address in the flows is a known workload");
    const ours = await call(request, { stdin: EXPORT });
    expect(ours.stdout).not.toContain("known workload");
  });

  it("learns nothing from a window that is excluded, nor beyond the span", async () => {
    const seen = async (...more: string[]) => {
      const args = ["suggest", "--flows", "-", "-o", "json", ...more];
      const { stdout, stderr } = await call(args, { stdin: EXPORT });
      const { rules } = JSON.parse(stdout) as { rules: { rule: string; connections: number }[] };
      return [rules.map(({ rule, connections }) => `${rule} ${connections}`), stderr] as const;
    };
    const all = ["web → db 6", "web → shop/api.example.com 1"];
    expect((await seen())[0]).toEqual(all);
    expect((await seen("--exclude-window", "2h..1h"))[0]).toEqual(["web → db 6"]);
    const [cut, told] = await seen("--exclude-window", "2h..1h", "--exclude-window", "3m..90s");
    expect(cut).toEqual(["web → db 4"]);
    expect(told).toContain("Outside the time that was asked for: 6.");
    expect((await seen("--since", "10m"))[0]).toEqual(["web → db 6"]);
  });

  it("reads any other format by the file's beginning, or by its name, and says what it is not", async () => {
    const row = (port: number) =>
      `2 210987654321 eni-0a1b2c3d 10.1.0.5 10.1.0.6 ${port} 5432 6 12 3400 1774976400 1774976458 ACCEPT OK\n`;
    const stdin = [40_001, 40_002, 40_003, 40_004, 40_005].map(row).join("");
    const args = ["suggest", "--flows", "-", "-o", "table"];
    const told = await call(args, { stdin });
    const named = await call([...args, "--format", "aws-vpc"], { stdin });
    expect([told.code, named.stdout]).toEqual([0, told.stdout]);
    const other = await call([...args, "--format", "zeek"], { stdin });
    expect(other.stderr).toContain("is no zeek: this looks like aws-vpc");
    const near = await call([...args, "--format", "zeke"], { stdin });
    expect(near.stderr).toContain("did you mean `zeek`?");
  });

  it("reads our own edges and flows, too", async () => {
    const edges = await call(["suggest", "--flows", "-", "-o", "table"], {
      stdin: JSON.stringify(answers.edges, null, 2),
    });
    expect(edges.stderr).not.toContain("could not");
    expect(edges.stdout).toContain("shop/web");
    const flows = await call(["suggest", "--flows", "-", "-o", "table"], {
      stdin: answers.flows.map((flow) => `${JSON.stringify(flow)}\n`).join(""),
    });
    expect(flows.stderr).not.toContain("could not");
    expect(flows.stdout).toContain("db");
    const neither = await call(["suggest", "--flows", "-"], { stdin: "{\n}\n" });
    expect(neither.code).toBe(2);
    expect(neither.stderr).toContain("holds neither flows, one a line, nor the edges");
  });

  it("tells what people did apart from what is not allowed, and confines them when told to", async () => {
    const labels = { "bulkhead.dev/unit": "user-1000.slice", "bulkhead.dev/user": "ann" };
    const id = "host/user-ann";
    const source = { address: "10.0.0.1", workload: id, name: id, labels };
    const [first] = answers.edges.edges;
    const destination = { address: "203.0.113.9", name: "world", labels: {} };
    const edges = [{ ...first, source, destination }];
    const stdin = JSON.stringify({ ...answers.edges, edges: [...answers.edges.edges, ...edges] });
    const told = await call(["suggest", "--flows", "-", "-o", "table"], { stdin: indented(stdin) });
    expect(told.stdout).toMatch(
      /confined by nothing that is proposed \(1 edge\):\n.*people, not confined: host\/user-ann → /,
    );
    const args = ["suggest", "--flows", "-", "-o", "table", "--include-people"];
    const confined = await call(args, { stdin: indented(stdin) });
    expect(confined.stdout).not.toContain("not confined");
    expect(confined.stdout).toContain("Intent/host/user-ann-to-");
  });

  it("judges habits by the days of those flows, and says how complete the picture is", async () => {
    const day = (from: typeof web, to: typeof web, port: number, back: number) =>
      hubble(from, to, port, minutesAgo(back * 1440));
    const copies = [1, 2, 3, 4].map((at) => ({
      ip: `10.1.1.${at}`,
      end: { namespace: "shop", pod_name: `web-${at}`, labels: ["k8s:app=web"] },
    }));
    const vault = hubblePod("vault", "10.1.0.9");
    const usual = Array.from({ length: 30 }, (_, back) =>
      copies.map((copy) => day(copy, db, 5432, back)).join(""),
    );
    // One of four begins it in the fourth week, and goes on.
    const late = [8, 7, 6, 5, 4, 3].map((back) => day(copies[2]!, vault, 8200, back));
    const { stdout } = await call(["suggest", "--flows", "-", "-o", "json"], {
      stdin: [...usual, ...late].join(""),
    });
    const answer = JSON.parse(stdout) as SuggestAnswer;
    expect(answer.rules.map(({ ports }) => ports)).toEqual(["5432/tcp"]);
    expect(answer.setAside.map(({ reason }) => reason)).toEqual(["first-ever"]);
    expect(answer.readiness).toMatchObject([{ application: "shop", state: "learning" }]);
  });

  it("judges hours by the days of those flows: without them nobody knows when a role sleeps", async () => {
    const copies = [1, 2, 3].map((at) => ({
      ip: `10.1.1.${at}`,
      end: { namespace: "shop", pod_name: `web-${at}`, labels: ["k8s:app=web"] },
    }));
    const vault = hubblePod("vault", "10.1.0.9");
    const usual = Array.from({ length: 10 }, (_, back) =>
      copies.map((copy) => hubble(copy, db, 5432, minutesAgo(back * 1440))).join(""),
    );
    const byNight = [2, 1].map((back) =>
      hubble(copies[1]!, vault, 8200, minutesAgo(back * 1440 + 12 * 60)),
    );
    const { stdout } = await call(["suggest", "--flows", "-", "-o", "json"], {
      stdin: [...usual, ...byNight].join(""),
    });
    const { setAside } = JSON.parse(stdout) as SuggestAnswer;
    expect(setAside.map(({ reason }) => reason)).toEqual(["off-hours"]);
  });

  it("refuses to accept what nobody saw, before anything is written, and names what is near", async () => {
    const copies = [1, 2, 3].map((at) => ({
      ip: `10.1.1.${at}`,
      end: { namespace: "shop", pod_name: `web-${at}`, labels: ["k8s:app=web"] },
    }));
    const vault = hubblePod("vault", "10.1.0.9");
    const stdin = [
      ...Array.from({ length: 10 }, (_, back) =>
        copies.map((copy) => hubble(copy, db, 5432, minutesAgo(back * 1440))).join(""),
      ),
      hubble(copies[1]!, vault, 8200, minutesAgo(1440)),
    ].join("");
    const file = join(folder, "policy.yaml");
    const ask = async (accept: string) =>
      call(["suggest", "--flows", "-", "-f", file, "--accept", accept], { stdin });
    const slip = await ask("shop/web -> shop/valt 8200/tcp");
    expect([slip.code, slip.stdout]).toEqual([2, ""]);
    expect(slip.stderr).toContain(
      "`--accept shop/web -> shop/valt 8200/tcp` names nothing that was seen",
    );
    expect(slip.stderr).toContain("did you mean `shop/web → shop/vault 8200/tcp`?");
    const other = await ask("something else");
    expect(other.stderr).toContain(
      "what is set aside as doubtful:\n  shop/web → shop/vault 8200/tcp",
    );
    expect(readdirSync(folder)).toEqual([]);
    expect((await ask("shop/web -> shop/vault 8200/tcp")).stdout).toContain("2 rules for 4 edges");
  });

  it.each([
    ["while it reads", Infinity],
    ["once all is read", 3],
  ])("heeds Ctrl-C %s", async (_when, chunks) => {
    const { signal, abort } = interruption();
    const stdin = (async function* () {
      for (let chunk = 1; chunk <= chunks; chunk += 1) {
        if (chunk === 4) abort();
        yield EXPORT.repeat(50); // longer than what the format is told by
      }
      abort();
    })();
    const asked = suggestOffline({ stdin, now: () => NOW, signal }, "-", { exclude: [] });
    await expect(asked).rejects.toThrow(Interrupted);
  });

  it("joins rules where more name one role than were asked for, and says so", async () => {
    const cache = hubblePod("cache", "10.1.0.7");
    const stdin = [db, cache]
      .flatMap((to) => [1, 2, 3].map((minute) => hubble(web, to, 6379, minutesAgo(minute))))
      .join("");
    const ask = async (...more: string[]) =>
      call(["suggest", "--flows", "-", "-o", "table", ...more], { stdin });
    expect((await ask()).stdout).toContain("2 rules for 2 edges");
    const joined = await ask("--max-rules", "1");
    expect(joined.stdout).toContain("1 rule for 2 edges");
    expect(joined.stdout).toContain(
      "shop/web: 2 rules that name it joined to 1, which permits nothing more.",
    );
    expect((await ask("--max-rules", "none")).code).toBe(2);
    expect((await ask("--max-rules", "0")).stderr).toContain("give at least 1");
  });

  it("is a pull request with the replay of those very flows", async () => {
    const { stdout } = await call(["suggest", "--flows", "-", "-o", "markdown"], {
      stdin: EXPORT + hubble(db, web, 9999, minutesAgo(3)).split("\n")[0],
    });
    await expect(stdout).toMatchFileSnapshot("golden/suggest-flows-markdown.txt");
  });

  it.each([
    [["--flows", "/nowhere.jsonl"], "cannot read `/nowhere.jsonl`: no such file"],
    [["--flows", "-", "--range", "0.0.0.0/0"], "is nearly everybody"],
    [["--flows", "-", "--since-last"], "`--since-last` is about the running system"],
    [["--flows", "a.jsonl", "--flows", "b.jsonl"], "`--flows` is given twice"],
    [["--format", "zeek"], "`--format` is about the file of `--flows`"],
    [["--exclude-window", "1h"], "`--exclude-window 1h` is not a span of time"],
    [["--exclude-window", "1h..2h"], "ends before it begins"],
    [["-f", "x.yaml", "-d", "y"], "`--file` and `--directory` are both given"],
  ])("%j is refused in words", async (args, words) => {
    const { code, stderr } = await call(["suggest", ...args]);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });
});

describe("recorded flows where policies are wanted", () => {
  it.each(["replay", "plan", "apply", "lint"])("%s says so in one line", async (verb) => {
    const state = await start();
    const file = join(folder, "hubble.jsonl");
    writeFileSync(file, EXPORT);
    const { stdout, stderr, code } = await call([verb, file], { state });
    expect([stdout, code]).toEqual(["", 2]);
    expect(stderr).toContain(`\`${file}\` is no policy: this looks like recorded flows of hubble`);
    expect(stderr).toContain(`bulkhead check policies/ --flows ${file}`);
    const piped = await call([verb, "-"], { state, stdin: EXPORT });
    expect(piped.stderr).toContain("`-` is no policy");
  });
});

describe("suggest of the running system", () => {
  it("asks for what was said: windows, prefixes, namespaces", async () => {
    const state = await start();
    await call(
      ["suggest", "--exclude-window", "3h..1h", "--range", "203.0.113.0/24", "-n", "shop"],
      { state },
    );
    await call(["suggest", "--include-people"], { state });
    expect(controller?.requests[1]?.request).toEqual({ includePeople: true });
    await call(["suggest", "--max-rules", "12"], { state });
    expect(controller?.requests[2]?.request).toEqual({ maxRules: 12 });
    await call(["suggest", "--all"], { state });
    expect(controller?.requests[3]?.request).toEqual({ all: true });
    expect(controller?.requests[0]?.request).toEqual({
      namespaces: ["shop"],
      ranges: ["203.0.113.0/24"],
      exclude: [{ from: NOW - 3 * 3_600_000, to: NOW - 3_600_000 }],
    });
  });

  it("writes one file an application, all or none", async () => {
    const state = await start();
    const target = join(folder, "policies");
    const { stdout, code } = await call(["suggest", "-d", target], { state });
    expect(code).toBe(0);
    expect(stdout).toContain(`written to ${target}`);
    expect(readdirSync(target).toSorted()).toEqual(["shop.till.yaml", "shop.yaml"]);
    expect(readFileSync(join(target, "shop.till.yaml"), "utf8")).toContain("# till");
    rmSync(join(target, "shop.yaml"));
    const again = await call(["suggest", "-d", target], { state });
    expect(again.stderr).toContain("exists already");
    expect(readdirSync(target)).toEqual(["shop.till.yaml"]);
    await call(["suggest", "-d", target, "--overwrite"], { state });
    expect(readdirSync(target)).toHaveLength(2);
  });

  it("is a pull request with the replay of everything on record", async () => {
    const state = await start();
    const args = ["suggest", "-o", "markdown", "--exclude-window", "3h..1h"];
    const { stdout } = await call(args, { state });
    await expect(stdout).toMatchFileSnapshot("golden/suggest-markdown.txt");
  });
});

describe("suggest --since-last", () => {
  const links = answers.suggest.links ?? [];
  const third = {
    text: "shop/web → shop/cache 6379/tcp",
    resource: "Intent/shop/web-to-cache",
    firstSeen: NOW - 60_000,
  };

  it("tells each person what is new to them, whatever others have seen", async () => {
    const given: { suggest: SuggestAnswer } = { suggest: answers.suggest };
    controller = await startFakeController(given);
    const { state } = controller;
    const ann = { HOME: join(folder, "ann") };
    const bob = { HOME: join(folder, "bob") };
    const look = async (env: Record<string, string>) =>
      (await call(["suggest", "--since-last"], { state, env })).stdout;
    expect(await look(ann)).toContain("You have not looked before: all of it is new (2 edges).");
    expect(await look(ann)).toContain("Nothing new since you last looked");
    expect(await look(bob)).toContain("all of it is new (2 edges)");
    given.suggest = { ...answers.suggest, links: [...links, third] };
    expect(await look(ann)).toContain("1 new edge since you last looked");
    expect(await look(ann)).toContain("Nothing new");
    const bobs = await look(bob);
    expect(bobs).toContain("shop/web → shop/cache 6379/tcp");
    expect(bobs).not.toContain("shop/report → shop/db");
  });

  it("is told beside the policy at a terminal, and a script takes nobody's news away", async () => {
    const env = { HOME: join(folder, "home") };
    const state = await start();
    const script = await call(["suggest", "-o", "json"], { state, env });
    expect(JSON.parse(script.stdout)).not.toHaveProperty("news");
    await call(["suggest"], { state, env });
    expect(() => readdirSync(join(folder, "home"))).toThrow("ENOENT");
    const first = await call(["suggest"], { state, env, tty: true });
    expect(first.stderr).not.toContain("new edge");
    const again = await call(["suggest", "--since-last", "-o", "json"], { state, env });
    expect(JSON.parse(again.stdout)).toMatchObject({ news: { since: NOW, links: [] } });
  });

  it("keeps what a part of the picture does not show", async () => {
    const env = { HOME: join(folder, "home") };
    const state = await start({ suggest: { ...answers.suggest, links: links.slice(0, 1) } });
    await call(["suggest", "--since-last"], { state, env });
    const file = join(folder, "home", ".local", "state", "bulkhead");
    const [name = ""] = readdirSync(file);
    const kept = (): number =>
      (JSON.parse(readFileSync(join(file, name), "utf8")) as { links: string[] }).links.length;
    writeFileSync(
      join(file, name),
      JSON.stringify({ at: 1, links: ["0123456789abcdef", "fedcba9876543210"] }),
    );
    await call(["suggest", "--since-last", "-n", "shop"], { state, env });
    expect(kept()).toBe(3);
    await call(["suggest", "--since-last"], { state, env });
    expect(kept()).toBe(1);
    writeFileSync(join(file, name), "garbage");
    const anew = await call(["suggest", "--since-last"], { state, env });
    expect(anew.stdout).toContain("You have not looked before");
  });

  it("says so where it cannot remember, and goes on", async () => {
    const state = await start();
    const home = join(folder, "home");
    mkdirSync(home);
    writeFileSync(join(home, ".local"), "a file, where a folder should be");
    const { stdout, stderr, code } = await call(["suggest", "--since-last"], {
      state,
      env: { HOME: home },
    });
    expect(code).not.toBe(2);
    expect(`${stdout}${stderr}`).toMatch(/could not be remembered|ENOTDIR/);
    const without = await call(["suggest", "--since-last"], { state });
    expect(without.stderr).toContain("nothing says where to remember");
    expect(without.code).toBe(3);
  });
});

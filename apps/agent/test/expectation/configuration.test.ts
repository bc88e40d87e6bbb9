/** Whom workloads are configured to call, read from a folder that stands for /proc, and from a process of our own. */
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  argumentsIn,
  pidsByNetns,
  readConfiguration,
} from "../../src/expectation/configuration.ts";
import { createExpectationScout } from "../../src/expectation/index.ts";

const OWNER = { kind: "unit", cgroup: "/system.slice/shop.service" } as const;
const ALL = ["environment", "arguments", "files"] as const;
let folder = "";
let child: ChildProcess | undefined;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "bhk-conf-"))));
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

interface Fake {
  readonly environ?: string;
  readonly args?: readonly string[];
  readonly root?: string;
  readonly user?: number;
}

function fake(pid: number, { environ = "", args = ["app"], root = "/", user = 0 }: Fake): string {
  const proc = join(folder, "proc");
  const at = join(proc, String(pid));
  mkdirSync(join(at, "ns"), { recursive: true });
  writeFileSync(join(at, "environ"), environ);
  // Real, effective, saved, of the file system: what is started by somebody may run as somebody else.
  const ids = `\t${user}\t0\t0\t0`;
  writeFileSync(join(at, "status"), `Name:\tapp\nUid:${ids}\nGid:${ids}\n`);
  writeFileSync(join(at, "cmdline"), args.join("\0"));
  symlinkSync(root, join(at, "root"));
  symlinkSync(folder, join(at, "cwd"));
  symlinkSync("net:[7]", join(at, "ns", "net"));
  return proc;
}

const told = (proc: string, sources: Parameters<typeof readConfiguration>[1] = ALL) =>
  readConfiguration([{ owner: OWNER, pids: [5] }], sources, proc).map(
    ({ host, port, place }) => `${host}:${port} ${place.replaceAll(folder, "DIR")}`,
  );

test("nothing is read that nobody allowed", () => {
  const proc = fake(5, {
    environ: "DATABASE_URL=postgres://app:hunter2@db/shop\0",
    args: ["app", "--cache-url=redis://cache"],
  });
  writeFileSync(join(folder, ".env"), "MAIL_URL=smtp://mail\n");
  expect(told(proc, [])).toEqual([]);
  expect(told(proc, ["environment"])).toEqual(["db:5432 environment DATABASE_URL"]);
  expect(told(proc, ["arguments"])).toEqual(["cache:6379 argument cache-url"]);
  expect(told(proc, ["files"])).toEqual(["mail:25 DIR/.env line 1"]);
  expect(told(proc)).toHaveLength(3);
});

test("arguments: names with values, and URLs by themselves, but none that may be a password's", () => {
  expect(
    argumentsIn([
      "java",
      "-Dspring.datasource.url=jdbc:x",
      "--db-host",
      "db",
      "--verbose",
      "http://a",
    ]),
  ).toEqual([
    { name: "spring.datasource.url", value: "jdbc:x" },
    { name: "db-host", value: "db" },
    { name: "verbose", value: "http://a" },
  ]);
  expect(argumentsIn(["psql", "postgres://db/x"])).toEqual([
    { name: "url", value: "postgres://db/x", place: "1" },
  ]);
  expect(argumentsIn(["app", "--password", "http://hunter2"])).toEqual([
    { name: "password", value: "http://hunter2" },
  ]);
  expect(argumentsIn(["mysql", "-p", "http://hunter2"])).toEqual([]);
});

test("files of containers, links, and files that are too large are left alone", () => {
  const path = join(folder, "app.yaml");
  writeFileSync(path, "database:\n  url: postgres://db/x\n");
  const args = ["app", `--config=${path}`];
  expect(told(fake(5, { args }), ["files"])).toEqual(["db:5432 DIR/app.yaml line 2"]);
  rmSync(join(folder, "proc"), { recursive: true });
  expect(told(fake(5, { args, root: folder }), ["files"])).toEqual([]);
  rmSync(join(folder, "proc"), { recursive: true });
  const link = join(folder, "link.yaml");
  symlinkSync(path, link);
  expect(told(fake(5, { args: ["app", link] }), ["files"])).toEqual([]);
  writeFileSync(path, `url: http://x\n${"#".repeat(300_000)}\n`);
  rmSync(join(folder, "proc"), { recursive: true });
  expect(told(fake(5, { args }), ["files"])).toEqual([]);
});

test("of a user's process no file is read that the user may not, whatever leads there", () => {
  chmodSync(folder, 0o755);
  const open = join(folder, "open");
  const closed = join(folder, "closed");
  for (const at of [open, closed]) {
    mkdirSync(at);
    chmodSync(at, 0o755);
    const file = join(at, "app.yaml");
    writeFileSync(file, `url: http://in-${at === open ? "open" : "closed"}\n`);
    chmodSync(file, 0o644);
  }
  chmodSync(closed, 0o700);
  writeFileSync(join(open, "own.yaml"), "url: http://in-private\n", { mode: 0o600 });
  symlinkSync(closed, join(open, "door"));
  const args = ["su", "open/app", "closed/app", "open/door/app", "open/own"].map((name) =>
    name === "su" ? name : join(folder, `${name}.yaml`),
  );
  const seen = (user: number) => {
    rmSync(join(folder, "proc"), { recursive: true, force: true });
    return told(fake(5, { args, user }), ["files"]).map((one) => one.split(":")[0]);
  };
  expect(seen(4242)).toEqual(["in-open"]);
  expect(seen(0)).toEqual(["in-open", "in-closed", "in-closed", "in-private"]);
});

test("a name that somebody chose to disturb a terminal is not told", () => {
  const proc = fake(5, { environ: "A_URL\u001b[31m=http://x\0" });
  expect(told(proc)).toEqual(["x:80 environment of a name that cannot be told"]);
});

test("thousands of entries are cut", () => {
  const environ = Array.from({ length: 1000 }, (_, at) => `U${at}_URL=http://h${at}`).join("\0");
  expect(told(fake(5, { environ }))).toHaveLength(64);
});

test("nobody's long lists hide what others are configured to call", () => {
  const environ = Array.from({ length: 64 }, (_, at) => `U${at}_URL=http://h${at}`).join("\0");
  const proc = fake(5, { environ });
  fake(6, { environ: "DB_URL=postgres://db\0" });
  const crowd = Array.from({ length: 40 }, (_, at) => ({
    owner: { kind: "unit", cgroup: `/user.slice/${at}` } as const,
    pids: [5],
  }));
  const found = readConfiguration([...crowd, { owner: OWNER, pids: [6] }], ALL, proc);
  expect(found).toHaveLength(2000);
  expect(found.filter(({ owner }) => owner === OWNER).map(({ host }) => host)).toEqual(["db"]);
});

test("processes are found by their network", () => {
  const proc = fake(5, {});
  expect(pidsByNetns(new Set(["net:[7]"]), [5, 6], proc)).toEqual(new Map([["net:[7]", [5]]]));
});

test("of a real process: its destinations when allowed, and never its secrets", async () => {
  child = spawn(process.execPath, ["-e", "process.stdin.resume()", "--", "--token=hunter2"], {
    env: {
      DATABASE_URL: "postgres://app:hunter2@db.example:6432/shop",
      DB_PASSWORD: "hunter2",
      REDIS_URL: "redis://:hunter2@cache:6379/0",
    },
    stdio: ["pipe", "ignore", "ignore"],
  });
  const { pid } = child;
  await new Promise((resolve) => child!.once("spawn", resolve));
  const changes: string[] = [];
  const problems: string[] = [];
  const scout = createExpectationScout({
    facts: () => [
      {
        cgroup: OWNER.cgroup,
        count: 1,
        processes: [{ pid: pid!, name: "node", user: "root" }],
        users: ["root"],
      },
    ],
    endpoints: () => [],
    changed: () => changes.push(JSON.stringify(scout.latest())),
    onProblem: (problem) => problems.push(problem),
    run: null,
    root: folder,
  });
  try {
    await scout.look();
    expect(scout.latest().dependencies).toEqual([]);
    scout.allow(["environment", "arguments", "files"]);
    await scout.look();
    expect(scout.latest().dependencies.map(({ host, port }) => `${host}:${port}`)).toEqual([
      "db.example:6432",
      "cache:6379",
    ]);
    scout.allow([]);
    await scout.look();
    expect(scout.latest().dependencies).toEqual([]);
    expect([...changes, ...problems].join()).not.toContain("hunter2");
    expect(changes).toHaveLength(2);
  } finally {
    scout.stop();
  }
});

test("timers that cannot be asked are a problem, and crontabs are told all the same", async () => {
  mkdirSync(join(folder, "etc"));
  writeFileSync(join(folder, "etc/crontab"), "0 3 * * * root x\n");
  const scout = createExpectationScout({
    facts: () => [],
    endpoints: () => [],
    changed: () => undefined,
    onProblem: () => undefined,
    run: () => Promise.reject(new Error("Failed to connect to bus\nmore")),
    root: folder,
  });
  await scout.look();
  scout.stop();
  expect(scout.latest().problems).toEqual([
    "timers of systemd are not seen: Failed to connect to bus",
  ]);
  expect(scout.latest().schedules).toHaveLength(1);
});

/**
 * Containers of a real Docker, behind its own bridge and beside its own rules. The runtime lives in the lab's namespace
 * with folders and mounts of its own; the container's file system holds one program that sleeps.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkloadView } from "@bulkhead/api";
import { echoOn, reaches, removeControlGroups, sleeperTarball } from "./containers.ts";
import { TestLab, until } from "./lab.ts";

const run = promisify(execFile);
const PUBLISHED = 15432;
const POLICY = {
  name: "policy.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: shop }
spec:
  from: app=web
  to: app=db
  ports: [5432/tcp]
`,
};

/** A busy machine takes its time to start a container and to hear of it. */
const PATIENCE_MS = 30_000;

let folder: string;
let lab: TestLab;
let runtime: ChildProcess;
const children: ChildProcess[] = [];

const docker = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await run("/usr/bin/docker", [
    "--host",
    `unix://${join(folder, "docker.sock")}`,
    ...args,
  ]);
  return stdout.trim();
};
const facts = async (name: string): Promise<{ readonly pid: string; readonly address: string }> => {
  const text = await docker(
    "inspect",
    "--format",
    "{{.State.Pid}} {{.NetworkSettings.IPAddress}}",
    name,
  );
  const [pid = "", address = ""] = text.split(" ");
  return { pid, address };
};
const start = (name: string, app: string, ...options: readonly string[]): Promise<string> =>
  docker(
    "run",
    "--detach",
    `--name=${name}`,
    `--label=app=${app}`,
    "--label=com.docker.compose.project=shop",
    ...options,
    "sleeper",
    "/bin/sleep",
    "1000",
  );

const between = async (from: string, to: string): Promise<boolean> => {
  const [{ pid }, { address }] = await Promise.all([facts(from), facts(to)]);
  return reaches(`/proc/${pid}/ns/net`, address, 5432);
};
/** Everybody else's rules, without counters. */
const foreignRules = async (): Promise<string> =>
  (await lab.ruleset())
    .split(/^(?=table )/m)
    .filter((table) => !/^table \S+ bulkhead/.test(table))
    .join("");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhk-docker-"));
  lab = await TestLab.create();
  let said = "";
  runtime = spawn(
    "nsenter",
    [
      `--net=${lab.netns("host")}`,
      // Its mounts go when it goes; what it would write into the machine's own folder goes too.
      "unshare",
      "--mount",
      "--propagation=private",
      "sh",
      "-c",
      'mkdir -p /etc/docker && mount -t tmpfs none /etc/docker && exec /usr/sbin/dockerd "$@"',
      "dockerd",
      `--host=unix://${join(folder, "docker.sock")}`,
      `--data-root=${join(folder, "data")}`,
      `--exec-root=${join(folder, "exec")}`,
      `--pidfile=${join(folder, "pid")}`,
      "--storage-driver=vfs",
      "--bip=10.66.0.1/24",
      `--cgroup-parent=/${lab.prefix}`,
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    },
  );
  for (const stream of [runtime.stdout, runtime.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until(
    () => {
      if (runtime.exitCode !== null) throw new Error(`the container runtime ended:\n${said}`);
      return docker("version").then(
        () => true,
        () => false,
      );
    },
    () => `the container runtime does not start:\n${said.slice(-2000)}`,
    40_000,
  );
  await docker("import", await sleeperTarball(folder), "sleeper");
  await start("shop-db", "db", `--publish=${PUBLISHED}:5432`);
  await start("shop-web", "web");
  await start("shop-evil", "evil");
  const { pid } = await facts("shop-db");
  children.push(
    spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", echoOn(5432)], {
      stdio: "ignore",
    }),
  );
  await until(() => between("shop-web", "shop-db"), "the database's container does not answer");
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  if (runtime?.exitCode === null) {
    const ended = new Promise<void>((resolve) => {
      runtime.once("close", () => resolve());
    });
    const names = (await docker("ps", "--all", "--quiet")).split("\n").filter((id) => id !== "");
    if (names.length > 0) await docker("rm", "--force", ...names);
    runtime.kill("SIGTERM");
    await ended;
  }
  await lab?.remove();
  await removeControlGroups(lab?.prefix);
  rmSync(folder, { recursive: true, force: true });
});

it("are found under their own names and labels, confined on their bridge, and behind published ports", async () => {
  const before = await foreignRules();
  expect(before).toContain("DOCKER");
  await lab.up({ env: { DOCKER_HOST: `unix://${join(folder, "docker.sock")}` } });
  const { workloads } = await lab.client.call("workloads", {});
  const { address } = await facts("shop-db");
  expect(workloads.filter(({ kind }) => kind === "container")).toMatchObject([
    { id: "shop/shop-db", labels: { app: "db" }, addresses: [address], attached: true },
    { id: "shop/shop-evil", labels: { app: "evil" } },
    { id: "shop/shop-web", labels: { app: "web" } },
  ]);
  expect(await between("shop-evil", "shop-db")).toBe(true);
  expect(await reaches(lab.netns("evil"), lab.address("host"), PUBLISHED)).toBe(true);

  await lab.client.call("apply", { files: [POLICY], mode: "enforce" });
  expect(await between("shop-web", "shop-db")).toBe(true);
  expect(await between("shop-evil", "shop-db")).toBe(false);
  expect(await reaches(lab.netns("evil"), lab.address("host"), PUBLISHED)).toBe(false);
  // What was asked for was the machine's port; what was judged is who answers there.
  await until(async () => {
    const { edges } = await lab.client.call("edges", {
      verdict: ["dropped"],
      to: ["shop/shop-db"],
    });
    const from = edges.map(({ source, port }) => `${source.name} ${port}`);
    return from.includes("shop/shop-evil 5432") && from.includes(`default/${lab.prefix}-evil 5432`);
  }, "the refusals are not told");
  expect(await foreignRules()).toBe(before);
});

it("on the machine's own network are workloads without an address, and nobody else is told twice", async () => {
  await start(
    "shop-metrics",
    "metrics",
    "--network=host",
    "--label=bulkhead.dev/unit=sshd.service",
  );
  const pid = await docker("inspect", "--format", "{{.State.Pid}}", "shop-metrics");
  const [group = ""] = /(?<=^0::).*$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? [];
  const { stdout: mount } = await run("findmnt", [
    "--noheadings",
    "--output=TARGET",
    "--types=cgroup2",
    "--first-only",
  ]);
  const server = spawn(
    "nsenter",
    [
      `--net=${lab.netns("host")}`,
      process.execPath,
      "-e",
      `process.stdin.once('data', () => ${echoOn(9100)})`,
    ],
    { stdio: ["pipe", "ignore", "ignore"] },
  );
  children.push(server);
  writeFileSync(join(mount.trim(), group, "cgroup.procs"), String(server.pid));
  server.stdin.write("go");
  let found: readonly WorkloadView[] = [];
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", {});
      found = workloads.filter(({ name, attached }) => attached && name.startsWith("shop-"));
      return found.some(({ sockets = [] }) => sockets.some(({ port }) => port === 9100));
    },
    () => `the container on the machine's network is not known: ${JSON.stringify(found)}`,
    PATIENCE_MS,
  );
  expect(found.map(({ id, kind }) => `${id} ${kind}`)).toEqual([
    "shop/shop-db container",
    "shop/shop-evil container",
    "shop/shop-metrics process",
    "shop/shop-web container",
  ]);
  expect(found[2]).toMatchObject({
    labels: { app: "metrics" },
    image: "sleeper",
    cgroup: group,
    addresses: [],
  });
  await docker("rm", "--force", "shop-metrics");
});

it("are followed as they come and go, and an address that is used again inherits nothing", async () => {
  const { address } = await facts("shop-web");
  await docker("rm", "--force", "shop-web");
  // Docker gives out the lowest address that is free.
  await start("shop-heir", "evil");
  expect((await facts("shop-heir")).address).toBe(address);
  const known = async (id: string): Promise<boolean> => {
    const { workloads } = await lab.client.call("workloads", {});
    const ids = workloads.filter(({ attached }) => attached).map((one) => one.id);
    return ids.includes(id) && !ids.includes("shop/shop-web");
  };
  await until(() => known("shop/shop-heir"), "the newcomer is not noticed", PATIENCE_MS);
  const heirMay = () => between("shop-heir", "shop-db");
  await until(async () => !(await heirMay()), "it may what another might", PATIENCE_MS);
  await start("shop-web-2", "web");
  const webMay = () => between("shop-web-2", "shop-db");
  const said = () => `what may talk is not let through\n${lab.controllerLog}\n${lab.agentLog}`;
  await until(webMay, said, PATIENCE_MS);
});

/**
 * Containers and pods of a real Podman, by its API and by their control groups. Its service runs in the lab's namespace with
 * settings and folders of its own; the image is imported from a tarball, and holds one program that sleeps.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkloadView } from "@bulkhead/api";
import { echoOn, reaches, removeControlGroups, sleeperTarball } from "./containers.ts";
import { TestLab, until } from "./lab.ts";

const run = promisify(execFile);
const PODMAN = "/usr/bin/podman";
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
let service: ChildProcess | undefined;
const children: ChildProcess[] = [];

const socket = () => join(folder, "podman.sock");
const podman = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await run(PODMAN, ["--url", `unix://${socket()}`, ...args]);
  return stdout.trim();
};
const facts = async (name: string): Promise<{ readonly pid: string; readonly address: string }> => {
  const format = "{{.State.Pid}} {{.NetworkSettings.IPAddress}}";
  const [pid = "", address = ""] = (await podman("inspect", "--format", format, name)).split(" ");
  return { pid, address };
};
const start = (name: string, app: string, ...options: readonly string[]): Promise<string> =>
  podman(
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

/** Nothing of it lies where a Podman of the machine would look, nor needs systemd. */
function settings(): Readonly<Record<string, string>> {
  const containers = join(folder, "containers.conf");
  const storage = join(folder, "storage.conf");
  const networks = join(folder, "networks");
  mkdirSync(networks);
  writeFileSync(
    containers,
    `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${join(folder, "tmp")}"
[network]
network_backend = "cni"
network_config_dir = "${networks}"
`,
  );
  writeFileSync(
    storage,
    `[storage]
driver = "vfs"
graphroot = "${join(folder, "data")}"
runroot = "${join(folder, "run")}"
`,
  );
  const bridge = {
    type: "bridge",
    bridge: "pods0",
    isGateway: true,
    ipMasq: true,
    ipam: {
      type: "host-local",
      dataDir: join(folder, "addresses"),
      routes: [{ dst: "0.0.0.0/0" }],
      ranges: [[{ subnet: "10.67.0.0/24", gateway: "10.67.0.1" }]],
    },
  };
  writeFileSync(
    join(networks, "podman.conflist"),
    JSON.stringify({ cniVersion: "0.4.0", name: "podman", plugins: [bridge] }),
  );
  return { CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhk-podman-"));
  lab = await TestLab.create();
  let said = "";
  const started = spawn(
    "nsenter",
    [`--net=${lab.netns("host")}`, PODMAN, "system", "service", "--time=0", `unix://${socket()}`],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...settings(), PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    },
  );
  service = started;
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until(
    () => {
      if (started.exitCode !== null) throw new Error(`the container runtime ended:\n${said}`);
      return podman("version").then(
        () => true,
        () => false,
      );
    },
    () => `the container runtime does not start:\n${said.slice(-2000)}`,
    40_000,
  );
  await podman("import", await sleeperTarball(folder), "sleeper");
  const group = `--cgroup-parent=/${lab.prefix}`;
  await start("shop-db", "db", group);
  await start("shop-evil", "evil", group);
  // What holds a pod open has an image of its own, which cannot be fetched here.
  await podman(
    "pod",
    "create",
    "--name=front",
    group,
    "--infra-image=sleeper",
    "--infra-command=/bin/sleep 1000",
  );
  await start("shop-web", "web", "--pod=front");
  await start("shop-metrics", "metrics", "--network=host", group);
  const { pid } = await facts("shop-db");
  children.push(
    spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", echoOn(5432)], {
      stdio: "ignore",
    }),
  );
  await until(() => between("shop-evil", "shop-db"), "the database's container does not answer");
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  if (service?.exitCode === null) {
    await podman("pod", "rm", "--all", "--force", "--time=0");
    await podman("rm", "--all", "--force", "--time=0");
    const ended = new Promise<void>((resolve) => {
      service?.once("close", () => resolve());
    });
    service.kill("SIGTERM");
    await ended;
  }
  await lab?.remove();
  await removeControlGroups(lab?.prefix);
  rmSync(folder, { recursive: true, force: true });
});

it("are found under their own names and labels, in pods too, and confined on their bridge", async () => {
  await lab.up({
    env: {
      CONTAINER_HOST: `unix://${socket()}`,
      DOCKER_HOST: `unix://${join(folder, "no-docker.sock")}`,
    },
  });
  let found: readonly WorkloadView[] = [];
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", {});
      found = workloads.filter(({ attached, name }) => attached && name.startsWith("shop-"));
      return found.length >= 4;
    },
    () => `not all are known: ${JSON.stringify(found)}\n${lab.agentLog}`,
    PATIENCE_MS,
  );
  const { address } = await facts("shop-db");
  expect(found).toMatchObject([
    { id: "shop/shop-db", kind: "container", labels: { app: "db" } },
    { id: "shop/shop-evil", kind: "container", labels: { app: "evil" } },
    // On the machine's own network, told by its control group.
    {
      id: "shop/shop-metrics",
      kind: "process",
      labels: { app: "metrics" },
      addresses: [],
      image: "localhost/sleeper:latest",
      cgroup: expect.stringContaining("libpod-") as string,
    },
    { id: "shop/shop-web", kind: "container", labels: { app: "web" } },
  ]);

  expect(found[0]?.addresses).toContain(address);

  await lab.client.call("apply", { files: [POLICY], mode: "enforce" });
  const { pid } = await facts("shop-web");
  expect(await reaches(`/proc/${pid}/ns/net`, address, 5432)).toBe(true);
  expect(await between("shop-evil", "shop-db")).toBe(false);
});

it("that are gone leave nobody their permissions", async () => {
  const { address } = await facts("shop-db");
  await podman("pod", "rm", "--force", "--time=0", "front");
  await start("shop-heir", "evil", `--cgroup-parent=/${lab.prefix}`);
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", {});
      const ids = workloads.filter(({ attached }) => attached).map(({ id }) => id);
      return ids.includes("shop/shop-heir") && !ids.includes("shop/shop-web");
    },
    "the newcomer is not noticed",
    PATIENCE_MS,
  );
  const { pid } = await facts("shop-heir");
  expect(await reaches(`/proc/${pid}/ns/net`, address, 5432)).toBe(false);
  await start("shop-web-2", "web", `--cgroup-parent=/${lab.prefix}`);
  await until(
    () => between("shop-web-2", "shop-db"),
    () => `what may talk is not let through\n${lab.controllerLog}\n${lab.agentLog}`,
    PATIENCE_MS,
  );
});

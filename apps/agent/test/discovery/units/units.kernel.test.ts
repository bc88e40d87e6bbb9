/** Units of a machine, found by their control groups: real groups, real processes, and sockets that wait. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TCP, UDP } from "@bulkhead/model";
import type { DiscoveredProcess } from "@bulkhead/wire";
import { createUnitScout, type UnitScout } from "../../../src/discovery/index.ts";
import { createExecutables } from "../../../src/discovery/units/executables.ts";
import { factsOf } from "../../../src/discovery/units/unit-facts.ts";
import { readCgroupTree } from "../../../src/discovery/units/cgroup-tree.ts";
import { until } from "../../kernel/netns-lab.ts";
import { createUnitsLab, type Program, type UnitsLab } from "./units-lab.ts";

let lab: UnitsLab;
let web: Program;
let scout: UnitScout;
let ahead = 0;
beforeAll(async () => {
  lab = createUnitsLab();
  web = await lab.start(lab.groups.add("web.service"));
  await web.tell("listen 8080 0.0.0.0");
  await web.tell("listen 8081 ::");
  await web.tell("only6 8082");
  await web.tell("listen 8083 127.0.0.1");
  await web.tell("udp 53 0.0.0.0");
  await web.tell("udp 40000 0.0.0.0");
});
beforeEach(() => {
  scout = scoutIn(lab.path);
  return () => scout.stop();
});
afterAll(() => lab.close());

function scoutIn(netns: string, manager?: string, prober?: number): UnitScout {
  return createUnitScout({
    // A clock that can be put forward.
    now: () => Date.now() + ahead,
    changed: () => undefined,
    onProblem: (problem) => expect.unreachable(problem),
    netns,
    users: (uid) => (uid === 1000 ? "alice" : undefined),
    ...(manager === undefined ? {} : { manager }),
    prober: () => prober,
  });
}

const found = (path: string): DiscoveredProcess | undefined =>
  scout.look().processes.find(({ cgroup }) => cgroup === path);

test("a unit is a control group with a process in this network, and its sockets are those made in it", () => {
  const path = `${lab.groups.root}/web.service`;
  expect(found(path)).toMatchObject({
    cgroup: path,
    form: "service",
    unit: "web.service",
    sockets: [
      { family: 4, protocol: UDP, port: 53 },
      { family: 4, protocol: TCP, port: 8080 },
      { family: 4, protocol: TCP, port: 8081 },
      { family: 6, protocol: TCP, port: 8081 },
      { family: 6, protocol: TCP, port: 8082 },
      { address: "127.0.0.1", family: 4, protocol: TCP, port: 8083 },
    ],
  });
});

test("a port from the kernel's own choice counts once its socket has stayed", () => {
  const path = `${lab.groups.root}/web.service`;
  expect(found(path)?.sockets.map(({ port }) => port)).not.toContain(40_000);
  ahead += 15_000;
  expect(found(path)?.sockets.map(({ port }) => port)).toContain(40_000);
});

test("slices are looked into, whatever lies in a unit is the unit", async () => {
  const deep = lab.groups.add("system-db.slice/db@15-main.service/workers/one");
  const db = await lab.start(deep);
  await db.tell("listen 5432 0.0.0.0");
  const path = `${lab.groups.root}/system-db.slice/db@15-main.service`;
  expect(found(path)).toMatchObject({ unit: "db@15-main.service", sockets: [{ port: 5432 }] });
  const others = scout.look().processes.map(({ cgroup }) => cgroup);
  for (const one of others)
    expect(others.filter((other) => other !== one && other.startsWith(`${one}/`))).toEqual([]);
  await db.end();
});

test("where somebody else may make groups, their names are nobody's", async () => {
  const slice = lab.groups.add("lent.slice");
  chmodSync(join(lab.groups.mount, slice), 0o777);
  const child = await lab.start(lab.groups.add("lent.slice/sshd.service"));
  expect(found(`${slice}/sshd.service`)).toBe(undefined);
  expect(found(slice)).toMatchObject({ form: "group", unit: "lent.slice" });
  await child.end();
});

test("processes in another network are not told, and groups without any neither", async () => {
  const elsewhere = await lab.start(
    lab.groups.add("elsewhere.service"),
    lab.netns.addNetns("elsewhere"),
  );
  const empty = lab.groups.add("empty.service");
  expect(found(`${lab.groups.root}/elsewhere.service`)).toBe(undefined);
  expect(found(empty)).toBe(undefined);
  await elsewhere.end();
});

test("where the guard of a namespace was started is no service of that namespace", async () => {
  const path = lab.groups.add("session.scope");
  const child = await lab.start(path);
  expect(found(path)).toMatchObject({ form: "scope" });
  const [, home = "/"] = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  lab.groups.put(process.pid, path);
  try {
    ahead += 25_000;
    expect(found(path)).toBe(undefined);
  } finally {
    lab.groups.put(process.pid, home);
  }
  await child.end();
  lab.groups.remove(path);
});

test("what a workload says of itself changes nothing: title, environment, groups inside its own", async () => {
  const before = await until("the inspection", () => {
    const seen = found(`${lab.groups.root}/web.service`);
    return seen?.capabilities === undefined ? false : seen;
  });
  await web.tell("title sshd:/usr/sbin/sshd");
  lab.groups.add("web.service/docker-0.scope");
  const after = found(`${lab.groups.root}/web.service`);
  expect(after).toEqual(before);
});

test("a container of the runtime's is told by its name, image and labels; without it, by its group", async () => {
  const id = "ab".repeat(32);
  const path = lab.groups.add(`docker-${id}.scope`);
  const child = await lab.start(path);
  expect(found(path)).toBe(undefined);
  scout.containers([
    { id, name: "web", image: "nginx:1", labels: { app: "web" }, pid: child.pid, created: 1 },
  ]);
  expect(found(path)).toMatchObject({
    form: "container",
    container: "web",
    image: "nginx:1",
    containerLabels: { app: "web" },
  });
  // Somebody else has made a group of that name.
  scout.containers([{ id, name: "web", image: "", labels: {}, pid: web.pid, created: 1 }]);
  ahead += 5_000;
  expect(found(path)?.container).toBe(undefined);
  scout.containers([]);
  expect(found(path)).toMatchObject({ form: "container", unit: `docker-${id}.scope` });
  await child.end();
});

test("containers are told apart wherever their runtime puts them", async () => {
  const id = "cd".repeat(32);
  const folder = lab.groups.add("elsewhere");
  const child = await lab.start(lab.groups.add(`elsewhere/${id}`));
  expect(found(folder)).toBe(undefined);
  ahead += 5_000;
  expect(found(`${folder}/${id}`)).toMatchObject({ form: "container" });
  const service = await lab.start(lab.groups.add(`divided.service/${id}`));
  // Longer than a tree is believed.
  ahead += 25_000;
  expect(found(`${lab.groups.root}/divided.service`)).toMatchObject({ form: "service" });
  await service.end();
  await child.end();
});

test("sockets that another group made are told with their maker, and how they came", async () => {
  const manager = lab.groups.add("manager.scope");
  const activated = lab.groups.add("activated.service");
  const wanderer = lab.groups.add("wanderer.service");
  const daemon = await lab.start(manager);
  await daemon.tell("listen 9001 127.0.0.1");
  lab.groups.put(daemon.pid, activated);
  const moved = await lab.start(`${lab.groups.root}/web.service`);
  await moved.tell("listen 9002 127.0.0.1");
  lab.groups.put(moved.pid, wanderer);
  // Whoever probes in the name of others holds their sockets, and is nobody that this could be said of.
  const probing = lab.groups.add("probing.service");
  const prober = await lab.start(`${lab.groups.root}/web.service`);
  await prober.tell("listen 9003 127.0.0.1");
  lab.groups.put(prober.pid, probing);
  scout.stop();
  scout = scoutIn(lab.path, manager, prober.pid);
  const borrowed = await until("the inspection", () => {
    const pair = [found(activated)?.borrowed, found(wanderer)?.borrowed];
    return pair.every((one) => one !== undefined) && pair;
  });
  expect(borrowed).toEqual([
    [{ maker: manager, how: "activated", ports: [{ protocol: TCP, port: 9001 }] }],
    [
      {
        maker: `${lab.groups.root}/web.service`,
        how: "moved",
        ports: [{ protocol: TCP, port: 9002 }],
      },
    ],
  ]);
  expect(found(`${lab.groups.root}/web.service`)?.borrowed).toBe(undefined);
  expect(found(probing)?.borrowed).toBe(undefined);
  // While it makes one it is in a group below the unit's, and the unit runs no more for that.
  const asleep = lab.groups.add("asleep.service");
  lab.groups.put(prober.pid, lab.groups.add("asleep.service/bulkhead-probe"));
  ahead += 25_000;
  expect(found(asleep)).toBe(undefined);
  // Nor does anybody else hide there.
  lab.groups.put(moved.pid, lab.groups.add("asleep.service/bulkhead-probe/behind"));
  ahead += 25_000;
  expect(found(asleep)).toMatchObject({ form: "service" });
  await prober.end();
  await moved.end();
  await daemon.end();
});

test("systemd makes the sockets of a socket unit in that unit's group, where nobody is, and it is the one that is judged", async () => {
  const socket = lab.groups.add("activated.socket");
  const service = lab.groups.add("by-socket.service");
  const child = await lab.start(socket);
  await child.tell("listen 9020 127.0.0.1");
  lab.groups.put(child.pid, service);
  // Longer than a tree is believed.
  ahead += 25_000;
  const sockets = [{ address: "127.0.0.1", family: 4, protocol: TCP, port: 9020 }];
  expect(found(socket)).toMatchObject({ form: "group", unit: "activated.socket", sockets });
  expect(found(service)?.sockets).toEqual([]);
  const borrowed = await until("the inspection", () => {
    ahead += 6_000;
    return found(service)?.borrowed;
  });
  expect(borrowed).toEqual([
    { maker: socket, how: "activated", ports: [{ protocol: TCP, port: 9020 }] },
  ]);
  await child.end();
});

test("a group whose name no rule can hold is left out, and that is said", async () => {
  const odd = lab.groups.add('we"ird.service');
  const child = await lab.start(odd);
  ahead += 25_000;
  expect(found(odd)).toBe(undefined);
  expect(scout.look().processesProblem).toBe("1 of them have names that no rule can hold");
  expect(found(`${lab.groups.root}/web.service`)).not.toBe(undefined);
  await child.end();
});

test("whoever makes groups without end in its own crowds out nobody", () => {
  // In memory: thousands of folders.
  const folder = mkdtempSync("/dev/shm/bhc-");
  try {
    const at = (...parts: string[]) => join(folder, ...parts);
    const group = (path: string, pid: string) => {
      mkdirSync(at("groups", path), { recursive: true });
      if (pid !== "") writeFileSync(at("groups", path, "cgroup.procs"), pid);
    };
    writeFileSync(at("netns"), "");
    // The machine's first process is in this network, too: who looks is at home here, whatever its own number.
    for (const pid of ["1", "7"]) {
      mkdirSync(at("proc", pid, "ns"), { recursive: true });
      symlinkSync(`net:[${statSync(at("netns")).ino}]`, at("proc", pid, "ns", "net"));
    }
    // Wide, and deep: whichever way it is read, there is no end.
    for (let one = 0; one < 1500; one += 1) group(`a.slice/wide.service/${one}`, "");
    for (let one = 0; one < 1500; one += 1) group(`a.slice/both.service/${one >> 6}/${one}`, "");
    // Most of its processes are nobody's here.
    const elsewhere = [process.pid, ...Array.from({ length: 500 }, (_, one) => 1000 + one)]
      .map((pid) => `${pid}\n`)
      .join("");
    group("a.slice/quiet.service", `${elsewhere}7\n`);
    group("b.slice/web.service/one", "7");
    const tree = readCgroupTree(at("groups"), at("netns"), at("proc"));
    expect(tree.units.map(({ unit }) => unit)).toEqual([
      "both.service",
      "quiet.service",
      "wide.service",
      "web.service",
    ]);
    expect(tree.paths.size).toBeLessThan(2500);
    expect(tree.cutShort).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("whoever waits at addresses without end is told of at some of them", async () => {
  const many = lab.groups.add("many.service");
  const child = await lab.start(many);
  for (let one = 1; one <= 70; one += 1) await child.tell(`listen 9100 127.9.0.${one}`);
  await child.tell("listen 9101 0.0.0.0");
  ahead += 25_000;
  const sockets = found(many)?.sockets ?? [];
  expect(new Set(sockets.map(({ address }) => address)).size).toBe(64 + 1);
  expect(sockets.at(-1)).toEqual({ family: 4, protocol: TCP, port: 9101 });
  await child.end();
});

test("a connection that was accepted at the maker's socket is told apart from one that moved", async () => {
  const session = lab.groups.add("session.scope");
  const server = await lab.start(lab.groups.add("daemon.service"));
  await server.tell("listen 9010 127.0.0.1");
  const handler = await lab.start(`${lab.groups.root}/daemon.service`);
  await handler.tell("connect 9010");
  lab.groups.put(handler.pid, session);
  const how = await until("the inspection", () => {
    ahead += 6_000;
    return found(session)?.borrowed;
  });
  // It opened the connection itself, before it moved.
  expect(how).toMatchObject([{ how: "moved", ports: [] }]);
  lab.groups.put(server.pid, session);
  lab.groups.put(handler.pid, `${lab.groups.root}/daemon.service`);
  const accepted = await until("the next inspection", () => {
    ahead += 6_000;
    const told = found(session)?.borrowed ?? [];
    return told.some((one) => one.how === "accepted") && told;
  });
  expect(accepted).toEqual([
    { maker: `${lab.groups.root}/daemon.service`, how: "accepted", ports: [] },
    {
      maker: `${lab.groups.root}/daemon.service`,
      how: "moved",
      ports: [{ protocol: TCP, port: 9010 }],
    },
  ]);
  await handler.end();
  await server.end();
});

test("capabilities that reach past policy are listed, of whoever has them", async () => {
  const plain = await lab.start(lab.groups.add("plain.service"));
  await plain.tell("uid 65534");
  const listed = await until("the inspection", () => {
    ahead += 6_000;
    return found(`${lab.groups.root}/web.service`)?.capabilities;
  });
  expect(listed).toContain("CAP_NET_RAW");
  expect(found(`${lab.groups.root}/plain.service`)?.capabilities).toBe(undefined);
  await plain.end();
});

test("what runs is told to who asks: processes, users, and where the file is from", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bhc-"));
  try {
    const real = "/usr/bin/sleep";
    const copy = join(folder, "sshd");
    copyFileSync(real, copy);
    chmodSync(copy, 0o755);
    const executables = createExecutables({ pauseMs: 0 });
    const facts = (pid: number) =>
      factsOf(
        { cgroup: "/a", form: "service", unit: "a", numbers: [], pids: [pid] },
        (uid) => (uid === 0 ? "root" : undefined),
        executables,
      );
    const [genuine, forged] = [real, copy].map((file) =>
      lab.netns.start(lab.netns.router, file, "1000"),
    );
    // nsenter becomes the program.
    const name = async (pid: number, wanted: string) =>
      until(`${wanted} runs`, () => facts(pid).processes[0]?.name === wanted);
    await name(genuine!.pid!, "sleep");
    await name(forged!.pid!, "sshd");
    await executables.settled();
    const digest = `sha256:${createHash("sha256").update(readFileSync(real)).digest("hex")}`;
    expect(facts(genuine!.pid!)).toMatchObject({
      count: 1,
      processes: [{ pid: genuine!.pid, name: "sleep", user: "root" }],
      users: ["root"],
      executable: { path: real, digest, package: "coreutils" },
    });
    const { executable } = facts(forged!.pid!);
    expect(executable).toMatchObject({ path: copy, digest });
    expect(executable?.package).toBe(undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a machine without the hierarchy of version 2 says so", () => {
  const nowhere = createUnitScout({
    now: () => 0,
    changed: () => undefined,
    onProblem: () => undefined,
    mount: null,
  });
  expect(nowhere.look()).toEqual({
    processes: [],
    processesProblem: "no control groups of version 2 are mounted",
  });
});

test("what comes and goes is heard in slices, not inside units", () => {
  const tree = readCgroupTree(lab.groups.mount, lab.path);
  expect(tree.folders).toContain(lab.groups.root);
  expect(tree.folders).not.toContain(`${lab.groups.root}/web.service`);
});

test("what a process is called, and the file that it runs, speak to nobody's terminal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bhc-"));
  try {
    const file = join(folder, "a\u001b[2Jb");
    copyFileSync("/usr/bin/sleep", file);
    chmodSync(file, 0o755);
    const executables = createExecutables();
    const child = lab.netns.start(lab.netns.router, file, "1000");
    const unit = { cgroup: "/a", form: "service", unit: "a", numbers: [] } as const;
    const facts = await until("it runs", () => {
      const seen = factsOf({ ...unit, pids: [child.pid!] }, () => "root", executables);
      return seen.processes[0]?.name.startsWith("a") === true && seen;
    });
    expect(facts.processes[0]?.name).toBe("a?[2Jb");
    expect(facts.executable?.path).toBe(join(folder, "a?[2Jb"));
    executables.stop();
    child.kill("SIGKILL");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a unit that comes or goes is told at once, without anybody looking", async () => {
  const heard: string[][] = [];
  const watching = createUnitScout({
    now: Date.now,
    changed: () => heard.push(watching.look().processes.map(({ cgroup }) => cgroup)),
    onProblem: (problem) => expect.unreachable(problem),
    netns: lab.path,
  });
  try {
    watching.look();
    const path = `${lab.groups.root}/new.slice/late.service`;
    const late = await lab.start(lab.groups.add("new.slice/late.service"));
    await until("the new unit", () => heard.some((paths) => paths.includes(path)));
    await late.end();
    lab.groups.remove(path);
    await until("its end", () => heard.at(-1)?.includes(path) === false);
    const again = await lab.start(lab.groups.add("new.slice/late.service"));
    await until("the same again", () => heard.at(-1)?.includes(path) === true);
    // As in a restart of a service: another group of the same name, and its process a while later.
    lab.groups.remove(path);
    lab.groups.add("new.slice/late.service");
    await until("the empty group", () => heard.at(-1)?.includes(path) === false);
    lab.groups.put(again.pid, path);
    await until("its process", () => heard.at(-1)?.includes(path) === true);
    await again.end();
  } finally {
    watching.stop();
  }
});

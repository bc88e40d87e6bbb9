/**
 * A namespace and a control group of their own; the test program that refuses ports, links for it, and sockets that try what is
 * refused. What is opened for one test ends with that test.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  attach,
  loadObject,
  perCpuValues,
  type BpfLink,
  type BpfObject,
  type LinkSpec,
} from "../../src/bpf/index.ts";
import {
  AF_INET,
  insideNetns,
  isKernelError,
  libc,
  POLLIN,
  SOCK_DGRAM,
} from "../../src/kernel/index.ts";
import { createCgroups, type TestCgroups } from "../cgroups.ts";
import { createNamespaces, netnsPath } from "../namespaces.ts";
import { compileTestObjects } from "./objects.ts";

export const DENIED = 4711;
export const OTHER = 4712;

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** 127.0.0.1 at a port, as `struct sockaddr_in`. */
export const local = (port: number): Buffer => {
  const address = Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  address.writeUInt16BE(port, 2);
  return address;
};

/** Two sockets of datagrams in the namespace. */
export interface Talkers {
  /** `sent`, or the error's name. */
  send(text: string, port?: number): string;
  /** The first that arrived at the other one. */
  received(): string;
}

export interface LinkLab {
  readonly groups: TestCgroups;
  readonly group: string;
  readonly groupFd: number;
  readonly pins: string;
  /** Of the current test. */
  readonly object: BpfObject;
  /** For one test: what it opens is closed by `end`. */
  begin(): void;
  end(): void;
  close(): void;
  deny(port: number): void;
  allow(port: number): void;
  /** How many packets the program at that place was asked about. */
  seen(place: number): bigint;
  run(...command: readonly string[]): string;
  load(ruleset: string): void;
  inside<T>(work: () => T): T;
  /** With this process a member of the group. */
  inGroup<T>(work: () => T): T;
  link(program: string, spec: LinkSpec): BpfLink;
  /** No longer closed by `end`. */
  forget(link: BpfLink): BpfLink;
  kept<T extends { close(): void }>(one: T): T;
  talkers(at?: number): Talkers;
  /** Changes 500 times what denies, while somebody in the group and the namespace sends without a pause: how much passed. */
  flooded(change: (swap: number) => void): Promise<number>;
}

export function createLinkLab(): LinkLab {
  const objects = compileTestObjects("verdict");
  const namespaces = createNamespaces("bhb");
  const name = namespaces.add("one");
  const groups = createCgroups("bhb");
  const group = groups.add("one");
  const groupFd = openSync(join(groups.mount, group), "r");
  const home = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  const open: { close(): void }[] = [];
  let object: BpfObject | null = null;
  const current = (): BpfObject => {
    if (object === null) throw new Error("no test has begun");
    return object;
  };
  const kept: LinkLab["kept"] = (one) => {
    open.push(one);
    return one;
  };
  const inside = <T>(work: () => T): T => insideNetns(netnsPath(name), work);
  const deny = (port: number): void => current().map("denied").update(u32(port), u32(1));

  function talkers(at = DENIED): Talkers {
    const [from, to] = inside(() => [
      libc().socket(AF_INET, SOCK_DGRAM, 0),
      libc().socket(AF_INET, SOCK_DGRAM, 0),
    ]);
    libc().bind(to, local(at));
    kept({ close: () => [from, to].forEach((fd) => libc().close(fd)) });
    return {
      send(text, port = DENIED) {
        try {
          libc().sendto(from, Buffer.from(text), 0, local(port));
          return "sent";
        } catch (error) {
          if (isKernelError(error)) return error.code;
          throw error;
        }
      },
      received() {
        if (libc().poll([{ fd: to, events: POLLIN, revents: 0 }], 30_000) === 0) return "nothing";
        const room = Buffer.alloc(100);
        return room.toString("utf8", 0, libc().recvfrom(to, room, 0) ?? 0);
      },
    };
  }

  return {
    groups,
    group,
    groupFd,
    pins: objects.pins,
    get object() {
      return current();
    },
    begin() {
      object = loadObject({ file: objects.path("verdict") });
    },
    end() {
      for (const one of open.splice(0)) one.close();
      object?.close();
      object = null;
    },
    close() {
      closeSync(groupFd);
      groups.close();
      namespaces.close();
      objects.close();
    },
    deny,
    allow: (port) => void current().map("denied").delete(u32(port)),
    seen(place) {
      const map = current().map("seen");
      return perCpuValues(map, map.lookup(u32(place)) ?? Buffer.alloc(0)).reduce(
        (sum, each) => sum + each.readBigUInt64LE(),
        0n,
      );
    },
    run: (...command) => namespaces.run(name, command),
    load: (ruleset) => void namespaces.run(name, ["nft", "-f", "-"], ruleset),
    inside,
    inGroup(work) {
      groups.put(process.pid, group);
      try {
        return work();
      } finally {
        groups.put(process.pid, home);
      }
    },
    link: (program, spec) => kept(inside(() => attach(current().program(program), spec))),
    forget(link) {
      open.splice(open.indexOf(link), 1);
      return link;
    },
    kept,
    talkers,
    async flooded(change) {
      deny(DENIED);
      const child = spawn("nsenter", [
        `--net=${netnsPath(name)}`,
        "sh",
        "-c",
        `echo $$ > ${join(groups.mount, group)}/cgroup.procs; exec python3 -c "$1"`,
        "sh",
        FLOOD,
      ]);
      kept({ close: () => child.kill("SIGKILL") });
      const lines = createInterface(child.stdout);
      const said: string[] = [];
      lines.on("line", (line) => said.push(line));
      while (!said.includes("flood")) await once(lines, "line");
      for (let swap = 0; swap < 500; swap++) change(swap);
      child.stdin.end("stop\n");
      await once(lines, "close");
      const [passed, denied = 0] = (said.at(-1) ?? "").split(" ").map(Number);
      if (passed === undefined || denied < 2000) throw new Error(`no flood: ${said.join()}`);
      return passed;
    },
  };
}

/** Sends until it is told to stop, and says how many datagrams passed and how many were denied. */
const FLOOD = `
import socket, sys, select
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
passed = denied = 0
while not (denied % 64 == 0 and select.select([sys.stdin], [], [], 0)[0]):
    try:
        s.sendto(b"x", ("127.0.0.1", ${DENIED}))
        passed += 1
    except PermissionError:
        denied += 1
    if denied == 2000: print("flood", flush=True)
print(passed, denied, flush=True)
`;

/**
 * Throw-away network namespaces for tests: one router and any number of ends behind it, each on a network of its own in both
 * families. Names carry a random part, so that tests may run beside each other; `close` removes everything.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";

export interface LabEnd {
  readonly netns: string;
  readonly path: string;
  /** The router's side of the veth pair. */
  readonly interface: string;
  readonly v4: string;
  readonly v6: string;
  /** The router's addresses on this network. */
  readonly gateway4: string;
  readonly gateway6: string;
}

export interface NetnsLab {
  readonly prefix: string;
  readonly router: string;
  readonly routerPath: string;
  /** A bare namespace, removed with the rest. */
  addNetns(name: string): string;
  /** A namespace with a link to the router, addresses and a default route. */
  addEnd(name: string): LabEnd;
  run(netns: string, ...command: string[]): string;
  start(netns: string, ...command: string[]): ChildProcess;
  /** Starts a TypeScript program text with this Node. */
  node(netns: string, program: string, ...args: string[]): ChildProcess;
  load(netns: string, ruleset: string): void;
  close(): void;
}

export function createLab(): NetnsLab {
  const prefix = `bhc-${randomBytes(3).toString("hex")}`;
  const made: string[] = [];
  const children: ChildProcess[] = [];
  let ends = 0;

  const addNetns = (name: string): string => {
    const netns = `${prefix}-${name}`;
    execFileSync("ip", ["netns", "add", netns]);
    made.push(netns);
    // Addresses are ours alone: no need to wait a second for a duplicate to speak up.
    run(
      netns,
      "sysctl",
      "-qw",
      "net.ipv6.conf.all.accept_dad=0",
      "net.ipv6.conf.default.accept_dad=0",
    );
    run(netns, "ip", "link", "set", "lo", "up");
    return netns;
  };
  const run = (netns: string, ...command: string[]): string =>
    execFileSync("nsenter", [`--net=/run/netns/${netns}`, ...command], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const start = (netns: string, ...command: string[]): ChildProcess => {
    const child = spawn("nsenter", [`--net=/run/netns/${netns}`, ...command], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    return child;
  };

  const router = addNetns("r");
  run(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");

  return {
    prefix,
    router,
    routerPath: `/run/netns/${router}`,
    addNetns,
    addEnd(name) {
      const netns = addNetns(name);
      const number = ++ends;
      const link = `v${number}`;
      const end: LabEnd = {
        netns,
        path: `/run/netns/${netns}`,
        interface: link,
        v4: `10.77.${number}.2`,
        v6: `fd77:${number}::2`,
        gateway4: `10.77.${number}.1`,
        gateway6: `fd77:${number}::1`,
      };
      execFileSync("ip", [
        "link",
        "add",
        link,
        "netns",
        router,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        netns,
      ]);
      for (const [where, device, v4, v6] of [
        [router, link, end.gateway4, end.gateway6],
        [netns, "eth0", end.v4, end.v6],
      ] as const) {
        run(where, "ip", "address", "add", `${v4}/24`, "dev", device);
        run(where, "ip", "address", "add", `${v6}/64`, "dev", device, "nodad");
        run(where, "ip", "link", "set", device, "up");
      }
      run(netns, "ip", "route", "add", "default", "via", end.gateway4);
      run(netns, "ip", "-6", "route", "add", "default", "via", end.gateway6);
      return end;
    },
    run,
    start,
    node: (netns, program, ...args) =>
      start(
        netns,
        process.execPath,
        "--input-type=module-typescript",
        "-e",
        program,
        "--",
        ...args,
      ),
    load(netns, ruleset) {
      execFileSync("nsenter", [`--net=/run/netns/${netns}`, "nft", "-f", "-"], {
        input: ruleset,
        stdio: ["pipe", "pipe", "pipe"],
      });
    },
    close() {
      for (const child of children) child.kill("SIGKILL");
      for (const netns of made) execFileSync("ip", ["netns", "delete", netns]);
    },
  };
}

/** Polls until `ready` gives something; fails with what was awaited. */
export async function until<T>(
  what: string,
  ready: () => T | undefined | false,
  limitMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = ready();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

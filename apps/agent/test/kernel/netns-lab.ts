/** A lab for tests: one router and any number of ends behind it, each on a network of its own in both families. */
import type { ChildProcess } from "node:child_process";
import { createNamespaces, netnsPath, type VethEnd } from "../namespaces.ts";

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
  /** A link to the router without addresses, from a namespace or a process in one; both ends are still down. */
  link(device: string, to: VethEnd): void;
  run(netns: string, ...command: string[]): string;
  start(netns: string, ...command: string[]): ChildProcess;
  /** Starts a TypeScript program text with this Node. */
  node(netns: string, program: string, ...args: string[]): ChildProcess;
  load(netns: string, ruleset: string): void;
  close(): void;
}

export function createLab(): NetnsLab {
  const namespaces = createNamespaces("bhc");
  const addNetns = (name: string): string => namespaces.add(name);
  const run = (netns: string, ...command: string[]): string => namespaces.run(netns, command);
  const start = (netns: string, ...command: string[]): ChildProcess => {
    const child = namespaces.start(netns, command);
    child.stderr.on("data", (text: Buffer) => process.stderr.write(text));
    return child;
  };
  let ends = 0;
  const router = addNetns("r");
  const link = (device: string, to: VethEnd): void =>
    namespaces.veth({ netns: router, device }, to);
  run(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");

  return {
    prefix: namespaces.prefix,
    router,
    routerPath: netnsPath(router),
    addNetns,
    addEnd(name) {
      const netns = addNetns(name);
      const number = ++ends;
      const end: LabEnd = {
        netns,
        path: netnsPath(netns),
        interface: `v${number}`,
        v4: `10.77.${number}.2`,
        v6: `fd77:${number}::2`,
        gateway4: `10.77.${number}.1`,
        gateway6: `fd77:${number}::1`,
      };
      link(end.interface, { netns, device: "eth0" });
      for (const [where, device, v4, v6] of [
        [router, end.interface, end.gateway4, end.gateway6],
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
    link,
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
    load: (netns, ruleset) => void namespaces.run(netns, ["nft", "-f", "-"], ruleset),
    close: () => namespaces.close(),
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

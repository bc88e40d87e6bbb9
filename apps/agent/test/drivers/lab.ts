/**
 * A small network to test drivers on: one "host" namespace with a bridge, and workloads on the bridge or on a routed
 * link of their own. Everything is created under a random name and removed by `close`.
 */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";

export interface LabWorkload {
  readonly name: string;
  readonly netns: string;
  readonly path: string;
  /** Interface on the host's side. */
  readonly interface: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
}

export interface Lab {
  readonly host: string;
  readonly hostPath: string;
  readonly hostAddresses: readonly string[];
  readonly workloads: Readonly<Record<string, LabWorkload>>;
  /** Runs a command in a namespace and returns its output; throws when it fails. */
  run(netns: string, command: readonly string[], input?: string): string;
  start(netns: string, command: readonly string[]): ChildProcessWithoutNullStreams;
  close(): void;
}

const exec = (command: string, args: readonly string[], input?: string): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });

/** `bridged` workloads share 10.86.0.0/24 and fd86::/64; `routed` ones have a link each. */
export const createLab = (bridged: readonly string[], routed: readonly string[] = []): Lab => {
  const id = randomBytes(3).toString("hex");
  const host = `bhn-${id}-host`;
  const path = (netns: string): string => `/run/netns/${netns}`;
  const names: string[] = [];
  const children: ChildProcessWithoutNullStreams[] = [];
  const run: Lab["run"] = (netns, [command = "", ...args], input) =>
    exec("nsenter", [`--net=${path(netns)}`, command, ...args], input);
  const close = (): void => {
    for (const child of children) child.kill("SIGKILL");
    for (const name of names.splice(0).toReversed()) exec("ip", ["netns", "del", name]);
    process.off("exit", close);
  };
  // Also when the process ends early, on Ctrl-C for one.
  process.on("exit", close);
  const addNamespace = (name: string): void => {
    exec("ip", ["netns", "add", name]);
    names.push(name);
    // Addresses are usable at once, and refusals are not thinned out: tests ask many things in one second.
    run(name, [
      "sysctl",
      "-qw",
      "net.ipv6.conf.default.accept_dad=0",
      "net.ipv6.conf.all.accept_dad=0",
      "net.ipv6.conf.default.router_solicitations=0",
      "net.ipv4.icmp_ratelimit=0",
      "net.ipv4.icmp_msgs_per_sec=100000",
      "net.ipv4.icmp_msgs_burst=100000",
      "net.ipv6.icmp.ratelimit=0",
    ]);
  };
  const workloads: Record<string, LabWorkload> = {};
  const hostAddresses = ["10.86.0.1", "fd86::1"];
  try {
    addNamespace(host);
    run(
      host,
      ["ip", "-batch", "-"],
      [
        "link set lo up",
        "link add br0 type bridge",
        "link set br0 address 02:86:00:00:00:01 up",
        "addr add 10.86.0.1/24 dev br0",
        "addr add fd86::1/64 dev br0 nodad",
      ].join("\n"),
    );
    run(host, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    const add = (name: string, index: number, onBridge: boolean): void => {
      const netns = `bhn-${id}-${name}`;
      addNamespace(netns);
      const net = onBridge ? 0 : index;
      const last = onBridge ? index : 2;
      const mac = `02:86:00:00:${net.toString(16).padStart(2, "0")}:${last.toString(16).padStart(2, "0")}`;
      const v6net = net === 0 ? "fd86:" : `fd86:0:0:${net}:`;
      const link = `v-${name}`;
      run(
        host,
        ["ip", "-batch", "-"],
        [
          `link add ${link} type veth peer name eth0 netns ${netns} address ${mac}`,
          ...(onBridge
            ? [`link set ${link} master br0 up`]
            : [
                `link set ${link} up`,
                `addr add 10.86.${net}.1/24 dev ${link}`,
                `addr add ${v6net}:1/64 dev ${link} nodad`,
              ]),
        ].join("\n"),
      );
      if (!onBridge) hostAddresses.push(`10.86.${net}.1`, `${v6net}:1`);
      const v4 = `10.86.${net}.${last}`;
      const v6 = `${v6net}:${last}`;
      run(
        netns,
        ["ip", "-batch", "-"],
        [
          "link set lo up",
          "link set eth0 up",
          `addr add ${v4}/24 dev eth0`,
          `addr add ${v6}/64 dev eth0 nodad`,
          `route add default via 10.86.${net}.1`,
          `route add default via ${v6net}:1`,
        ].join("\n"),
      );
      const ifindex = Number(/^\d+/.exec(run(host, ["ip", "-o", "link", "show", link]))?.[0]);
      workloads[name] = { name, netns, path: path(netns), interface: link, ifindex, mac, v4, v6 };
    };
    bridged.forEach((name, index) => add(name, index + 2, true));
    routed.forEach((name, index) => add(name, index + 100, false));
  } catch (error) {
    close();
    throw error;
  }
  return {
    host,
    hostPath: path(host),
    hostAddresses,
    workloads,
    run,
    start: (netns, [command = "", ...args]) => {
      const child = spawn("nsenter", [`--net=${path(netns)}`, command, ...args]);
      children.push(child);
      return child;
    },
    close,
  };
};

/**
 * A small network to test drivers on: one "host" namespace with a bridge, and workloads on the bridge or on a routed
 * link of their own.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createNamespaces, netnsPath } from "../namespaces.ts";

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
  /** Throws when there is none of that name. */
  workload(name: string): LabWorkload;
  /** Runs a command in a namespace and returns its output; throws when it fails. */
  run(netns: string, command: readonly string[], input?: string): string;
  start(netns: string, command: readonly string[]): ChildProcessWithoutNullStreams;
  close(): void;
}

/** Refusals are not thinned out: tests ask many things in one second. */
const SETTINGS = [
  "net.ipv6.conf.default.router_solicitations=0",
  "net.ipv4.icmp_ratelimit=0",
  "net.ipv4.icmp_msgs_per_sec=100000",
  "net.ipv4.icmp_msgs_burst=100000",
  "net.ipv6.icmp.ratelimit=0",
];

/** `bridged` workloads share 10.86.0.0/24 and fd86::/64; `routed` ones have a link each. */
export const createLab = (bridged: readonly string[], routed: readonly string[] = []): Lab => {
  const namespaces = createNamespaces("bhn");
  const { run, start, close } = namespaces;
  const workloads: Record<string, LabWorkload> = {};
  const hostAddresses = ["10.86.0.1", "fd86::1"];
  const host = namespaces.add("host", SETTINGS);
  try {
    run(
      host,
      ["ip", "-batch", "-"],
      [
        "link add br0 type bridge",
        "link set br0 address 02:86:00:00:00:01 up",
        "addr add 10.86.0.1/24 dev br0",
        "addr add fd86::1/64 dev br0 nodad",
      ].join("\n"),
    );
    run(host, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    const add = (name: string, index: number, onBridge: boolean): void => {
      const netns = namespaces.add(name, SETTINGS);
      const net = onBridge ? 0 : index;
      const last = onBridge ? index : 2;
      const mac = `02:86:00:00:${net.toString(16).padStart(2, "0")}:${last.toString(16).padStart(2, "0")}`;
      const v6net = net === 0 ? "fd86:" : `fd86:0:0:${net}:`;
      const link = `v-${name}`;
      namespaces.veth({ netns: host, device: link }, { netns, device: "eth0", mac });
      run(
        host,
        ["ip", "-batch", "-"],
        (onBridge
          ? [`link set ${link} master br0 up`]
          : [
              `link set ${link} up`,
              `addr add 10.86.${net}.1/24 dev ${link}`,
              `addr add ${v6net}:1/64 dev ${link} nodad`,
            ]
        ).join("\n"),
      );
      if (!onBridge) hostAddresses.push(`10.86.${net}.1`, `${v6net}:1`);
      const v4 = `10.86.${net}.${last}`;
      const v6 = `${v6net}:${last}`;
      run(
        netns,
        ["ip", "-batch", "-"],
        [
          "link set eth0 up",
          `addr add ${v4}/24 dev eth0`,
          `addr add ${v6}/64 dev eth0 nodad`,
          `route add default via 10.86.${net}.1`,
          `route add default via ${v6net}:1`,
        ].join("\n"),
      );
      const ifindex = Number(/^\d+/.exec(run(host, ["ip", "-o", "link", "show", link]))?.[0]);
      workloads[name] = {
        name,
        netns,
        path: netnsPath(netns),
        interface: link,
        ifindex,
        mac,
        v4,
        v6,
      };
    };
    bridged.forEach((name, index) => add(name, index + 2, true));
    routed.forEach((name, index) => add(name, index + 100, false));
  } catch (error) {
    close();
    throw error;
  }
  const workload = (name: string): LabWorkload => {
    const found = workloads[name];
    if (found === undefined) throw new Error(`no workload ${name}`);
    return found;
  };
  return { host, hostPath: netnsPath(host), hostAddresses, workloads, workload, run, start, close };
};

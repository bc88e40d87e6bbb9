/**
 * A machine in miniature for the self-test: a namespace that plays the host, and three that play workloads. No link leads
 * to the real one. The namespaces have no names: file descriptors of this process hold them, so that they go with it even
 * when it is killed, and nothing is left to clean up.
 *
 *   client ──┐
 *            ├── br0 ── host ── far        (on a kernel without bridge netfilter, near hangs on a link of its own)
 *   near ────┘
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, writeFileSync } from "node:fs";
import type { IpAddress } from "@bulkhead/model";
import { createNetns, insideNetns } from "../kernel/index.ts";

export interface ScratchWorkload {
  readonly name: string;
  readonly netns: string;
  /** On the host's side. */
  readonly interface: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly v4: IpAddress;
  readonly v6: IpAddress;
}

export interface ScratchNetwork {
  /** Path of the namespace that plays the machine. */
  readonly host: string;
  readonly client: ScratchWorkload;
  /** Another workload on the client's bridge. */
  readonly near: ScratchWorkload;
  /** A workload behind a link of its own. */
  readonly far: ScratchWorkload;
  /** An address that the client has and nobody knows of. */
  readonly unlisted: IpAddress;
  readonly bridged: boolean;
  readonly ipv6: boolean;
  close(): void;
}

const FORWARD = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
/** Addresses are usable at once; what the real host says about new namespaces does not count. */
const V6_SETTINGS: readonly (readonly [string, string])[] = [
  ["net/ipv6/conf/all/disable_ipv6", "0"],
  ["net/ipv6/conf/default/disable_ipv6", "0"],
  ["net/ipv6/conf/all/accept_dad", "0"],
  ["net/ipv6/conf/default/accept_dad", "0"],
];

const write = (netns: string, settings: readonly (readonly [string, string])[]): void =>
  insideNetns(netns, () => {
    for (const [name, value] of settings) {
      const path = `/proc/sys/${name}`;
      if (existsSync(path)) writeFileSync(path, value);
    }
  });

/** Runs `ip -batch`; rejects with what it says. */
function ip(netns: string, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${netns}`, "ip", "-batch", "-"], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin.on("error", () => undefined); // it ended early, and says why
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`ip: ${said.trim() || `exit ${code}`}`)),
    );
    child.stdin.end(`${lines.join("\n")}\n`);
  });
}

export async function createScratchNetwork(): Promise<ScratchNetwork> {
  const held: number[] = [];
  const close = (): void => {
    for (const fd of held.splice(0)) closeSync(fd);
  };
  const add = (): string => {
    const fd = createNetns();
    held.push(fd);
    return `/proc/${process.pid}/fd/${fd}`;
  };
  try {
    const host = add();
    const probe = (path: string): boolean => insideNetns(host, () => existsSync(path));
    const bridged = probe("/proc/sys/net/bridge/bridge-nf-call-iptables");
    const ipv6 = probe("/proc/sys/net/ipv6/conf/all/forwarding");
    const workload = (name: string, link: number, last: number): ScratchWorkload => ({
      name,
      netns: add(),
      interface: `bhst-${name}`,
      ifindex: 100 + 10 * link + last,
      mac: `02:b0:00:00:0${link}:0${last}`,
      v4: `198.18.${link}.${last}`,
      v6: `fd00:b0:0:${link}::${last}`,
    });
    const client = workload("client", 1, 2);
    const near = bridged ? workload("near", 1, 3) : workload("near", 2, 2);
    const far = workload("far", 3, 2);
    const unlisted = "198.18.1.9";
    const all = [client, near, far];
    for (const netns of [host, ...all.map((one) => one.netns)])
      write(netns, [...V6_SETTINGS, ...FORWARD.map((name) => [name, "1"] as const)]);

    const onBridge = bridged ? [client, near] : [];
    const gateways = (link: number, device: string): string[] => [
      `addr add 198.18.${link}.1/24 dev ${device}`,
      ...(ipv6 ? [`addr add fd00:b0:0:${link}::1/64 dev ${device} nodad`] : []),
    ];
    await ip(host, [
      "link set lo up",
      ...(bridged ? ["link add br0 type bridge", "link set br0 up", ...gateways(1, "br0")] : []),
      ...all.flatMap((one) => [
        `link add ${one.interface} index ${one.ifindex} type veth peer name eth0 netns ${one.netns} address ${one.mac}`,
        ...(onBridge.includes(one) ? [`link set ${one.interface} master br0`] : []),
        `link set ${one.interface} up`,
        ...(onBridge.includes(one) ? [] : gateways(linkOf(one), one.interface)),
      ]),
    ]);
    await Promise.all(
      all.map((one) =>
        ip(one.netns, [
          "link set lo up",
          "link set eth0 up",
          `addr add ${one.v4}/24 dev eth0`,
          `route add default via 198.18.${linkOf(one)}.1`,
          ...(one === client ? [`addr add ${unlisted}/24 dev eth0`] : []),
          ...(ipv6
            ? [
                `addr add ${one.v6}/64 dev eth0 nodad`,
                `route add default via fd00:b0:0:${linkOf(one)}::1`,
              ]
            : []),
        ]),
      ),
    );
    return { host, client, near, far, unlisted, bridged, ipv6, close };
  } catch (error) {
    close();
    throw error;
  }
}

const linkOf = ({ v4 }: ScratchWorkload): number => Number(v4.split(".")[2]);

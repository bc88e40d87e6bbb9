/**
 * What Bulkhead rests on, looked at on this machine: read from files and from tools, nothing is changed. Each check says
 * whether it works, what was found, and what to do. Necessary ones must work for `up` to make sense here.
 */
import { readFileSync, existsSync } from "node:fs";
import { arch, release } from "node:os";
import { join } from "node:path";

export interface Check {
  readonly name: string;
  /** `off`: not in use, and nothing rests on it. */
  readonly state: "works" | "off" | "fails";
  readonly detail: string;
  readonly help?: string;
  /** Without it Bulkhead cannot run here. */
  readonly necessary: boolean;
}

/** What checks see of the machine. */
export interface Machine {
  readonly platform: string;
  readonly root: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Trimmed; undefined when there is no such file. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  /** Output of a command; undefined when it cannot be run or fails. */
  run(program: string, ...args: readonly string[]): Promise<string | undefined>;
}

type Found = Omit<Check, "name" | "necessary">;

const works = (detail: string): Found => ({ state: "works", detail });
const off = (detail: string, help?: string): Found => ({ state: "off", detail, ...withHelp(help) });
const fails = (detail: string, help?: string): Found => ({
  state: "fails",
  detail,
  ...withHelp(help),
});
const withHelp = (help?: string) => (help === undefined ? {} : { help });

export function kernel({ platform }: Machine): Found {
  return platform === "linux"
    ? works(`Linux ${release()}, ${arch()}`)
    : fails(
        `this is ${platform}`,
        "the agent needs Linux; verbs that only read files run anywhere",
      );
}

/** capability.h */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

export function privileges({ root, read }: Machine): Found {
  if (!root) return fails("not root", "sudo bulkhead doctor");
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "0";
  const has = (capability: bigint): boolean =>
    ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
  const missing = [
    ...(has(CAP_NET_ADMIN) ? [] : ["CAP_NET_ADMIN"]),
    ...(has(CAP_SYS_ADMIN) ? [] : ["CAP_SYS_ADMIN"]),
  ];
  return missing.length === 0
    ? works("root, with CAP_NET_ADMIN and CAP_SYS_ADMIN")
    : fails(`root without ${missing.join(" and ")}`, "give them to this container or service");
}

/** Debian's packages; other distributions name them alike. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
];

export async function programs({ env, exists, run }: Machine): Promise<Found> {
  const folders = (env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  const missing = PROGRAMS.filter(
    ([program]) => !folders.some((folder) => exists(join(folder, program))),
  );
  if (missing.length > 0) {
    const packages = missing.map(([, name]) => name).join(" ");
    return fails(
      `missing: ${missing.map(([program]) => program).join(", ")}`,
      `apt-get install ${packages}`,
    );
  }
  return works((await run("nft", "--version")) ?? "nftables of unknown version");
}

/** New connections are dropped by the kernel when the table is full; then it is no longer policy that decides. */
const NEARLY_FULL = 0.8;

export function tracking({ read }: Machine): Found {
  const most = Number(read("/proc/sys/net/netfilter/nf_conntrack_max") ?? Number.NaN);
  if (Number.isNaN(most)) return off("connection tracking is not loaded yet; rules load it");
  const now = Number(read("/proc/sys/net/netfilter/nf_conntrack_count") ?? 0);
  const detail = `${now} of ${most} connections tracked`;
  return now < NEARLY_FULL * most
    ? works(detail)
    : fails(
        `${detail}: when it is full, new connections fail`,
        `sysctl -w net.netfilter.nf_conntrack_max=${most * 2}`,
      );
}

export function bridges({ read }: Machine): Found {
  const names = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"];
  const values = names.map((name) => read(`/proc/sys/net/bridge/${name}`));
  if (values.includes(undefined)) {
    return fails(
      "the kernel shows rules nothing of what passes between ports of one bridge",
      "modprobe br_netfilter (needless where no two workloads share a bridge)",
    );
  }
  return works(
    values.every((value) => value === "1")
      ? "on"
      : "there; switched on when a policy is put in force, and back by `bulkhead down`",
  );
}

export async function firewalls({ root, run }: Machine): Promise<Found> {
  if (!root) return off("only root can list them");
  const tables = await run("nft", "list", "tables");
  if (tables === undefined) return fails("`nft list tables` fails", "see the kernel's log");
  const others = tables
    .split("\n")
    .map((line) => line.replace(/^table /, ""))
    .filter((table) => table !== "" && !/ bulkhead(?:_|$)/.test(table));
  return others.length === 0
    ? works("none")
    : works(`${others.join(", ")}: left alone; a packet has to pass all of them`);
}

export async function lockdown({ root, run }: Machine): Promise<Found> {
  if (!root) return off("only root can tell");
  const tables = (await run("nft", "list", "tables")) ?? "";
  return tables.includes(" bulkhead_lockdown")
    ? fails("in force since the boot: the saved policy could not be", "sudo bulkhead up")
    : works("none");
}

const RUNTIMES: readonly (readonly [string, readonly string[]])[] = [
  ["docker", ["/run/docker.sock", "/var/run/docker.sock"]],
  ["podman", ["/run/podman/podman.sock"]],
];

export function runtime({ exists }: Machine): Found {
  const found = RUNTIMES.flatMap(([name, sockets]) => {
    const socket = sockets.find((path) => exists(path));
    return socket === undefined ? [] : [`${name} (${socket})`];
  });
  return found.length === 0
    ? off("no socket of docker or podman: workloads are named by their network namespaces")
    : works(found.join(", "));
}

export function boot({ exists }: Machine): Found {
  if (!exists("/run/systemd/system"))
    return off("systemd does not run here: see README, after a restart");
  return exists("/etc/systemd/system/sysinit.target.wants/bulkhead-boot.service")
    ? works("the last policy is in force before the network comes up")
    : off(
        "nothing is enforced after a restart of the machine until `bulkhead up`",
        "sudo bulkhead boot enable",
      );
}

export const readOn = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined; // no such file here: that is the answer
  }
};

export const existsOn = existsSync;

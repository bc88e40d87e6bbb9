/**
 * What Bulkhead rests on, looked at on this machine: read from files and from tools, nothing is changed. Each check says
 * whether it works, what was found, and what to do. Necessary ones must work for `up` to make sense here.
 */
import { readFileSync, existsSync } from "node:fs";
import { arch, release } from "node:os";
import { join } from "node:path";

export interface Check {
  readonly name: string;
  /** `off`: not in use, and nothing rests on it. `untold`: only root can tell. */
  readonly state: "works" | "off" | "untold" | "fails";
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
const untold = (detail: string, help?: string): Found => ({
  state: "untold",
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
/** What is lost without them. */
const USEFUL: readonly (readonly [bigint, string, string])[] = [
  [13n, "CAP_NET_RAW", "no probes of ICMP"],
  [16n, "CAP_SYS_MODULE", "kernel modules have to be loaded by somebody else"],
  [19n, "CAP_SYS_PTRACE", "processes of other users stay unknown"],
];

export function privileges({ root, read }: Machine): Found {
  if (!root)
    return untold(
      "not root, which `up` and everything that changes policy need; reading needs the group `bulkhead`",
      "sudo bulkhead doctor tries what only root can: the self-test, other firewalls, the lockdown",
    );
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "0";
  const has = (capability: bigint): boolean =>
    ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
  const missing = [
    ...(has(CAP_NET_ADMIN) ? [] : ["CAP_NET_ADMIN"]),
    ...(has(CAP_SYS_ADMIN) ? [] : ["CAP_SYS_ADMIN"]),
  ];
  if (missing.length > 0)
    return fails(`root without ${missing.join(" and ")}`, "give them to this container or service");
  const lost = USEFUL.filter(([capability]) => !has(capability));
  return {
    ...works("root, with CAP_NET_ADMIN and CAP_SYS_ADMIN"),
    ...withHelp(
      lost.length === 0
        ? undefined
        : lost.map(([, name, without]) => `without ${name}: ${without}`).join("; "),
    ),
  };
}

/** Debian's packages; other distributions name them alike. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
];

/** Where root finds what others do not. */
const OF_ROOT = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

export async function programs({ env, exists, run, root }: Machine): Promise<Found> {
  const path = (env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  const folders = root ? path : [...path, ...OF_ROOT];
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

export function tracking(machine: Machine): Found {
  const { read } = machine;
  const most = Number(read("/proc/sys/net/netfilter/nf_conntrack_max") ?? Number.NaN);
  if (Number.isNaN(most)) return off("connection tracking is not loaded yet; rules load it");
  const now = Number(read("/proc/sys/net/netfilter/nf_conntrack_count") ?? 0);
  const table = `${now} of ${most} connections tracked`;
  if (now >= NEARLY_FULL * most)
    return fails(
      `${table}: when it is full, new connections fail`,
      `sysctl -w net.netfilter.nf_conntrack_max=${most * 2}`,
    );
  const counted = ["acct", "timestamp", "events"].every(
    (name) => read(`/proc/sys/net/netfilter/nf_conntrack_${name}`) === "1",
  );
  if (counted) return works(`${table}; bytes, times and ends are counted`);
  const settings = mountOf("/proc/sys/net/netfilter", mountsOf(machine));
  return settings?.readOnly === true
    ? fails(
        `${table}; bytes, times and ends are not counted, and ${settings.point} is read-only`,
        "sysctl -w net.netfilter.nf_conntrack_acct=1 (and _timestamp, _events), where that is allowed",
      )
    : works(`${table}; bytes, times and ends are counted while Bulkhead runs`);
}

interface Mount {
  readonly point: string;
  readonly type: string;
  /** What was mounted, or what it was called by whoever did. */
  readonly source: string;
  readonly readOnly: boolean;
}

/** proc(5), /proc/PID/mountinfo. */
function mountsOf({ read }: Machine): readonly Mount[] {
  return (read("/proc/self/mountinfo") ?? "").split("\n").map((line) => {
    const [front = "", back = ""] = line.split(" - ");
    const [, , , , point = "", options = ""] = front.split(" ");
    const [type = "", source = ""] = back.split(" ");
    return { point, type, source, readOnly: options.split(",").includes("ro") };
  });
}

/** The one that a path is on: the innermost, and of several on one point the last. */
const mountOf = (path: string, mounts: readonly Mount[]): Mount | undefined =>
  mounts
    .filter(({ point }) => point !== "" && (path === point || path.startsWith(`${point}/`)))
    .reduce<Mount | undefined>(
      (inner, one) => (inner === undefined || one.point.length >= inner.point.length ? one : inner),
      undefined,
    );

/** Services of the machine itself have no address of their own: the kernel tells them apart by control groups, version 2. */
export function controlGroups(machine: Machine): Found {
  const mounts = mountsOf(machine);
  const version2 = mounts.find(({ type }) => type === "cgroup2");
  const version1 = mounts.some(({ type }) => type === "cgroup");
  const netns = mountOf("/sys", mounts)?.source ?? "";
  // ip-netns(8): `exec` mounts another sysfs over the machine's, with all that hung below it, and calls it as the namespace.
  if (version2 === undefined && !version1 && netns !== "" && machine.exists(`/run/netns/${netns}`))
    return fails(
      "hidden by `ip netns exec`, which puts another /sys in the place of the machine's: services cannot be told apart",
      `nsenter --net=/run/netns/${netns} bulkhead … enters the network alone`,
    );
  if (version2 === undefined)
    return fails(
      `${version1 ? "version 1 only" : "not mounted"}: services of this machine cannot be told apart, and never be enforced; workloads with an address of their own can`,
      "start the kernel with systemd.unified_cgroup_hierarchy=1",
    );
  return works(
    version1
      ? `hybrid: version 2 at ${version2.point}, beside version 1; services are told apart by version 2`
      : `version 2 at ${version2.point}`,
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

/** Debian's unit: it flushes everything at each start and reload. */
const FLUSHER = "/etc/systemd/system/sysinit.target.wants/nftables.service";

export async function firewalls({ root, run, read, exists }: Machine): Promise<Found> {
  if (!root) return untold("only root can list them");
  const tables = await run("nft", "list", "tables");
  if (tables === undefined) return fails("`nft list tables` fails", "see the kernel's log");
  const others = tables
    .split("\n")
    .map((line) => line.replace(/^table /, ""))
    .filter((table) => table !== "" && !/ bulkhead(?:_|$)/.test(table));
  const legacy = (["ip", "ip6"] as const).flatMap((family) =>
    (read(`/proc/net/${family}_tables_names`) ?? "")
      .split("\n")
      .flatMap((name) => (name === "" ? [] : [`${family} ${name} (iptables-legacy)`])),
  );
  const all = [...others, ...legacy];
  return {
    ...works(
      all.length === 0 ? "none" : `${all.join(", ")}: left alone; a packet has to pass all of them`,
    ),
    ...withHelp(
      exists(FLUSHER)
        ? "nftables.service takes out all rules when it is reloaded, ours too: they are put back within seconds; `nft -f` of your own file does without"
        : undefined,
    ),
  };
}

export async function lockdown({ root, run }: Machine): Promise<Found> {
  if (!root) return untold("only root can tell");
  const tables = (await run("nft", "list", "tables")) ?? "";
  return tables.includes(" bulkhead_lockdown")
    ? fails("in force since the boot: the saved policy could not be", "sudo bulkhead up")
    : works("none");
}

const RUNTIMES: readonly (readonly [string, readonly string[]])[] = [
  ["docker", ["/run/docker.sock", "/var/run/docker.sock"]],
  ["podman", ["/run/podman/podman.sock"]],
];

/** Those whose containers have no names here: they are known by their network namespaces. */
const UNASKED: readonly (readonly [string, string])[] = [
  ["containerd", "/run/containerd/containerd.sock"],
  ["CRI-O", "/run/crio/crio.sock"],
];

export function runtime({ exists }: Machine): Found {
  const found = RUNTIMES.flatMap(([name, sockets]) => {
    const socket = sockets.find((path) => exists(path));
    return socket === undefined ? [] : [`${name} (${socket})`];
  });
  const unasked = UNASKED.filter(([, socket]) => exists(socket)).map(([name]) => name);
  const help = [
    ...(exists("/usr/bin/podman") && !found.some((one) => one.startsWith("podman"))
      ? [
          "containers of Podman get their names once `systemctl enable --now podman.socket` was said",
        ]
      : []),
    ...(unasked.length > 0
      ? [`containers of ${unasked.join(" and ")} alone are known by their network namespaces`]
      : []),
  ].join("; ");
  const more = withHelp(help === "" ? undefined : help);
  return found.length === 0
    ? {
        ...off("no socket of docker or podman: workloads are named by their network namespaces"),
        ...more,
      }
    : { ...works(found.join(", ")), ...more };
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

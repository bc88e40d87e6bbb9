/**
 * Processes of workloads that hold capabilities in this machine's own user namespace. Root of a user namespace of its own is
 * root of nothing but its network; these reach links, programs or namespaces of the machine, and no policy confines them.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** By their number in the kernel. Packet sockets (CAP_NET_RAW) are none of them: what they send meets the guards on our side. */
const REACHING: ReadonlyMap<number, string> = new Map([
  [12, "CAP_NET_ADMIN"],
  [21, "CAP_SYS_ADMIN"],
  [39, "CAP_BPF"],
]);

/** Of processes in the machine's own network: there packet sockets, too, meet no rule of ours on their way out. */
export const REACHING_FROM_HERE: ReadonlyMap<number, string> = new Map([
  ...REACHING,
  [13, "CAP_NET_RAW"],
]);

/** By the path of the network namespace: what anybody inside holds, sorted; paths of namespaces without any are left out. */
export type CapabilitiesByPath = ReadonlyMap<string, readonly string[]>;

/** A look at every process is some milliseconds, so there is one in `everyMs` at most. */
export function createCapabilityWatch(
  now: () => number,
  everyMs = 30_000,
): (netnsPaths: readonly string[]) => CapabilitiesByPath {
  let found: CapabilitiesByPath = new Map();
  let looked: { readonly at: number; readonly paths: string } | undefined;
  return (netnsPaths) => {
    const paths = netnsPaths.join("\n");
    const at = now();
    if (looked?.paths !== paths || at - looked.at >= everyMs) {
      found = capabilitiesIn(netnsPaths);
      looked = { at, paths };
    }
    return found;
  };
}

export function capabilitiesIn(netnsPaths: readonly string[]): CapabilitiesByPath {
  const pathsOf = new Map<string, string[]>();
  for (const path of netnsPaths) {
    const inode = whileItIsThere(() => statSync(path).ino);
    if (inode === undefined) continue;
    const name = `net:[${inode}]`;
    pathsOf.set(name, [...(pathsOf.get(name) ?? []), path]);
  }
  const held = new Map<string, Set<string>>();
  const first = readlinkSync("/proc/self/ns/user");
  for (const pid of pathsOf.size === 0 ? [] : readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const netns = whileItIsThere(() => readlinkSync(`/proc/${pid}/ns/net`));
    if (netns === undefined || !pathsOf.has(netns)) continue;
    const known = held.get(netns) ?? new Set();
    if (known.size === REACHING.size) continue;
    if (whileItIsThere(() => readlinkSync(`/proc/${pid}/ns/user`)) !== first) continue;
    const status = whileItIsThere(() => readFileSync(`/proc/${pid}/status`, "utf8")) ?? "";
    // Our own children enter workloads to probe them, and count for nobody.
    if (Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]) === process.pid) continue;
    for (const capability of permittedIn(status, REACHING)) known.add(capability);
    held.set(netns, known);
  }
  return new Map(
    [...held].flatMap(([netns, capabilities]) =>
      (pathsOf.get(netns) ?? []).map((path) => [path, [...capabilities].toSorted()] as const),
    ),
  );
}

/** Of what /proc/PID/status tells. Who is permitted one has it in effect whenever it likes (capabilities(7)). */
export function permittedIn(
  status: string,
  reaching: ReadonlyMap<number, string>,
): readonly string[] {
  const bits = BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return [...reaching]
    .filter(([number]) => ((bits >> BigInt(number)) & 1n) === 1n)
    .map(([, name]) => name);
}

/** Undefined when the process or namespace has ended meanwhile. */
function whileItIsThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}

/**
 * Which process holds a socket, by the socket's inode: the links of /proc/PID/fd (proc(5)). A process that held one before is
 * asked first; else all of the socket's network namespace are, as long as the caller's time lasts. What is told was read
 * at that moment, and never remembered without reading it again.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { whileItIsThere } from "../discovery/units/vanishing.ts";

export interface Holder {
  readonly pid: number;
  /** What the kernel calls it, without what terminals act upon. */
  readonly name: string;
  /** Its control group as of now; a socket's is that in which it was made. */
  readonly cgroup?: string;
}

export interface SocketHolders {
  /** Of a socket in the network namespace of that number; undefined when none is found before `outOfTime`. */
  holder(inode: number, netns: number, outOfTime: () => boolean): Holder | undefined;
}

/** Of one process: whoever has more is searched as far as that. */
const MOST_DESCRIPTORS = 1024;
const REMEMBERED = 4096;
/** The list of a namespace's processes is made anew after that. */
const LIST_EVERY_MS = 1000;

interface Place {
  readonly pid: number;
  readonly descriptor: string;
}

export function createSocketHolders(now: () => number, proc = "/proc"): SocketHolders {
  /** Where a socket was found last. */
  const places = new Map<number, Place>();
  /** Processes that were found to hold sockets, by namespace, the latest last. */
  const known = new Map<number, Set<number>>();
  let listed: ReadonlyMap<number, readonly number[]> = new Map();
  let listedAt = Number.NEGATIVE_INFINITY;

  function isAt({ pid, descriptor }: Place, inode: number): boolean {
    return linkOf(`${proc}/${pid}/fd/${descriptor}`) === `socket:[${inode}]`;
  }

  function search(pid: number, inode: number): Place | undefined {
    const wanted = `socket:[${inode}]`;
    const descriptors = whileItIsThere(() => readdirSync(`${proc}/${pid}/fd`)) ?? [];
    // A connection that has just come about has one of the highest numbers.
    for (const descriptor of descriptors.slice(-MOST_DESCRIPTORS).toReversed())
      if (linkOf(`${proc}/${pid}/fd/${descriptor}`) === wanted) return { pid, descriptor };
    return undefined;
  }

  function find(inode: number, netns: number, outOfTime: () => boolean): Place | undefined {
    const before = places.get(inode);
    if (before !== undefined && isAt(before, inode)) return before;
    places.delete(inode);
    const tried = new Set<number>();
    for (const pid of [...(known.get(netns) ?? [])].toReversed()) {
      if (outOfTime()) return undefined;
      tried.add(pid);
      const place = search(pid, inode);
      if (place !== undefined) return place;
      if (linkOf(`${proc}/${pid}/ns/net`) !== `net:[${netns}]`) known.get(netns)?.delete(pid);
    }
    for (const pid of processesIn(netns)) {
      if (outOfTime()) return undefined;
      if (tried.has(pid)) continue;
      const place = search(pid, inode);
      if (place !== undefined) return place;
    }
    return undefined;
  }

  function processesIn(netns: number): readonly number[] {
    if (now() - listedAt >= LIST_EVERY_MS) {
      const found = new Map<number, number[]>();
      for (const entry of readdirSync(proc)) {
        if (!/^\d+$/.test(entry)) continue;
        const number = /^net:\[(\d+)\]$/.exec(linkOf(`${proc}/${entry}/ns/net`) ?? "")?.[1];
        if (number === undefined) continue;
        const pids = found.get(Number(number));
        if (pids === undefined) found.set(Number(number), [Number(entry)]);
        else pids.push(Number(entry));
      }
      listed = found;
      listedAt = now();
    }
    return listed.get(netns) ?? [];
  }

  function nameOf(pid: number): string | undefined {
    const name = whileItIsThere(() => readFileSync(`${proc}/${pid}/comm`, "utf8"))?.trimEnd();
    // Node calls its first thread so, whatever runs in it.
    if (name !== "MainThread") return name;
    const file = linkOf(`${proc}/${pid}/exe`)?.replace(/ \(deleted\)$/, "");
    return file === undefined ? name : basename(file);
  }

  return {
    holder(inode, netns, outOfTime) {
      const place = find(inode, netns, outOfTime);
      if (place === undefined) return undefined;
      remember(places, inode, place);
      const { pid } = place;
      const latest = known.get(netns) ?? new Set();
      latest.delete(pid);
      latest.add(pid);
      remember(known, netns, latest);
      const name = nameOf(pid);
      const groups = whileItIsThere(() => readFileSync(`${proc}/${pid}/cgroup`, "utf8"));
      const cgroup = /^0::(\/.*)$/m.exec(groups ?? "")?.[1];
      // It may have ended meanwhile, and its number be another's.
      if (name === undefined || !isAt(place, inode)) return undefined;
      return {
        pid,
        name: printable(name),
        ...(cgroup === undefined ? {} : { cgroup }),
      };
    },
  };
}

/** Whoever names a process or a group may write what it likes. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

function linkOf(path: string): string | undefined {
  return whileItIsThere(() => readlinkSync(path));
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED) map.delete(map.keys().next().value as K);
}

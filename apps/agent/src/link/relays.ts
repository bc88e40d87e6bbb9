/**
 * Programs of this machine that take connections and open others to workloads in its own name: to their ingress policy
 * the client is the machine. Known by name, in our network namespace; a look at every process's name is a few
 * milliseconds.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Docker's userland proxy, and what rootless runtimes publish ports with. */
const RELAYS: ReadonlySet<string> = new Set(["docker-proxy", "rootlessport", "rootlesskit"]);

/** Names of those that run, sorted. */
export function relaysHere(known = RELAYS): readonly string[] {
  const here = netnsOf("self");
  const found = readdirSync("/proc")
    .filter((entry) => /^[0-9]+$/.test(entry))
    .map((pid) => ({ pid, name: nameOf(pid) }))
    .filter(({ pid, name }) => known.has(name) && netnsOf(pid) === here)
    .map(({ name }) => name);
  return [...new Set(found)].toSorted();
}

const nameOf = (pid: string): string =>
  whileItRuns(() => readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd());

const netnsOf = (pid: string): string => whileItRuns(() => readlinkSync(`/proc/${pid}/ns/net`));

/** Empty when the process has ended meanwhile, or is none of ours to look at. */
function whileItRuns(read: () => string): string {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return "";
    throw error;
  }
}

/**
 * What there is on the machine that must be the same after the demo as before: the root namespace's firewall,
 * sysctls and links, and everything that could be a leftover of ours.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readRuns, tryRun } from "@bulkhead/example-shop";

export interface Footprint {
  /** Stateless, so that counters of others do not matter. */
  readonly ruleset: string;
  readonly sysctls: string;
  readonly links: string;
}

const SYSCTLS =
  "^net\\.(ipv4\\.ip_forward|ipv6\\.conf\\.all\\.forwarding|bridge\\.|netfilter\\.nf_conntrack_(acct|events|timestamp|tcp_loose))";

export async function takeFootprint(): Promise<Footprint> {
  const [ruleset, sysctls, links] = await Promise.all([
    tryRun(["nft", "-s", "list", "ruleset"]),
    tryRun(["sysctl", "-a", "--pattern", SYSCTLS]),
    tryRun(["ip", "-o", "link", "show"]),
  ]);
  return {
    ruleset: ruleset.stdout,
    sysctls: sysctls.stdout,
    links: links.stdout.replaceAll(/state \S+|qlen \d+/g, ""),
  };
}

/** In words; nothing when the machine is as it was. */
export async function leftovers(
  id: string,
  directory: string,
  before: Footprint,
): Promise<readonly string[]> {
  const after = await takeFootprint();
  const found: string[] = [];
  if (after.ruleset !== before.ruleset) found.push("the root namespace's firewall differs");
  if (after.sysctls !== before.sysctls) found.push("sysctls of the root namespace differ");
  if (after.links !== before.links) found.push("links of the root namespace differ");
  for (const name of readdirSync("/run/netns")) {
    if (name.startsWith(`bhd-${id}-`)) found.push(`namespace ${name}`);
  }
  if (existsSync(directory)) found.push(`directory ${directory}`);
  if (readRuns().some((record) => record.id === id)) found.push("the run file");
  found.push(...processesNaming(directory));
  return found;
}

/** Processes whose command line names the lab's directory: all programs of the lab, and Bulkhead's own. */
function processesNaming(directory: string): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
      if (command.includes(directory))
        found.push(`process ${entry}: ${command.trim().slice(0, 80)}`);
    } catch {
      continue; // it ended while we looked
    }
  }
  return found;
}

/** `--restore` with its surroundings: files, clock and kernel of this machine, and what is said about the outcome. */
import { readFileSync, statSync } from "node:fs";
import { createKeptGroups, createSuccession, type Driver } from "../drivers/index.ts";
import { createHostCommands } from "../drivers/host-commands.ts";
import { ensureSelfTested } from "../self-test/index.ts";
import type { AgentDirectory } from "../state/agent-directory.ts";
import { PolicyTrust } from "../state/trusted-policy.ts";
import { createWall, type Lockdown } from "./lockdown.ts";
import { restore, type Restored } from "./restore.ts";

/** A wall is a few lines. The unit is given 90 seconds; what is killed then leaves the wall standing. */
const WALL_PATIENCE_MS = 15_000;
const PATIENCE_MS = 45_000;

export interface AtBoot {
  /** False where something has to be looked after. */
  readonly well: boolean;
  readonly kind: Restored["kind"];
  readonly message: string;
}

export async function restoreAtBoot(
  directory: AgentDirectory,
  owner: string,
  version: string,
): Promise<AtBoot> {
  const now = clockFor(directory.policy);
  const problems: string[] = [];
  const driverOf = (patienceMs: number): Driver =>
    createSuccession("nftables", { owner, now, patienceMs }, ({ message }) =>
      problems.push(message),
    );
  const [driver, hasty] = [driverOf(PATIENCE_MS), driverOf(WALL_PATIENCE_MS)];
  const groups = createKeptGroups({
    file: directory.groups,
    onProblem: (problem) => problems.push(problem),
  });
  const restored = await restore({
    trust: { load: () => new PolicyTrust(directory).load() },
    unbelieved: () => {
      try {
        return readFileSync(directory.policy, "utf8");
      } catch {
        return null; // that is why it is not believed
      }
    },
    prepare: (policy) => groups.keep(policy),
    selfTest: () => ensureSelfTested({ file: directory.selfTest, version, now }),
    driver: {
      apply: (policy) => driver.apply(policy),
      isInForce: () => hasty.isInForce(),
    },
    wall: createWall(createHostCommands(undefined, WALL_PATIENCE_MS)),
  });
  const message = [describe(restored), ...problems].join("; ");
  return { well: isWell(restored), kind: restored.kind, message };
}

/**
 * A machine without a battery for its clock starts in the past, before the network has told the time. It is never earlier
 * than when the policy was written; else exceptions that have ended would come back.
 */
export function clockFor(file: string): () => number {
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return () => Math.max(Date.now(), Math.ceil(written));
}

const isWell = ({ kind }: Restored): boolean => kind === "restored" || kind === "nothing";

export function describe(restored: Restored): string {
  switch (restored.kind) {
    case "restored": {
      const { receipt, addresses, services } = restored;
      const own = services === 0 ? "" : ` and ${services} services of this machine`;
      return `revision ${receipt.revision} is in force again: ${addresses} addresses${own} are judged, ${receipt.entries} entries, ${receipt.digest}`;
    }
    case "nothing":
      return "nothing to restore: no policy was ever put in force here";
    case "kept":
      return `the saved policy could not be put in force; the rules that the kernel holds already stay: ${restored.reason}`;
    case "refused":
      return `the saved policy, which enforces no address for all flows, could not be loaded; services of this machine are judged once an agent runs: ${restored.reason}`;
    case "locked":
      return `LOCKDOWN: ${scopeOf(restored.lockdown)}, until an agent has put a policy in force, because the saved one could not be: ${restored.reason}${restored.problems.length === 0 ? "" : `; the lockdown has a gap: ${restored.problems.join("; ")}`}`;
  }
}

const scopeOf = ({ forwarding, addresses }: Lockdown): string =>
  [
    ...(forwarding ? ["this machine passes on no traffic of others"] : []),
    ...(addresses.length > 0 ? [`${addresses.length} enforced addresses are cut off`] : []),
  ].join(" and ");

/**
 * What files open only once they are enforced: connections that the policy in force denies, and goes on denying while these
 * files are merely audited, for nothing that is staged allows anything.
 */
import type { PlanAnswer } from "@bulkhead/api";
import type { HeldResource } from "../policy/candidate.ts";
import { modesOf } from "../policy/modes.ts";
import { readPolicy } from "../policy/reading.ts";
import type { World } from "../world/world.ts";
import { permittedDiff } from "./permitted.ts";

/** `held`: all that would be in force, whatever the mode of what is `given`. */
export function unopenedBy(
  held: readonly HeldResource[],
  given: ReadonlySet<string>,
  world: World,
  now: number,
): PlanAnswer["permitted"]["added"] {
  const staying = held.filter(({ stored }) => !given.has(stored.key));
  if (modesOf(staying.map(({ stored }) => stored)).enforce === 0) return [];
  const [audited, enforced] = (["audit", "enforce"] as const).map((mode) => {
    const { set, ...reading } = readPolicy(
      held.map((one) => (given.has(one.stored.key) ? withMode(one, mode) : one)),
      { now, strict: false },
    );
    return { ...reading, set: { ...set, canary: undefined } };
  });
  return permittedDiff(audited!, enforced!, { was: world, world }, now).added;
}

function withMode(one: HeldResource, mode: "audit" | "enforce"): HeldResource {
  return { ...one, stored: { ...one.stored, mode, canary: undefined } };
}

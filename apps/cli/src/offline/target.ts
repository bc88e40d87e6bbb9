/** `--to` and `--approximate`: what is to be written, and on which side it may err. */
import { findTarget, TARGETS, type Approximation, type Target } from "@bulkhead/dialects";
import { badInput } from "../failure.ts";
import { nearest } from "../ui/spell.ts";

export function targetNamed(name: string): Target {
  const found = findTarget(name.toLowerCase());
  if (found !== undefined) return found;
  const near = nearest(
    name,
    TARGETS.flatMap((one) => [one.name, ...one.aliases]),
  );
  throw badInput(
    `nothing can be written for \`${name}\``,
    near === undefined ? `there is ${targetNames()}` : `did you mean \`${near}\`?`,
  );
}

export const targetNames = (): string => TARGETS.map((one) => one.name).join(", ");

export function approximationNamed(text: string | undefined): Approximation | undefined {
  if (text === undefined || text === "over" || text === "under") return text;
  throw badInput(`\`--approximate ${text}\` is not known`, "use over or under");
}

/**
 * Names for rules that have none. An index would move when a neighbour comes or goes, and with it every counter and
 * flow that names the rule; so the name follows from what the rule says.
 */
import type { Rule } from "@bulkhead/model";

/** FNV-1a, 32 bits: short names, not security. */
const fnv = (text: string): string => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
};

/** `block#…/r-1a2b3c4d`, with `-2` for a rule that says the same as one before it in the block. */
export const contentName = (
  rule: Pick<Rule, "action" | "peers" | "ports">,
  taken: ReadonlySet<string>,
): string => {
  const base = `r-${fnv(JSON.stringify([rule.action, rule.peers, rule.ports]))}`;
  let name = base;
  for (let i = 2; taken.has(name); i += 1) name = `${base}-${i}`;
  return name;
};

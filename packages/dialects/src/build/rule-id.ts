/**
 * Names for rules that have none. An index would move when a neighbour comes or goes, and with it every counter and
 * flow that names the rule; so the name follows from what the rule says.
 */
/** FNV-1a, 32 bits: short names, not security. */
const fnv = (text: string): string => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
};

/** What a rule says, as its author wrote it: places left out, sets by name, so that editing a set renames no rule. */
export interface RuleWords {
  readonly action: string;
  readonly peers: readonly unknown[];
  readonly ports: unknown;
}

/** `r-1a2b3c4d`, with `-2` for a rule that says the same as one before it in the block. */
export const contentName = (words: RuleWords, taken: ReadonlySet<string>): string => {
  const said = JSON.stringify([words.action, words.peers, words.ports], (key, value: unknown) =>
    key === "source" ? undefined : value,
  );
  const base = `r-${fnv(said)}`;
  let name = base;
  for (let i = 2; taken.has(name); i += 1) name = `${base}-${i}`;
  return name;
};

/** A name that nobody gave. */
export const isContentName = (name: string): boolean => /^r-[0-9a-f]{8}(?:-\d+)?$/.test(name);

/**
 * How much a policy asks of the kernel, and whether it fits. What does not fit is refused whole before anything is
 * touched; the kernel's own refusals are told in the same words.
 */
import type { Ruleset } from "./ruleset.ts";

export interface Usage {
  /** Elements of all sets and maps. */
  readonly elements: number;
  readonly largestSet: { readonly name: string; readonly elements: number };
  readonly chains: number;
  readonly rules: number;
  /** Sentences for sets of a fixed size that hold more than half of it. */
  readonly overfull: readonly string[];
}

export interface Limits {
  readonly elements: number;
  readonly setElements: number;
  readonly chains: number;
}

/** About 200 MB of kernel memory at the most; measured load times stay under 10 s up to here. */
export const DEFAULT_LIMITS: Limits = {
  elements: 1_000_000,
  setElements: 250_000,
  chains: 100_000,
};

export const usageOf = (ruleset: Ruleset): Usage => {
  let elements = 0;
  let largestSet = { name: "", elements: 0 };
  let chains = 0;
  let rules = 0;
  const overfull: string[] = [];
  for (const table of Object.values(ruleset)) {
    for (const { name, elements: held, size } of table.sets.values()) {
      elements += held.size;
      // Twice the room, so that all of it can be replaced at once.
      if (size !== undefined && held.size * 2 > size)
        overfull.push(`${name} needs ${held.size} elements, the limit is ${size / 2}`);
      if (held.size > largestSet.elements) largestSet = { name, elements: held.size };
    }
    for (const chain of table.chains.values()) {
      chains += 1;
      rules += chain.rules.length;
    }
  }
  return { elements, largestSet, chains, rules, overfull };
};

/** Empty iff it fits. */
export const checkCapacity = (usage: Usage, limits: Limits): readonly string[] => [
  ...(usage.elements > limits.elements
    ? [`the policy needs ${usage.elements} set elements, the limit is ${limits.elements}`]
    : []),
  ...(usage.largestSet.elements > limits.setElements
    ? [
        `${usage.largestSet.name} needs ${usage.largestSet.elements} elements, the limit is ${limits.setElements}`,
      ]
    : []),
  ...usage.overfull,
  ...(usage.chains > limits.chains
    ? [`the policy needs ${usage.chains} chains, the limit is ${limits.chains}`]
    : []),
];

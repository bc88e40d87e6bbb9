/**
 * Decisions as small numbers, so that rows can be painted into typed arrays. Number 0 and 1 are the defaults; all
 * others name the rule or block that determined them by its cookie.
 */
import type { Cookie, DecisionVerdict, PolicySet, RowDecision } from "@bulkhead/model";
import { VERDICT_STRICTNESS } from "../strictness.ts";
import { assignIds } from "./stable-id.ts";

export const DEFAULT_COOKIE: Cookie = "00000000";
export const DEFAULT_ALLOW = 0;
export const DEFAULT_DROP = 1;

export class DecisionTable {
  readonly #decisions: RowDecision[] = [
    { verdict: "allow", cookie: DEFAULT_COOKIE },
    { verdict: "drop", cookie: DEFAULT_COOKIE },
  ];
  readonly #numbers = new Map<string, number>();
  /** By number, from 2: the rule or block. */
  readonly #determinants: string[] = [];
  #cookies: ReadonlyMap<string, Cookie>;

  /** `cookies` by rule or block id. */
  constructor(cookies: ReadonlyMap<string, Cookie>) {
    this.#cookies = cookies;
  }

  /** False, and nothing is changed, where a decision names its rule or block by another cookie than these. */
  adopt(cookies: ReadonlyMap<string, Cookie>): boolean {
    const same = this.#determinants.every((determinant, i) => {
      const cookie = cookies.get(determinant);
      return cookie === undefined || cookie === this.#decisions[i + 2]!.cookie;
    });
    if (same) this.#cookies = cookies;
    return same;
  }

  /** The decision that the rule or block `determinant` gives. */
  number(verdict: DecisionVerdict, determinant: string): number {
    const key = `${verdict}\u0000${determinant}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#decisions.length;
      this.#decisions.push({ verdict, cookie: this.#cookies.get(determinant)! });
      this.#numbers.set(key, number);
      this.#determinants.push(determinant);
    }
    return number;
  }

  at(number: number): RowDecision {
    return this.#decisions[number]!;
  }

  allows(number: number): boolean {
    return this.at(number).verdict === "allow";
  }

  /** Lower is stricter. */
  strictness(number: number): number {
    return VERDICT_STRICTNESS[this.at(number).verdict];
  }

  isDefault(number: number): boolean {
    return number <= DEFAULT_DROP;
  }
}

/** A cookie for every rule and block of the set, by id. */
export function assignCookies(set: PolicySet): Map<string, string> {
  const blocks = set.stages.flatMap((stage) => stage.blocks);
  return assignIds(
    blocks.flatMap((block) => [block.id, ...block.rules.map(({ id }) => id)]),
    8,
  );
}

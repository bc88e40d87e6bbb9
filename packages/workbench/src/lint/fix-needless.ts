/**
 * Rules that a fix may take out: others of their own policy say all that they say, now and later. What another policy says is
 * left to people, and so is a rule that only something doubtful makes needless: whoever mends that will want it back.
 */
import { findRules, type RuleFinding } from "@bulkhead/engine";
import type { Diagnostic, Rule, SourceSpan } from "@bulkhead/model";
import type { Desk } from "../desk/desk.ts";

export interface Needless {
  /** Of the desk's set. */
  readonly rules: ReadonlySet<Rule>;
  /** By file: where each begins. */
  readonly places: ReadonlyMap<string, readonly SourceSpan[]>;
}

export function needlessIn(desk: Desk, now: number, findings: readonly Diagnostic[]): Needless {
  const doubtful = new Set(findings.map(({ span }) => lineOf(span)));
  const found = findRules(desk.set, now).filter((one) => isSafe(one, doubtful));
  const byPlace = Map.groupBy(found, ({ rule }) => placeOf(rule.source));
  const sizes = new Map<string, number>();
  for (const { source } of desk.set.stages.flatMap(({ blocks }) =>
    blocks.flatMap(({ rules }) => rules),
  )) {
    sizes.set(placeOf(source), (sizes.get(placeOf(source)) ?? 0) + 1);
  }
  // A rule of a file may be several in the common form: all of it, or none.
  const whole = [...byPlace].filter(([place, own]) => own.length === sizes.get(place));
  const rules = whole.flatMap(([, own]) => own.map(({ rule }) => rule));
  const places = Map.groupBy(
    whole.map(([, [first]]) => first!.rule.source),
    ({ file }) => file,
  );
  return { rules: new Set(rules), places };
}

function isSafe({ kind, block, rule, by }: RuleFinding, doubtful: ReadonlySet<string>): boolean {
  return (
    (kind === "redundant" || kind === "shadowed") &&
    by.length > 0 &&
    by.every(
      (other) =>
        other.block === block &&
        other.rule.enforce === rule.enforce &&
        other.rule.expiresAt === undefined &&
        // What stands at the policy's own place was written by nobody.
        placeOf(other.rule.source) !== placeOf(block.source) &&
        !doubtful.has(lineOf(other.rule.source)),
    )
  );
}

const lineOf = ({ file, line }: SourceSpan): string => `${file}:${line}`;

const placeOf = ({ file, line, column }: SourceSpan): string => `${file}:${line}:${column}`;

/** Where a place is in the text of its file. */
export function offsetOf(text: string, { line, column }: SourceSpan): number {
  let start = 0;
  for (let at = 1; at < line; at++) start = text.indexOf("\n", start) + 1;
  return start + column - 1;
}

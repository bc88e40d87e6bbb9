/**
 * What the engine finds about rules, told to people. A rule of a file may be several in the common form: it is called
 * needless only if all of it is.
 */
import { findRules, type RuleFinding, type RuleFindingKind } from "@bulkhead/engine";
import type { DiagnosticCode, SourceSpan } from "@bulkhead/model";
import { whereOf, type LintContext } from "./lint-context.ts";

interface Words {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly help: (others: string) => string;
}

const WORDS: Readonly<Record<RuleFindingKind, Words>> = {
  never: {
    code: "BH0704",
    message: "this rule matches nothing: what it asks cannot all be so",
    help: () => "take it out, or correct its peers and ports",
  },
  shadowed: {
    code: "BH0701",
    message: "this rule never decides: rules before it take all that it matches",
    help: (others) => `taken by ${others}; without this rule every decision stays as it is`,
  },
  redundant: {
    code: "BH0702",
    message: "this rule could go: the same is said without it",
    help: (others) => `said by ${others}; without this rule every decision stays as it is`,
  },
  contradicted: {
    code: "BH0703",
    message: "this rule is in vain: whatever it matches, another decides otherwise",
    help: (others) => `decided by ${others}`,
  },
  voided: {
    code: "BH0730",
    message:
      "what this rule asks of requests has no effect: the same connections are allowed whatever they carry",
    help: (others) => `allowed by ${others}`,
  },
  ambiguous: {
    code: "BH0708",
    message: "a rule of the same priority says something else of some of the same connections",
    help: (others) =>
      `${others}; give one of them a priority of its own: products choose differently`,
  },
};
/** Without it, nothing changes. */
const NEEDLESS: readonly RuleFindingKind[] = ["never", "shadowed", "redundant", "contradicted"];

/** Where one of these was said, it is known why the rule matches nothing. */
const EXPLAINED: readonly DiagnosticCode[] = ["BH0308", "BH0407", "BH0412", "BH0432"];

export function needlessRules({ desk, now, say, blocks }: LintContext): void {
  const explained = new Set(
    desk.diagnostics.filter(({ code }) => EXPLAINED.includes(code)).map(({ span }) => lineOf(span)),
  );
  const found = findRules(desk.set, now).filter(
    ({ kind, rule }) => kind !== "never" || !explained.has(lineOf(rule.source)),
  );
  const sizes = new Map<string, number>();
  for (const { source, action } of blocks.flatMap(({ rules }) => rules)) {
    if (action === "log" || action === "audit") continue;
    sizes.set(placeOf(source), (sizes.get(placeOf(source)) ?? 0) + 1);
  }
  for (const [place, here] of Map.groupBy(found, ({ rule }) => placeOf(rule.source))) {
    // What stands at the policy's own place was written by nobody: defaults, and what a dialect adds.
    const written = here.filter(
      ({ rule, block }) =>
        placeOf(block.source) !== place || rule.source.line !== block.source.line,
    );
    const needless = written.filter(({ kind }) => NEEDLESS.includes(kind));
    const told = written.filter(({ kind }) => !NEEDLESS.includes(kind));
    const isWhole = needless.length === sizes.get(place);
    for (const kind of new Set(
      [...(isWhole ? [needless[0]!] : []), ...told].map((one) => one.kind),
    )) {
      const same = written.filter((one) => one.kind === kind);
      const { code, message, help } = WORDS[kind];
      say(code, same[0]!.rule.source, message, help(othersOf(same)));
    }
  }
}

function othersOf(found: readonly RuleFinding[]): string {
  const others = new Set(
    found.flatMap(({ by }) => by.map(({ block, rule }) => whereOf(block, rule.source))),
  );
  const [first = "", ...rest] = others;
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}

const lineOf = ({ file, line }: SourceSpan): string => `${file}:${line}`;

function placeOf({ file, line, column }: SourceSpan): string {
  return `${file}:${line}:${column}`;
}

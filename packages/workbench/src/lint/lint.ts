/**
 * Findings about a folder of policies: what reading and building them told, and what only shows when all of them are seen
 * together. Each has a stable code, a place, a message and help; whether it fails a check is its severity's to say.
 */
import { compareDiagnostics, type Diagnostic } from "@bulkhead/model";
import type { Desk } from "../desk/desk.ts";
import { antreaTraps } from "./antrea-traps.ts";
import { breadth } from "./breadth.ts";
import { ciliumTraps } from "./cilium-traps.ts";
import { gaps } from "./gaps.ts";
import { istioTraps } from "./istio-traps.ts";
import { kubernetesTraps } from "./kubernetes-traps.ts";
import { createLintContext, type Check } from "./lint-context.ts";
import { needlessRules } from "./needless-rules.ts";
import { whoIsMeant } from "./who-is-meant.ts";

const CHECKS: readonly Check[] = [
  needlessRules,
  whoIsMeant,
  gaps,
  breadth,
  kubernetesTraps,
  ciliumTraps,
  istioTraps,
  antreaTraps,
];

export interface LintOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Warnings are errors. */
  readonly strict?: boolean;
  /** Codes that are not wanted. */
  readonly disabled?: readonly string[];
}

/** A kind that says nothing about the network is no finding. */
const BESIDE_THE_POINT = ["BH0401"];

/** Sorted by place, each once. */
export function lintDesk(
  desk: Desk,
  { now, strict = false, disabled = [] }: LintOptions,
): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const context = createLintContext(desk, now, found);
  for (const check of CHECKS) check(context);
  const silent = new Set([...BESIDE_THE_POINT, ...disabled]);
  const once = new Map<string, Diagnostic>();
  for (const one of [...desk.diagnostics, ...found]) {
    const { file, line, column } = one.span;
    if (silent.has(one.code)) continue;
    const isRaised = strict && one.severity === "warning";
    once.set(
      JSON.stringify([one.code, file, line, column, one.message]),
      isRaised ? { ...one, severity: "error" } : one,
    );
  }
  return [...once.values()].toSorted(compareDiagnostics);
}

/** Something could not be read, so whatever else is said is not of the whole. */
export function isUnreadable({ diagnostics }: Pick<Desk, "diagnostics">): boolean {
  return diagnostics.some(
    ({ code, severity }) => severity === "error" && (code < "BH0300" || code >= "BH0400"),
  );
}

/** Why the files allow or deny one connection: every rule that bears on it, and the least that would change it. */
import { explain, type ExplainOptions } from "@bulkhead/engine";
import type { Decision, DecisionVerdict, FlowQuery } from "@bulkhead/model";
import { askedOf } from "./answer.ts";
import { cutsOf } from "./cuts.ts";
import type { Desk } from "./desk.ts";
import type { DeskEnd, FindEnd } from "./ends.ts";
import {
  nearestOf,
  traceSteps,
  verdictOf,
  type NearestRule,
  type ToldChange,
  type TraceStep,
} from "./explanation.ts";
import { changeInFolder, type ToldInFolder } from "./folder-change.ts";
import type { Found } from "./problem.ts";
import type { Question } from "./question.ts";

export interface DeskExplanation {
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly view: "live" | "shadow";
  /** What holds for every path; `mixed` when the paths differ. */
  readonly verdict: DecisionVerdict | "mixed";
  /** One for each pair of addresses; an end that has none in the files is called by its name. */
  readonly paths: readonly {
    readonly source: { readonly name: string; readonly address: string };
    readonly destination: { readonly name: string; readonly address: string };
    readonly protocol: number;
    readonly port: number;
    readonly decision: Decision;
    readonly trace: readonly TraceStep[];
  }[];
  /** For a deny: which rule would have come nearest to allowing it, and what of it failed. */
  readonly nearest?: NearestRule;
  readonly smallestChange?: ToldChange;
  /** For a deny that nothing added from below can lift: what would have to change. */
  readonly inTheWay?: string;
}

export function explainAtDesk(
  desk: Desk,
  find: FindEnd,
  question: Question,
  options: Pick<ExplainOptions, "now"> & { readonly view: "live" | "shadow" },
): Found<DeskExplanation> {
  const asked = askedOf(desk, find, question);
  if (asked.problem !== undefined) return asked;
  const { from, to, queries } = asked.value;
  const atLarge = [
    ...(from.atLarge === true ? ["source" as const] : []),
    ...(to.atLarge === true ? ["destination" as const] : []),
  ];
  const explanations = queries.map((query) =>
    explain(desk.set, desk.index, query, { ...options, atLarge }),
  );
  const denied = explanations.find(({ decision }) => decision.verdict !== "allow");
  const named = (text: string) => withoutStandIns(text, desk, queries);
  return {
    value: {
      from: from.name,
      to: to.name,
      port: question.port,
      view: options.view,
      verdict: verdictOf(explanations.map(({ decision }) => decision)),
      paths: explanations.map(({ query, decision, egress, ingress }) => ({
        source: placeOf(desk, from, query.source),
        destination: placeOf(desk, to, query.destination),
        protocol: query.protocol,
        port: query.port,
        decision,
        trace: [...traceSteps(egress), ...traceSteps(ingress)].map((step) => ({
          ...step,
          outcome: named(step.outcome),
        })),
      })),
      ...(denied === undefined ? {} : nearest(denied, named)),
      ...(denied === undefined
        ? {}
        : withCuts(desk, changeInFolder(desk, denied, options), options.now)),
    },
  };
}

function nearest(
  denied: Parameters<typeof nearestOf>[0],
  named: (text: string) => string,
): { readonly nearest?: NearestRule } {
  const { nearest: found } = nearestOf(denied);
  return found === undefined ? {} : { nearest: { ...found, outcome: named(found.outcome) } };
}

/** Of a change with blanks in it nobody knows. */
function withCuts(desk: Desk, told: ToldInFolder, now: number): ToldInFolder {
  const { smallestChange: change } = told;
  if (change === undefined || change.fillIn.length > 0) return told;
  const cuts = cutsOf(desk, change.text, now);
  return cuts.length === 0 ? told : { ...told, smallestChange: { ...change, cuts } };
}

function placeOf(desk: Desk, { name }: DeskEnd, address: string) {
  return { name, address: desk.isStandIn(address) ? name : address };
}

/** Clauses name the machine by its address. */
function withoutStandIns(text: string, desk: Desk, queries: readonly FlowQuery[]): string {
  const addresses = queries.flatMap(({ source, destination }) => [source, destination]);
  return addresses
    .filter((address) => desk.isStandIn(address))
    .reduce((left, address) => left.replaceAll(address, "the node"), text);
}

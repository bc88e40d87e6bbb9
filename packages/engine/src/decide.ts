/**
 * The meaning of a policy set: one flow in, one decision out, with what determined it. This is the reference, written
 * to be read in one sitting and to be right; everything faster (the compiler, the kernel) is checked against it.
 * Replies are not judged here: a reply belongs to the connection it answers, and the datapath sees to that.
 */
import type {
  Decision,
  DecisionVerdict,
  Determinant,
  Direction,
  DirectionDecision,
  FlowQuery,
  Plane,
  PolicySet,
  Stage,
} from "@bulkhead/model";
import type { InventoryIndex } from "./inventory-index.ts";
import { judgeStage, type DecideOptions } from "./judge-stage.ts";
import type { DirectedFlow } from "./matching.ts";

/** A connection is allowed iff the source's egress allows it and the destination's ingress allows it. */
export function decide(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: DecideOptions,
): Decision {
  const judge = (direction: Direction): DirectionDecision => {
    const flow = direct(set, index, query, direction);
    return typeof flow === "string"
      ? conclude(direction, "allow", { kind: "exemption", exemption: flow })
      : decideDirection(set, index, flow, options);
  };
  const [egress, ingress] = [judge("egress"), judge("ingress")];
  return { verdict: (egress.verdict === "allow" ? ingress : egress).verdict, egress, ingress };
}

/** The flow as the workload at one of its ends sees it, or the exemption that takes it out of policy. */
export function direct(
  { profile }: PolicySet,
  index: InventoryIndex,
  { source, destination, protocol, port }: FlowQuery,
  direction: Direction,
): DirectedFlow | "not-a-workload" | "hairpin" | "node" {
  const [from, to] = [index.at(source), index.at(destination)];
  const [here, peer] = direction === "egress" ? [from, to] : [to, from];
  if (here.kind !== "workload") return "not-a-workload";
  if (profile.hairpinExempt && peer.workload === here.workload) return "hairpin";
  if (profile.nodeExempt && direction === "ingress" && peer.kind === "host") return "node";
  return { direction, subject: here.workload, peer, destination: to.workload, protocol, port };
}

/** Planes are ANDed, never merged: one that denies decides; else one that said something; else the default. */
function decideDirection(
  set: PolicySet,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): DirectionDecision {
  const decisions = planesOf(set).map((plane) => walkPlane(set, plane, index, flow, options));
  return (
    decisions.find(({ verdict }) => verdict !== "allow") ??
    decisions.find(({ determinedBy }) => determinedBy.kind !== "default") ??
    decisions[0]!
  );
}

export function planesOf(set: PolicySet): Plane[] {
  return [...new Set<Plane>(["net", ...set.stages.map(({ plane }) => plane)])];
}

function walkPlane(
  set: PolicySet,
  plane: Plane,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): DirectionDecision {
  const stages = set.stages.filter((stage) => stage.plane === plane);
  const logged: string[] = [];
  let ambiguous = false;
  for (let at = 0; at < stages.length;) {
    const outcome = judgeStage(stages[at]!, index, flow, options);
    logged.push(...outcome.logged);
    ambiguous ||= outcome.ambiguous;
    if (outcome.kind === "decided") {
      const { verdict, determinedBy } = outcome;
      return { direction: flow.direction, verdict, determinedBy, logged, ambiguous };
    }
    at = outcome.kind === "pass" ? afterPass(stages, at) : at + 1;
  }
  const verdict = defaultVerdict(set, plane);
  return {
    direction: flow.direction,
    verdict,
    determinedBy: { kind: "default" },
    logged,
    ambiguous,
  };
}

/** The profile's default speaks for the network; another plane denies only what its own stages deny. */
export function defaultVerdict({ profile }: PolicySet, plane: Plane): DecisionVerdict {
  return plane === "net" && profile.default === "deny" ? "drop" : "allow";
}

/** Where a `pass` from stage `at` goes on. A stage may pass forward only, else evaluation might not end. */
export function afterPass(stages: readonly Stage[], at: number): number {
  const { id, onPass } = stages[at]!;
  if (onPass === null) return stages.length;
  const next = stages.findIndex((stage) => stage.id === onPass);
  if (next <= at)
    throw new RangeError(`stage \`${id}\` passes to \`${onPass}\`, which does not follow it`);
  return next;
}

function conclude(
  direction: Direction,
  verdict: DecisionVerdict,
  determinedBy: Determinant,
): DirectionDecision {
  return { direction, verdict, determinedBy, logged: [], ambiguous: false };
}

/**
 * The meaning of a policy set: one flow in, one decision out, with what determined it. This is the reference, written
 * to be read in one sitting and to be right; everything faster (the compiler, the kernel) is checked against it.
 * Replies are not judged here: a reply belongs to the connection it answers, and the datapath sees to that.
 */
import { takesPart } from "@bulkhead/model";
import type {
  Decision,
  DecisionVerdict,
  Direction,
  DirectionDecision,
  Exemption,
  FlowQuery,
  Plane,
  PolicySet,
  Profile,
  Rule,
  Stage,
  Workload,
} from "@bulkhead/model";
import { exemptionOf } from "./exemption.ts";
import { endsOf } from "./flow-ends.ts";
import { isProcess, ownersOf, type InventoryIndex, type Place } from "./inventory-index.ts";
import { isActive, judgeStage, type DecideOptions, type View } from "./judge-stage.ts";
import { selects, type DirectedFlow } from "./matching.ts";
import { isLoopback } from "./socket-owners.ts";
import { obligationsOf, type Assumption } from "./requests.ts";
import { VERDICT_STRICTNESS } from "./strictness.ts";

/** A connection is allowed iff the source's egress allows it and the destination's ingress allows it. */
export function decide(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  options: DecideOptions,
): Decision {
  const judged = { ...options, view: viewFor(set, query, options.view) };
  const { decision: egress } = judge(set, index, query, "egress", judged);
  const { decision: ingress } = judge(set, index, query, "ingress", judged);
  const verdict = (egress.verdict === "allow" ? ingress : egress).verdict;
  if (judged.view === options.view || verdict !== "allow") return { verdict, egress, ingress };
  const full = decide({ ...set, canary: undefined }, index, query, options);
  if (full.verdict === "allow") return { verdict, egress, ingress };
  const spared = full.egress.verdict === "allow" ? full.ingress : full.egress;
  return { verdict, egress, ingress, spared };
}

/** A flow that takes no part in the rollout is judged as if the rollout's policies were staged. */
export function viewFor({ canary }: PolicySet, query: FlowQuery, view: View): View {
  return view === "live" && canary !== undefined && !takesPart(query, canary) ? "settled" : view;
}

/** How a flow was read in one direction, and what came of it. */
export interface Judgement {
  readonly flow: DirectedFlow | Exemption;
  readonly decision: DirectionDecision;
}

/** While several workloads claim an address or a socket, the strictest of all readings holds: nobody inherits what was another's. */
export function judge(
  set: PolicySet,
  index: InventoryIndex,
  query: FlowQuery,
  direction: Direction,
  options: DecideOptions,
): Judgement {
  const { source, destination } = endsOf(index, query);
  const [here, there] = direction === "egress" ? [source, destination] : [destination, source];
  const isSubject = (process: Workload) => isSelected(set, index, process, options);
  const readings = readingsOf(here).flatMap((subject) =>
    readingsOf(there).map((peer): Judgement => {
      const flow = direct(set.profile, subject, peer, query, direction, isSubject);
      if (typeof flow !== "string") {
        return { flow, decision: decideDirection(set, index, flow, options) };
      }
      return { flow, decision: exempt(direction, flow) };
    }),
  );
  const rank = ({ decision }: Judgement) => VERDICT_STRICTNESS[decision.verdict];
  return readings.reduce((a, b) => (rank(b) < rank(a) ? b : a));
}

function readingsOf(place: Place): Place[] {
  if (place.workload === undefined) return [place];
  return ownersOf(place).map((workload) => ({ ...place, workload }));
}

/** Does anything active ask about the workload, in either direction? */
function isSelected(
  { stages }: PolicySet,
  index: InventoryIndex,
  workload: Workload,
  options: DecideOptions,
): boolean {
  return stages
    .flatMap(({ blocks }) => blocks)
    .some((block) => isActive(block, options) && selects(block.subject, workload, index));
}

/** The flow as the workload at one of its ends sees it, or the exemption that takes it out of policy. */
function direct(
  profile: Profile,
  here: Place,
  there: Place,
  query: FlowQuery,
  direction: Direction,
  isSubject: (process: Workload) => boolean,
): DirectedFlow | Exemption {
  const { workload: subject } = here;
  if (subject === undefined) return "not-a-workload";
  const peer = seenBy(subject, there);
  const judged = { ...here, workload: subject };
  const exemption = exemptionOf(profile, judged, peer, query, direction, isSubject);
  if (exemption !== null) return exemption;
  const { protocol, port, request } = query;
  const destination = direction === "egress" ? peer.workload : subject;
  const names = direction === "egress" ? (query.names ?? []) : [];
  return { direction, subject, peer, destination, protocol, port, names, request };
}

/** Loopback is the machine to its own processes; whoever has a network of its own can only be lied to by it. */
function seenBy(subject: Workload, peer: Place): Place {
  if (isProcess(subject) || !isLoopback(peer)) return peer;
  return { ...peer, rivals: [], sockets: [], kind: "world", workload: undefined };
}

/** Planes are ANDed, never merged: one that denies decides; else one that said something; else the default. */
function decideDirection(
  set: PolicySet,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): DirectionDecision {
  const walk = (assume: Assumption) =>
    planesOf(set).map((plane) => walkPlane(set, plane, index, flow, { ...options, assume }));
  const walked = walk("best");
  const { open: _open, ...decision } = deciding(walked);
  const open = walked.flatMap((one) => one.open);
  if (decision.verdict !== "allow" || open.length === 0) return decision;
  // Where even the worst request is let through, nothing depends on it.
  if (deciding(walk("worst")).verdict === "allow") return decision;
  return { ...decision, obligations: obligationsOf(open, flow.request) };
}

function deciding(walked: readonly Walked[]): Walked {
  return (
    walked.find(({ verdict }) => verdict !== "allow") ??
    walked.find(({ determinedBy }) => determinedBy.kind !== "default") ??
    walked[0]!
  );
}

export function planesOf(set: PolicySet): Plane[] {
  return [...new Set<Plane>(["net", ...set.stages.map(({ plane }) => plane)])];
}

type Walked = DirectionDecision & { readonly open: readonly Rule[] };

function walkPlane(
  set: PolicySet,
  plane: Plane,
  index: InventoryIndex,
  flow: DirectedFlow,
  options: DecideOptions,
): Walked {
  const stages = set.stages.filter((stage) => stage.plane === plane);
  const logged: string[] = [];
  const open: Rule[] = [];
  let ambiguous = false;
  for (let at = 0; at < stages.length;) {
    const outcome = judgeStage(stages[at]!, index, flow, options);
    logged.push(...outcome.logged);
    open.push(...outcome.open);
    ambiguous ||= outcome.ambiguous;
    if (outcome.kind === "decided") {
      const { verdict, determinedBy } = outcome;
      return { direction: flow.direction, verdict, determinedBy, logged, ambiguous, open };
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
    open,
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

function exempt(direction: Direction, exemption: Exemption): DirectionDecision {
  const determinedBy = { kind: "exemption", exemption } as const;
  return { direction, verdict: "allow", determinedBy, logged: [], ambiguous: false };
}

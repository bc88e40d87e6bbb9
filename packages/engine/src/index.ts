/** What policies mean and what follows from them: decide, compile, look up, explain, replay, diff, reach. Pure. */
export * from "./decide.ts";
export { createDecider, type Decider } from "./decider.ts";
export * from "./inventory-index.ts";
export * from "./flow-ends.ts";
export * from "./address-pairs.ts";
export type { SocketOwners } from "./socket-owners.ts";
export { isActive, type DecideOptions, type View } from "./judge-stage.ts";
export type { Capacity, CompileOptions, CompileResult, LeftOut } from "./compile/compile-result.ts";
export * from "./compile/compiler.ts";
export * from "./lookup.ts";
export * from "./bounds.ts";
export type { Assumption } from "./requests.ts";
export * from "./mode.ts";
export * from "./explain.ts";
export * from "./precision.ts";
export * from "./replay.ts";
export type { ExplainOptions, SmallestChange } from "./smallest-change.ts";
export {
  nearestRule,
  type BlockTrace,
  type DirectionTrace,
  type RuleTrace,
  type StageTrace,
  type TracedClause,
} from "./trace.ts";
export * from "./reach/reach.ts";
export type { ReachGroup } from "./reach/reach-groups.ts";
export * from "./asked-end.ts";
export * from "./prove/blast.ts";
export * from "./prove/confinement.ts";
export * from "./prove/difference.ts";
export * from "./prove/paths.ts";
export type { Hop } from "./prove/packet.ts";
export type { Selection } from "./prove/selection.ts";
export * from "./prove/inclusion.ts";
export { sampleNames, withEveryName } from "./prove/circumstances.ts";
export { matchesExpression } from "./text-match.ts";
export { findRules, type RuleFinding, type RuleFindingKind } from "./lint/rule-findings.ts";
export { boxesOf } from "./lint/flow-box.ts";
export { overlap } from "./lint/cover.ts";
export { peerHolds, selects } from "./matching.ts";
export { saysTheSame, saysTheSameWithout } from "./lint/same-meaning.ts";
export * from "./estate/estate.ts";
export type { ClusterMap } from "./estate/cluster-map.ts";
export type { ClusterDecision, ClusterRow } from "./estate/cluster-rows.ts";
export type { ExpandedMap } from "./estate/expand.ts";

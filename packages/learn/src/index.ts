/** Learning: from observed edges to suggestions, with what was set aside and why. Pure; runs in a browser. */
export { APPLICATION_KEYS, applicationOf, ownerOf } from "./applications.ts";
export { DEFAULT_BEHAVIOUR, type BehaviourOptions } from "./behaviour.ts";
export { knownMembers } from "./ends.ts";
export { createRecognition, formerNames, recogniseEnds } from "./recognition.ts";
export {
  groupByCommunication,
  type Role,
  type RoleEvidence,
  type RoleOptions,
  type Roles,
} from "./roles/group-by-communication.ts";
export {
  groupWorkloads,
  isInstanceKey,
  labelsOfGroup,
  PROPOSED_KEY,
  ROLE_KEYS,
  type Group,
  type Grouping,
  type Member,
} from "./groups.ts";
export { usefulLabels } from "./roles/propose-labels.ts";
export { manifestsOf, type SuggestedManifest } from "./manifests.ts";
export { mergeEdges, spansOutside, type Span, type TimeWindow } from "./merge-edges.ts";
export { coverAddresses, unitsIn, type Cover } from "./prefix-cover.ts";
export { purposeOfPort } from "./purpose.ts";
export { readRange } from "./ranges.ts";
export { isTowards } from "./readiness/expectation-awaited.ts";
export {
  readCron,
  type CronReader,
  type CronReading,
  type CronRuns,
} from "./readiness/expectation-cron.ts";
export { sumSlack } from "./slack.ts";
export { summarise } from "./summary.ts";
export { suggest, type SuggestOptions } from "./suggest.ts";
export * from "./readiness/index.ts";

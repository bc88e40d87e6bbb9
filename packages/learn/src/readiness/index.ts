/** Readiness: how much was not seen, and what is still to come. */
export { acceptedHistories, weighHistories, type Weighed } from "./accepted.ts";
export { assessReadiness, type ReadinessInput } from "./assess.ts";
export { doubtNamed, type DoubtAnswers, type Doubts } from "./doubts.ts";
export { hiddenEdges } from "./chao.ts";
export { LEAST_DAYS, MOST_FLOWS, QUIET_DAYS } from "./limits.ts";
export { coverageDeficit, unseenInterval } from "./mass.ts";
export { readinessReport, type ReadinessReport } from "./report.ts";
export { togetherOf, unseenOf, type UnseenOptions } from "./unseen.ts";

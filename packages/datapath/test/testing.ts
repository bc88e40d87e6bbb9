/** What tests of the drivers use: random policies, and the samples that have golden texts. */
export { arbitraryHostPolicy, withoutProcesses } from "./arbitrary-policy.ts";
export { SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";
/** What tells the flows of a rollout apart, to be held against the kernel by itself. */
export { canaryRules } from "../src/canary-rules.ts";
export { V4, V6 } from "../src/family.ts";

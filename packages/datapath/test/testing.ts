/** What tests of the drivers use: random policies, and the samples that have golden texts. */
export { arbitraryHostPolicy } from "./arbitrary-policy.ts";
export { SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

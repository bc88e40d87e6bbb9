/** Whom a change of policy affects, of everybody who was seen. Pure; runs in a browser. */
export {
  createImpact,
  determinantKey,
  determinantOf,
  type Impact,
  type ImpactCounter,
} from "./impact.ts";
export { createSampleBook, type SampleBook } from "./sample-book.ts";
export { MOST_SAMPLED, SAMPLES, withSamples } from "./samples.ts";

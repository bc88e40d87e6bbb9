/** Where to start: what to confine first, what is missing, how far it has come. Pure. */
export {
  assess,
  type Assessment,
  type AssessInput,
  type Basis,
  type Jewel,
  type LiveFacts,
  type Step,
} from "./assess.ts";
export { assessAtDesk, policyFacts } from "./at-desk.ts";
export { LEVELS, type Level, type Maturity, type MaturityRow } from "./maturity.ts";
export type { Prerequisite } from "./prerequisites.ts";

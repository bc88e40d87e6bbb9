/** Proof, before the agent touches the kernel of a machine, that this kernel does what enforcement rests on. */
export { measureLatency } from "./latency.ts";
export { ensureSelfTested, SelfTestError, selfTestNow } from "./record.ts";
export type { SelfTestReport } from "./record.ts";

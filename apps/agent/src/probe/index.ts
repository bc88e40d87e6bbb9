/** Probes: connections tried on purpose, observed at both ends. */
export { sourceTowards } from "./source-towards.ts";
export { createProber, type Prober } from "./prober.ts";
export type { ProbeOutcome, ProbeRequest, ProbeResult } from "./probe.ts";

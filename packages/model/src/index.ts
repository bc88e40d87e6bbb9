/** The nouns of Bulkhead and their parsers. Everything here is pure and runs in a browser. */
export * from "./affected.ts";
export * from "./canary-bucket.ts";
export * from "./cidr.ts";
export * from "./decision.ts";
export * from "./diagnostic.ts";
export * from "./domain-pattern.ts";
export * from "./edge-history.ts";
export { linesOf } from "./configuration-lines.ts";
export {
  destinationsIn,
  type ConfigurationEntry,
  type ConfiguredDestination,
} from "./configured-destination.ts";
export * from "./expectation.ts";
export * from "./file-origin.ts";
export * from "./flow.ts";
export * from "./flow-origin.ts";
export * from "./in-turn.ts";
export * from "./group-address.ts";
export * from "./invariant.ts";
export * from "./ip.ts";
export * from "./labels.ts";
export * from "./manifest.ts";
export * from "./policy.ts";
export * from "./policy-map.ts";
export * from "./policy-size.ts";
export * from "./predicate.ts";
export * from "./canonical-policy.ts";
export * from "./port-text.ts";
export * from "./protocol.ts";
export * from "./readiness.ts";
export * from "./receipt.ts";
export * from "./request-text.ts";
export * from "./steering.ts";
export * from "./suggestion.ts";
export * from "./unit-name.ts";
export * from "./workload.ts";

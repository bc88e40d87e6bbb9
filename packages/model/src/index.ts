/** The nouns of Bulkhead and their parsers. Everything here is pure and runs in a browser. */
export * from "./canary-bucket.ts";
export * from "./cidr.ts";
export * from "./decision.ts";
export * from "./diagnostic.ts";
export * from "./flow.ts";
export * from "./in-turn.ts";
export * from "./ip.ts";
export * from "./labels.ts";
export * from "./manifest.ts";
export * from "./policy.ts";
export * from "./policy-map.ts";
export * from "./canonical-policy.ts";
export * from "./port-text.ts";
export * from "./protocol.ts";
export * from "./receipt.ts";
export * from "./suggestion.ts";
export * from "./workload.ts";

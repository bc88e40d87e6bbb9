/** The HTTP API: schemas of requests and answers, failures, published JSON Schemas, and the typed client. */
export * from "./access.ts";
export * from "./client.ts";
export * from "./decisions.ts";
export * from "./diagnostics.ts";
export * from "./failure.ts";
export * from "./flow-filters.ts";
export * from "./flow-import.ts";
export * from "./flows.ts";
export * from "./impact.ts";
export * from "./policies.ts";
export * from "./probes.ts";
export * from "./readiness.ts";
export * from "./routes.ts";
export * from "./slo.ts";
export * from "./status.ts";
export * from "./why.ts";
export * from "./workloads.ts";

/** What other tools recorded of flows: formats, and how each is read. */
export * from "./flow-format.ts";
export { FORMAT_READERS, HEAD_BYTES, otherKind, readerOf, recogniseFormat } from "./formats.ts";
export { watchFlows, type FlowWatch } from "./flow-watch.ts";
export { isPlain, quoteOf } from "./shared/values.ts";

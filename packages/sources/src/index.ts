/** What other tools recorded of flows: formats, and how each is read. */
export * from "./flow-format.ts";

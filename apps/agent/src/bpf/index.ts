/** eBPF from Node: objects, maps, links, pins, rings and what the kernel has of them. `README.md` shows how it goes together. */
export * from "./instructions.ts";
export * from "./inventory.ts";
export * from "./link.ts";
export * from "./link-info.ts";
export * from "./load-error.ts";
export * from "./map.ts";
export * from "./map-batch.ts";
export * from "./map-info.ts";
export * from "./numbers.ts";
export * from "./object.ts";
export * from "./pins.ts";
export * from "./probe.ts";
export * from "./program.ts";
export * from "./ring-reader.ts";
export * from "./test-run.ts";

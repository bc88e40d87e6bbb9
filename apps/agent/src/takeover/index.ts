/** Taking over a live machine without cutting what its policy permits. */
export { takingOver } from "./driver-that-takes-over.ts";
export { takeOverConnections, type TakeOver, type WorkloadEnd } from "./take-over.ts";

/** Taking over a live machine without cutting what its policy permits. */
export { takingOver } from "./driver-that-takes-over.ts";
export { takeOverConnections, type TakeOver } from "./take-over.ts";

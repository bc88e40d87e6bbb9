/** Taking over a live machine without cutting what its policy permits. */
export { takingOver } from "./driver-that-takes-over.ts";
export { permittedBy } from "./permitted.ts";
export { endUndecided, takeOverConnections, type End, type TakeOver } from "./take-over.ts";
export { UndecidedConnections, type Undecided } from "./undecided.ts";

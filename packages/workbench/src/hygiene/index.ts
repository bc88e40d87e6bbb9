/** Rules that permit more than was used, and how their texts would say less. Pure. */
export { createPortUse, isUse, type BroadRule, type PortUse } from "./port-use.ts";
export { portsEdit, type PortsEdit } from "./ports-edit.ts";

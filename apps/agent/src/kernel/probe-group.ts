/** The group below a unit's own from which probes speak in its name; who is in it, for a moment, is no process of the unit. */
export const PROBE_GROUP = "bulkhead-probe";

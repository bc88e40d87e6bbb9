/** The lines between states. `docs/decisions/0114` says why they are where they are. */

/** Nothing is said of what comes by the week before each of its days was looked at twice. */
export const LEAST_DAYS = 14;
/** Of a subject's connections, the share that edges never seen may have: false denies, if all else were denied. */
export const MOST_FLOWS = 0.0005;
/** Who has too few connections for the interval to show as much, shows it by so many days in a row that brought no new edge. */
export const QUIET_DAYS = 14;

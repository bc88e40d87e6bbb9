/**
 * An edge in time: on which days it was seen, and in which of their hours. Small enough to keep for years, and what
 * calendars, estimates of the unseen, and "when was this last needed" are made of. All times are UTC.
 */
import type { Edge } from "./flow.ts";
import type { FlowFormat } from "./flow-origin.ts";

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;

export interface EdgeDay {
  /** Days since the epoch. */
  readonly day: number;
  /** Bit h (0 to 23): a connection began in that hour. Zero: it only went on, or was told of later. */
  readonly hours: number;
  readonly connections: number;
}

export interface EdgeHistory {
  readonly edge: Edge;
  /** Ascending, each day once, and never empty. */
  readonly days: readonly EdgeDay[];
}

/** Hours in which somebody was looking: silence in any other hour tells nothing. */
export interface Watch {
  readonly day: number;
  /** Bit h: records of that hour came in, from any collector or import. */
  readonly hours: number;
  /**
   * The same by who told of it: a cloud's log sees other ends than our collectors do. Hours that none of these has are anybody's, and
   * count for everybody: so it is of what was written down before it was told apart.
   */
  readonly by?: Readonly<Partial<Record<FlowFormat, number>>>;
}

/** Of a day. */
export const EVERY_HOUR = 0xff_ff_ff;

/** Hours in a mask of a day. */
export function countHours(mask: number): number {
  let count = 0;
  for (let rest = mask & EVERY_HOUR; rest !== 0; rest &= rest - 1) count++;
  return count;
}

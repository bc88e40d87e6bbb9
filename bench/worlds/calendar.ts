/** Where the worlds lie in time: they begin on Monday, 1 July 2024, so that the end of a year is in their middle. All in UTC. */
import { DAY_MS } from "@bulkhead/model";

/** Days since the epoch of 1 July 2024. */
export const FIRST_DAY = 19_905;
export const HOURS = 24;
export const WEEK = 7;

/** 0: Monday. `day` counts from the beginning of the world. */
export const weekdayOf = (day: number): number => day % WEEK;

export const dateOf = (day: number): Date => new Date((FIRST_DAY + day) * DAY_MS);

/** Does a month end with this day? */
export const isMonthEnd = (day: number): boolean => dateOf(day + 1).getUTCDate() === 1;

/** The month of which it is the last day, 1 to 12; else 0. */
export const endingMonth = (day: number): number =>
  isMonthEnd(day) ? dateOf(day).getUTCMonth() + 1 : 0;

/** `2024-09-30` */
export const textOf = (day: number): string => dateOf(day).toISOString().slice(0, 10);

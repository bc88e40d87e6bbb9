/**
 * When one role calls another: steadily in the rhythm of a day and a week, by the clock, or seldom and without warning. A
 * law gives the connections to be expected of one caller in each hour of the world.
 */
import { dateOf, endingMonth, HOURS, isMonthEnd, weekdayOf } from "./calendar.ts";

/** Of a day and a week: machines know none, offices sleep at night and at weekends, shops are busiest in the evening. */
export type Rhythm = "flat" | "office" | "shop";

export type Clock = "nightly" | "weekly" | "monthly" | "month-end" | "quarterly" | "yearly";

export type Law =
  | { readonly kind: "steady"; readonly perHour: number; readonly rhythm: Rhythm }
  /** From `hour` on for `hours`, with so many connections an hour. */
  | {
      readonly kind: "clock";
      readonly clock: Clock;
      readonly hour: number;
      readonly hours: number;
      readonly perHour: number;
    }
  /** On so many occasions a year, at any hour of a working day: an error path, an administrator, a feature few know. */
  | { readonly kind: "seldom"; readonly perYear: number };

const OFFICE = [
  1, 1, 1, 1, 1, 2, 5, 20, 70, 95, 100, 100, 80, 90, 100, 95, 80, 50, 20, 10, 5, 3, 2, 1,
];
const SHOP = [
  15, 8, 5, 4, 4, 6, 12, 25, 40, 50, 55, 60, 65, 60, 55, 55, 60, 70, 85, 100, 100, 85, 55, 30,
];
const WORKING_HOURS_A_YEAR = 261 * 12;
const WEEKEND_OF_OFFICE = 0.08;
const WEEKEND_OF_SHOP = 1.3;

/** Of one caller, in each hour; a whole number of hours is `days` times 24. */
export function ratesOf(law: Law, days: number): Float32Array {
  const rates = new Float32Array(days * HOURS);
  for (let day = 0; day < days; day++) {
    for (let hour = 0; hour < HOURS; hour++) rates[day * HOURS + hour] = rateAt(law, day, hour);
  }
  return rates;
}

export function rateAt(law: Law, day: number, hour: number): number {
  const weekend = weekdayOf(day) >= 5;
  switch (law.kind) {
    case "steady":
      return law.perHour * rhythmAt(law.rhythm, hour, weekend);
    case "clock": {
      const due = isDue(law.clock, day) && hour >= law.hour && hour < law.hour + law.hours;
      return due ? law.perHour : 0;
    }
    case "seldom":
      return weekend || hour < 7 || hour >= 19 ? 0 : law.perYear / WORKING_HOURS_A_YEAR;
  }
}

function rhythmAt(rhythm: Rhythm, hour: number, weekend: boolean): number {
  switch (rhythm) {
    case "flat":
      return 1;
    case "office":
      return ((OFFICE[hour] ?? 0) / 100) * (weekend ? WEEKEND_OF_OFFICE : 1);
    case "shop":
      return ((SHOP[hour] ?? 0) / 100) * (weekend ? WEEKEND_OF_SHOP : 1);
  }
}

/** Weekly is Sunday; monthly the first; a year ends with December. */
export function isDue(clock: Clock, day: number): boolean {
  switch (clock) {
    case "nightly":
      return true;
    case "weekly":
      return weekdayOf(day) === 6;
    case "monthly":
      return dateOf(day).getUTCDate() === 1;
    case "month-end":
      return isMonthEnd(day);
    case "quarterly":
      return endingMonth(day) % 3 === 0 && endingMonth(day) > 0;
    case "yearly":
      return endingMonth(day) === 12;
  }
}

/** As cron has it, which knows no last day of a month: such jobs look at the date themselves, on each of the days it may be. */
export function cronOf({ clock, hour }: Extract<Law, { kind: "clock" }>): string {
  switch (clock) {
    case "nightly":
      return `0 ${hour} * * *`;
    case "weekly":
      return `0 ${hour} * * 0`;
    case "monthly":
      return `0 ${hour} 1 * *`;
    case "month-end":
      return `0 ${hour} 28-31 * *`;
    case "quarterly":
      return `0 ${hour} 30-31 3,6,9,12 *`;
    case "yearly":
      return `0 ${hour} 31 12 *`;
  }
}

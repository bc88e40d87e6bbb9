/**
 * When a line of cron runs: crontab(5)'s own reading, and that of Kubernetes where it differs. The arithmetic of calendars
 * and zones is croner's; what it takes besides (seconds, `L`, `W`, `#`) is refused, since no cron here would run it.
 */
import { Cron } from "croner";

export interface CronRuns {
  /** Of the first run after this moment, milliseconds since the epoch. Undefined: there is none. */
  next(after: number): number | undefined;
}

export type CronReading =
  | { readonly runs: CronRuns; readonly problem?: undefined }
  /** Sound, and yet nobody can tell when: `@reboot`, a random minute, `@every 1h` from an unknown start. */
  | { readonly runs?: undefined; readonly problem?: undefined }
  | { readonly runs?: undefined; readonly problem: string };

/** Whose reading: they differ in what counts as a star, in steps after a number, and in nicknames. */
export type CronReader = "crontab" | "kubernetes";

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const DAYS = "sun|mon|tue|wed|thu|fri|sat";
const MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
const VALUE = `(?:\\d{1,2}|${DAYS}|${MONTHS})`;
const FIELD = new RegExp(
  `^(?:(?:\\*|${VALUE}(?:-${VALUE})?)(?:/\\d{1,2})?)(?:,(?:\\*|${VALUE}(?:-${VALUE})?)(?:/\\d{1,2})?)*$`,
  "i",
);

/** `zone`: an IANA name. */
export function readCron(expression: string, zone: string, reader: CronReader): CronReading {
  const words = expression.trim().split(/\s+/);
  const [first = ""] = words;
  if (first.startsWith("@")) {
    if (reader === "crontab" ? first === "@reboot" : /^@every$/.test(first)) return {};
    const meant = NICKNAMES[first.toLowerCase()];
    return meant === undefined || words.length > 1
      ? { problem: `\`${expression}\` is no time that cron knows` }
      : readCron(meant, zone, reader);
  }
  if (words.length !== 5) {
    return { problem: `\`${expression}\` has ${words.length} fields, and cron takes five` };
  }
  // cronie draws a number from such a range each time it reads the line.
  if (reader === "crontab" && words.some((word) => /^\d*~\d*$/.test(word))) return {};
  const fields = reader === "kubernetes" ? words.map((word) => word.replace("?", "*")) : words;
  const strange = fields.find((field) => !FIELD.test(field));
  if (strange !== undefined) return { problem: `\`${strange}\` is no field of cron` };
  const [, , dayOfMonth = "", month = "", dayOfWeek = ""] = fields;
  // crontab(5): both count where neither begins with a star, else both must match. robfig/cron, which Kubernetes uses, takes a
  // star with a step for a restriction.
  const isStar = (field: string): boolean =>
    reader === "crontab" ? field.startsWith("*") : field === "*";
  const both = isStar(dayOfMonth) || isStar(dayOfWeek);
  try {
    const cron = new Cron(fields.join(" "), {
      timezone: zone,
      mode: "5-part",
      paused: true,
      fixedTimeRule: "no-wildcard",
      sloppyRanges: reader === "kubernetes",
      domAndDow: both,
    });
    // Looking for a 30th of February in all years to come is work that anybody with a crontab could give.
    if (both && isNoDate(dayOfMonth, month)) return { runs: { next: () => undefined } };
    // A zone that nobody knows is found out only now.
    cron.nextRun(new Date(0));
    return { runs: { next: (after) => cron.nextRun(new Date(after))?.getTime() } };
  } catch (error) {
    return { problem: `\`${expression}\` cannot be read: ${sentence(error)}` };
  }
}

const LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Does no month that is meant have the first day that is meant? */
function isNoDate(dayOfMonth: string, month: string): boolean {
  const days = dayOfMonth.split(",").map((part) => Number.parseInt(part, 10));
  // A star has every month, or every so many from January on.
  if (days.some(Number.isNaN) || month.includes("*")) return false;
  const lengths = month.split(",").flatMap((part) => {
    const [range = "", step = "1"] = part.split("/");
    const [from = 0, to = from] = range.split("-").map(monthOf);
    return LENGTHS.filter((_, at) => at >= from && at <= to && (at - from) % Number(step) === 0);
  });
  return lengths.length > 0 && Math.min(...days) > Math.max(...lengths);
}

function monthOf(text: string): number {
  const at = MONTHS.split("|").indexOf(text.toLowerCase());
  return at < 0 ? Number(text) - 1 : at;
}

/** Of the library's words the first sentence, without the name of its part. */
function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/^Cron\w+: /, "")
    .replace(/\. .*$/s, "")
    .replace(/\.$/, "");
}

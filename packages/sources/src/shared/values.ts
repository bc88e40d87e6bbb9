/** What somebody else's JSON holds, each value with its type checked, and which texts may be shown. */
import { STEERING, withoutSteering, type FlowEnd } from "@bulkhead/model";

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A count. protobuf's JSON writes 64-bit numbers as texts. */
export function countOf(value: unknown): number | undefined {
  const parsed = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof parsed === "number" && Number.isSafeInteger(parsed) && parsed >= 0
    ? parsed
    : undefined;
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The object that a text holds, or a word on why it holds none. */
export function parseFields(text: string): Fields | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  return fieldsOf(value) ?? "not an object";
}

export function portOf(value: unknown): number | undefined {
  const port = countOf(value);
  return port === undefined || port > 65535 ? undefined : port;
}

/** A text of nothing but digits, as a number; NaN: it is none. Quicker than a pattern, and asked for every field of every record. */
export function digitsOf(text: string | undefined): number {
  if (text === undefined || text.length === 0 || text.length > 15) return Number.NaN;
  let value = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** As `digitsOf`; 0 where it is none. */
export function digitsOrZero(text: string | undefined): number {
  const value = digitsOf(text);
  return Number.isNaN(value) ? 0 : value;
}

/** Year 5138: what is later is no time. */
const LAST_TIME = 1e14;

/** Milliseconds since the epoch of an RFC 3339 text. */
export function timeOf(value: unknown): number | undefined {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return isTime(time) ? time : undefined;
}

export function isTime(time: number): boolean {
  return time >= 0 && time < LAST_TIME;
}

/** No name of anything is longer; one that is would have a whole batch refused where it is taken. */
const LONGEST_NAME = 1024;
const LONGEST_VALUE = 4096;
const MOST_NAMES = 1000;
const MOST_LABELS = 1000;

export function isPlain(text: string, longest = LONGEST_NAME): boolean {
  return text.length <= longest && !STEERING.test(text);
}

/** Nothing in the names and labels of an end steers anything, and none is longer than names are. */
export function isHarmless({ name, labels, names = [] }: FlowEnd): boolean {
  if (!isPlain(name) || names.length > MOST_NAMES) return false;
  if (!names.every((one) => isPlain(one))) return false;
  const entries = Object.entries(labels);
  return (
    entries.length <= MOST_LABELS &&
    entries.every(([key, value]) => isPlain(key) && isPlain(value, LONGEST_VALUE))
  );
}

const QUOTE_LENGTH = 120;

/** What follows a question mark, up to a blank or a quotation mark: a query string where the text is a request. */
const QUERY = /\?[^\s"'?…]+/g;

/** The beginning of what could not be read, for people: one line that steers nothing, and shows nothing of a query string. */
export function quoteOf(text: string): string {
  // Cut first: of a line of any length no more is looked at than may be shown.
  const plain = text.slice(0, QUOTE_LENGTH).replaceAll(QUERY, "?…");
  const short = text.length > QUOTE_LENGTH && !plain.endsWith("…") ? `${plain}…` : plain;
  return withoutSteering(short.replaceAll("\t", " "));
}

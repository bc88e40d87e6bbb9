/** Parses what people type: durations, moments, and the far end of a connection (`B:5432`, `[fd00::1]:53/udp`). */
import { badInput } from "./failure.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `10m`, `1h30m`, `2d`; a bare number is seconds. Milliseconds. */
export function parseDuration(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(ms|s|m|h|d|w))+$/.test(text)) {
    throw badInput(`\`${text}\` is not a duration`, "write it like 90s, 10m, 1h30m or 2d");
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdw])/g)) {
    total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  }
  return total;
}

const DAY_MS = 86_400_000;

/** `--confirm`: with its unit, for a second misread as a minute cuts somebody off; between a second and a day. Seconds. */
export function parseConfirm(text: string): number {
  if (/^\d+$/.test(text)) {
    throw badInput(
      `\`--confirm ${text}\` has no unit`,
      `write ${text}s for seconds, ${text}m for minutes`,
    );
  }
  const time = parseDuration(text);
  if (time < 1000)
    throw badInput(`\`--confirm ${text}\` is too short to confirm anything`, "give at least 1s");
  if (time > DAY_MS)
    throw badInput(`\`--confirm ${text}\` is longer than a day`, "give at most 24h");
  return Math.round(time / 1000);
}

/** A duration before now, or a date and time (ISO 8601; UTC unless it says otherwise). Milliseconds since the epoch. */
export function parseMoment(text: string, now: number): number {
  // Ten digits and more are no duration a person means: seconds, or milliseconds, since the epoch.
  if (/^\d{13,}$/.test(text)) return Number(text);
  if (/^\d{10,12}$/.test(text)) return Number(text) * 1000;
  // Of days that are taken for seconds nearly every rule is unused, and nearly every flow is too old.
  if (/^\d+$/.test(text)) {
    throw badInput(
      `\`${text}\` has no unit`,
      `write ${text}m for minutes ago, ${text}h for hours, ${text}d for days`,
    );
  }
  if (/^(\d+(ms|s|m|h|d|w))+$/.test(text)) return now - parseDuration(text);
  const iso = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) || text.length === 10;
  const time = iso.test(text)
    ? Date.parse(zoned ? text : `${text.replace(" ", "T")}Z`)
    : Number.NaN;
  if (Number.isNaN(time)) {
    throw badInput(
      `\`${text}\` is not a time`,
      "write how long ago (10m, 2h, 7d) or a date and time (2026-03-31T17:00:00Z)",
    );
  }
  return time;
}

/** `--since` and `--until` of one verb, as the fields of its request. */
export function parseSpan(
  { since, until }: { readonly since?: string; readonly until?: string },
  now: number,
): { readonly since?: number; readonly until?: number } {
  const [from, to] = [since, until].map((text) =>
    text === undefined ? undefined : parseMoment(text, now),
  );
  if (from !== undefined && to !== undefined && from >= to) {
    throw badInput(
      `\`--since ${since}\` is not before \`--until ${until}\``,
      "`--since 2h --until 1h` is the hour before the last one",
    );
  }
  return {
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
  };
}

export interface Target {
  readonly to: string;
  readonly port: string;
}

const EXAMPLE =
  "write it like web:80, shop/db:5432/tcp, dns:53/udp, db:icmp/echo-request or [fd00::1]:443";

/** The destination and port of `explain A B:5432`. */
export function parseTarget(text: string): Target {
  const bracketed = /^\[([^\]]+)\]:(.+)$/.exec(text);
  if (bracketed !== null) return { to: bracketed[1] ?? "", port: bracketed[2] ?? "" };
  const parts = text.split(":");
  if (parts.length > 2) {
    throw badInput(
      `\`${text}\` could end in a port or be an IPv6 address`,
      `put the address in brackets: [${parts.slice(0, -1).join(":")}]:${parts.at(-1)}`,
    );
  }
  const [to = "", port = ""] = parts;
  if (parts.length < 2 || port === "") throw badInput(`\`${text}\` has no port`, EXAMPLE);
  if (to === "") throw badInput(`\`${text}\` has no destination`, EXAMPLE);
  return { to, port };
}

export function parseWhole(text: string, what: string): number {
  if (!/^\d{1,15}$/.test(text)) throw badInput(`\`${text}\` is not ${what}`, "give a whole number");
  return Number(text);
}

/** Options given several times, or once with commas. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(",").filter((part) => part !== "")];
}

/** Options given several times, each whole: commas belong to what is said. */
export function gather(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Options of which the last would silently win: a file that is not read must not look as if it were. */
export function once(option: string): (text: string, before?: string) => string {
  return (text, before) => {
    if (before === undefined) return text;
    throw badInput(`\`${option}\` is given twice`, "give one file");
  };
}

/** `--format` tells of the file of `--flows`. */
export function refuseLoneFormat(options: {
  readonly flows?: string;
  readonly format?: string;
}): void {
  if (options.format === undefined || options.flows !== undefined) return;
  throw badInput("`--format` is about the file of `--flows`", "give `--flows FILE`");
}

/** Readiness in words, the same on the terminal, in a pull request and in a report. Dates are UTC. */
import {
  AGENT_ORIGIN,
  type Awaited,
  type CalendarGap,
  type DoubtfulEdge,
  type FlowFormat,
  type FlowOrigin,
  type Interval,
  type Readiness,
} from "@bulkhead/model";
import { many } from "./words.ts";

export const READINESS_STATES: Readonly<Record<Readiness["state"], string>> = {
  learning: "learning",
  ready: "ready",
  "ready-except": "ready except",
};

/** `2026-12-01` */
export const dayText = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** `2026-12-01 03:00Z` */
const hourText = (time: number): string =>
  `${new Date(time).toISOString().slice(0, 16).replace("T", " ")}Z`;

/** `12 edges in 30 days`; of who was never seen, `nothing`. */
export function seenText({ unseen }: Readiness): string {
  if (unseen.seen === 0) return "nothing";
  return `${many(unseen.seen, "edge")} in ${many(unseen.units, unseen.unit)}`;
}

/** `0.3 % (0–2.1 %)`; two digits, since there are no more to it. */
export function shareText(value: number, { low, high }: Interval): string {
  const number = (share: number): string => String(Number((share * 100).toPrecision(2)));
  return `${number(value)} % (${number(low)}–${number(high)} %)`;
}

/** Of one unit of time nothing can be estimated: a number would look like one that was. */
const LEAST_UNITS = 2;

/** Of the edges that come along, the share never seen; `connections`: of connections. */
export function unseenText({ unseen }: Readiness, of: "edges" | "connections" = "edges"): string {
  if (unseen.units < LEAST_UNITS) return "unknown";
  return of === "edges"
    ? shareText(unseen.mass, unseen.massInterval)
    : shareText(unseen.flows, unseen.flowsInterval);
}

/** When it will be ready, or so much as can be said of it. */
export function dateText(one: Readiness): string {
  if (one.state === "ready") return "now";
  const except = one.exceptAt === undefined ? undefined : `except ${dayText(one.exceptAt)}`;
  const whole = one.readyAt === undefined ? undefined : dayText(one.readyAt);
  if (except !== undefined && whole !== undefined && !except.endsWith(whole)) {
    return `${whole} (${except})`;
  }
  if (whole !== undefined) return whole;
  if (except !== undefined) return except;
  return one.notBefore === undefined ? "no date" : `not before ${dayText(one.notBefore)}`;
}

/** `timer backup.timer`, `postgresql db.example.com:5432`, `the end of a month`. */
export function awaitedName(awaited: Awaited): string {
  if (awaited.kind === "schedule") return awaited.schedule.name;
  if (awaited.kind === "addresses") return `new addresses of ${awaited.name}:${awaited.port}`;
  if (awaited.kind === "doubt") return `a word on ${awaited.edge}`;
  const { scheme, host, port } = awaited.dependency;
  const target = host.includes(":") ? `[${host}]` : host;
  return `${scheme === undefined ? "" : `${scheme} `}${target}${port === undefined ? "" : `:${port}`}`;
}

/** What it is, where that is written, and when it comes. `command`: how a person asked, and so answers. */
export function awaitedText(awaited: Awaited, command = "bulkhead readiness"): string {
  if (awaited.kind === "doubt") return doubtText(awaited, command);
  if (awaited.kind === "dependency") {
    const { workload, place } = awaited.dependency;
    return `${awaitedName(awaited)}, configured in ${place} of ${workload}: never called`;
  }
  if (awaited.kind === "addresses") {
    const { name, port, later, days, newest } = awaited;
    const came = `${later} in ${many(days, "day")}, the last on ${dayText(newest)}`;
    return `${name}:${port} brings new addresses (${came}): name its range with \`suggest --range\`, or run suggest again when it changes`;
  }
  const { expression, node, nextRun } = awaited.schedule;
  const where = node === undefined ? "" : ` on ${node}`;
  const when = nextRun === undefined ? "nobody can tell when" : `runs ${hourText(nextRun)}`;
  return `${awaitedName(awaited)} (${expression})${where}: not seen to run, ${when}`;
}

function doubtText(
  { edge, reason, detail, connections, firstSeen, lastSeen }: DoubtfulEdge,
  command: string,
): string {
  const days = [...new Set([firstSeen, lastSeen].map(dayText))].join(" to ");
  const word = `'${edge.replaceAll("→", "->").replaceAll("'", `'\\''`)}'`;
  return `${edge} is doubtful (${reason}): ${detail}; ${many(connections, "connection")}, ${days}: \`${command} --accept ${word}\` if it is needed, \`--reject\` if not`;
}

export const gapText = ({ text, next }: CalendarGap): string => `${text} (${dayText(next)})`;

/** By name first: a person can do something about these. */
export function waitsFor({
  awaited,
  moreDoubts = 0,
  calendar,
}: Pick<Readiness, "awaited" | "moreDoubts" | "calendar">): readonly string[] {
  return [
    ...awaited.map(awaitedName),
    ...(moreDoubts === 0 ? [] : [`a word on ${many(moreDoubts, "more doubtful edge")}`]),
    ...calendar.map(({ text }) => text),
  ];
}

/** `gcp-vpc: 1 in 10 packets`. */
export function weakenedText({ format, sampling, direction, aggregation }: FlowOrigin): string {
  const parts = [
    ...(sampling > 1 ? [`1 in ${sampling} packets`] : []),
    ...(direction === "guessed" ? ["who called whom is guessed"] : []),
    ...(aggregation > 0 ? [`summed over ${Math.round(aggregation / 1000)} s`] : []),
  ];
  return `${format}: ${parts.join(", ")}`;
}

/** `seen by import of aws-vpc only`, `agent told of 80 % of connections (20 % alone), …`; nothing where our own collectors alone told. */
export function toldText({ told = [] }: Pick<Readiness, "told">): readonly string[] {
  const [first] = told;
  if (first === undefined) return [];
  if (!told.some(({ format }) => format === AGENT_ORIGIN.format)) {
    return [importText(told.map(({ format }) => format))];
  }
  const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;
  const shares = told.map(({ format, connections, alone }) => {
    const who = format === AGENT_ORIGIN.format ? "our collectors" : `import of ${format}`;
    return `${who} ${percent(connections)} (${percent(alone)} alone)`;
  });
  return [`of its connections told ${shares.join(", ")}`];
}

export const importText = (formats: readonly FlowFormat[]): string =>
  `seen by import of ${formats.join(" and ")} only`;

const NAMED = 4;

/** One line for a report: how complete the picture is, and what it still waits for. */
export function readinessLine(one: Readiness): string {
  const weakened = [...toldText(one), ...one.weakened.map(weakenedText)]
    .map((text) => `; ${text}`)
    .join("");
  const unseen = `${seenText(one)}; unseen ${unseenText(one)}${weakened}`;
  const waits = waitsFor(one);
  const rest = waits.length - NAMED;
  const list = `${waits.slice(0, NAMED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
  switch (one.state) {
    case "ready":
      return `ready: ${unseen}`;
    case "ready-except":
      return `ready except for ${list}: ${unseen}`;
    case "learning":
      return `learning (${one.reason}): ${unseen}${waits.length === 0 ? "" : `; waits for ${list}`}`;
  }
}

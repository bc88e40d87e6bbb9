/**
 * A flow filter as SQL whose values are all bound by the server: user input never becomes part of the text. Addresses, labels
 * and names are tested by `flowFits`' own words on the few distinct values there are, and the query looks those up.
 */
import { DAY_MS, type Labels } from "@bulkhead/model";
import { called, inside, labelled } from "../flows/flow-fits.ts";
import type { FlowFilter } from "../flows/flow-store.ts";

export type Parameter = string | number | readonly string[] | readonly number[];

export interface Condition {
  readonly where: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
}

/** Distinct values of columns in the rows of a condition. */
export type Distinct = (columns: readonly string[], among: Condition) => Promise<readonly string[]>;

/** All that is asked but the time. */
export async function conditionOf(filter: FlowFilter, distinct: Distinct): Promise<Condition> {
  const terms: string[] = [];
  const parameters: Record<string, Parameter> = {};
  const bind = (type: string, value: Parameter): string => {
    const name = `p${Object.keys(parameters).length}`;
    parameters[name] = value;
    return `{${name}:${type}}`;
  };
  const among = (column: string, values: readonly string[]): string =>
    `${column} IN ${bind("Array(String)", values)}`;
  const { verdicts, from, to, either, protocols, ports } = filter;
  if (verdicts !== undefined) terms.push(among("verdict", verdicts));
  if (from !== undefined) terms.push(among("src_name", from));
  if (to !== undefined) terms.push(among("dst_name", to));
  if (either !== undefined)
    terms.push(`(${among("src_name", either)} OR ${among("dst_name", either)})`);
  if (protocols !== undefined) terms.push(`protocol IN ${bind("Array(UInt32)", protocols)}`);
  if (ports !== undefined) {
    const ranges = ports.map(
      ({ protocol, first, last }) =>
        `(protocol = ${bind("UInt32", protocol)} AND port BETWEEN ${bind("UInt32", first)} AND ${bind("UInt32", last)})`,
    );
    terms.push(ranges.length === 0 ? "false" : `(${ranges.join(" OR ")})`);
  }
  if (!filter.probes) terms.push("NOT probe");
  const condition = (): Condition => ({
    where: terms.length === 0 ? "true" : terms.join(" AND "),
    parameters: { ...parameters },
  });
  for (const { columns, holds } of testsOf(filter)) {
    const found = (await distinct(columns, condition())).filter(holds);
    terms.push(`(${columns.map((column) => among(column, found)).join(" OR ")})`);
  }
  return condition();
}

interface Test {
  /** One of them must hold it. */
  readonly columns: readonly string[];
  readonly holds: (value: string) => boolean;
}

function testsOf(filter: FlowFilter): readonly Test[] {
  const tests: Test[] = [];
  for (const [ranges, ...columns] of [
    [filter.fromIps, "src_address"],
    [filter.toIps, "dst_address"],
    [filter.eitherIps, "src_address", "dst_address"],
  ] as const) {
    if (ranges !== undefined) tests.push({ columns, holds: (text) => inside(ranges, text) });
  }
  for (const [selectors, ...columns] of [
    [filter.fromLabels, "src_labels"],
    [filter.toLabels, "dst_labels"],
    [filter.eitherLabels, "src_labels", "dst_labels"],
  ] as const) {
    if (selectors === undefined) continue;
    tests.push({ columns, holds: (text) => labelled(selectors, JSON.parse(text) as Labels) });
  }
  for (const [patterns, ...columns] of [
    [filter.fromNames, "src_names"],
    [filter.toNames, "dst_names"],
    [filter.eitherNames, "src_names", "dst_names"],
  ] as const) {
    if (patterns === undefined) continue;
    const holds = (text: string): boolean =>
      text !== "" && called(patterns, JSON.parse(text) as string[]);
    tests.push({ columns, holds });
  }
  return tests;
}

export interface Span {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** Numbers of ours, whole: they may stand in the text. */
export const during = ({ since, until }: Span): string =>
  [
    ...(since === undefined ? [] : [`start_ms >= ${Math.ceil(since)}`]),
    ...(until === undefined ? [] : [`start_ms < ${Math.ceil(until)}`]),
  ].join(" AND ") || "true";

/** Days that a span holds whole, and those that it cuts. */
export interface Days {
  readonly whole: string;
  readonly cut: readonly number[];
}

export function daysOf({ since, until }: Span): Days {
  const first = since === undefined ? undefined : Math.ceil(since / DAY_MS);
  const end = until === undefined ? undefined : Math.floor(until / DAY_MS);
  const cut = [
    ...(since !== undefined && since % DAY_MS !== 0 ? [Math.floor(since / DAY_MS)] : []),
    ...(until !== undefined && until % DAY_MS !== 0 ? [Math.floor(until / DAY_MS)] : []),
  ];
  const whole = [
    ...(first === undefined ? [] : [`day >= ${first}`]),
    ...(end === undefined ? [] : [`day < ${end}`]),
  ];
  return { whole: whole.join(" AND ") || "true", cut: [...new Set(cut)] };
}

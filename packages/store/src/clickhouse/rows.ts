/** Flows and edges as rows of ClickHouse's: what is absent is empty text there, and null in an answer. */
import { AGENT_ORIGIN, type Edge, type Flow, type FlowEnd, type FlowOrigin } from "@bulkhead/model";
import type { FlowVerdict, Labels } from "@bulkhead/model";

export const INSERTED = [
  ..."era start_ms end_ms".split(" "),
  ...["src", "dst"].flatMap((side) =>
    ["address", "workload", "name", "labels", "names", "process"].map((one) => `${side}_${one}`),
  ),
  ..."protocol port source_port verdict cookie direction rule probe node origin request".split(" "),
  ..."connections established failed bytes packets".split(" "),
] as unknown as readonly [string, ...string[]];

/** Labels of a workload are one object for as long as they do not change: serialise them once. */
const texts = new WeakMap<object, string>();

function textOf(value: object | undefined): string {
  if (value === undefined) return "";
  let text = texts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(value, text);
  }
  return text;
}

/** Whole and not negative, as the columns are. */
const whole = (value: number): number => Math.max(0, Math.trunc(value));

export function rowOf(flow: Flow, era: number): readonly unknown[] {
  const end = ({ address, workload = "", name, labels, names, process }: FlowEnd) => [
    address,
    workload,
    name,
    textOf(labels),
    textOf(names),
    textOf(process),
  ];
  const { cookie = "", direction = "", rule = "", probe = false, node = "" } = flow;
  return [
    era,
    Math.trunc(flow.start),
    Math.trunc(flow.end),
    ...end(flow.source),
    ...end(flow.destination),
    flow.protocol,
    flow.port,
    flow.sourcePort,
    flow.verdict,
    cookie,
    direction,
    rule,
    probe,
    node,
    textOf(flow.origin),
    textOf(flow.request),
    whole(flow.connections),
    whole(flow.established),
    whole(flow.failed),
    whole(flow.bytes),
    whole(flow.packets),
  ];
}

/** As JSON gives it; numbers of 64 bits are numbers, and times and counts fit into one. */
export interface EdgeRow {
  readonly src_address: string;
  readonly src_workload: string;
  readonly src_name: string;
  readonly src_labels: string;
  readonly src_names: readonly string[];
  readonly dst_address: string;
  readonly dst_workload: string;
  readonly dst_name: string;
  readonly dst_labels: string;
  readonly dst_names: readonly string[];
  readonly protocol: number;
  readonly port: number;
  readonly verdict: FlowVerdict;
  readonly rule: string;
  readonly probe: boolean;
  readonly origins: readonly string[];
  readonly connections: number;
  readonly established: number;
  readonly failed: number;
  readonly bytes: number;
  readonly packets: number;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly windows: number;
  /** `[day, hours, connections]` */
  readonly days?: readonly (readonly [number, number, number])[];
}

/** Many edges share an end: it is read once. */
export function createEdgeReader(): (row: EdgeRow) => Edge {
  const ends = new Map<string, FlowEnd>();
  const endOf = (
    address: string,
    workload: string,
    name: string,
    labels: string,
    lists: readonly string[],
  ): FlowEnd => {
    const key = `${address}\n${workload}\n${name}\n${labels}\n${lists.join("\n")}`;
    let end = ends.get(key);
    if (end === undefined) {
      const names = lists.flatMap((list) => (list === "" ? [] : (JSON.parse(list) as string[])));
      end = {
        address,
        ...(workload === "" ? {} : { workload }),
        name,
        labels: JSON.parse(labels) as Labels,
        ...(names.length === 0 ? {} : { names: [...new Set(names)].toSorted() }),
      };
      ends.set(key, end);
    }
    return end;
  };
  return (row) => ({
    ...originsOf(row.origins),
    source: endOf(row.src_address, row.src_workload, row.src_name, row.src_labels, row.src_names),
    destination: endOf(
      row.dst_address,
      row.dst_workload,
      row.dst_name,
      row.dst_labels,
      row.dst_names,
    ),
    protocol: row.protocol,
    port: row.port,
    verdict: row.verdict,
    ...(row.rule === "" ? {} : { rule: row.rule }),
    ...(row.probe ? { probe: true } : {}),
    connections: row.connections,
    established: row.established,
    failed: row.failed,
    bytes: row.bytes,
    packets: row.packets,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    windows: row.windows,
  });
}

function originsOf(texts: readonly string[]): Pick<Edge, "origins"> {
  if (texts.every((text) => text === "")) return {};
  return {
    origins: texts
      .toSorted()
      .map((text) => (text === "" ? AGENT_ORIGIN : (JSON.parse(text) as FlowOrigin))),
  };
}

/**
 * Names the record that a flow was made of by what the record itself says, so that it is known again in another file: times,
 * both ends with their ports, sums, who told it. Left out is what a reader makes of it from what stood before it in the file
 * (which end called, how many connections began with it), and what an export adds from what was in force when it was made.
 * Records that say the very same are counted through within a file: of two files with two and three of them, three are kept.
 * The name of the store is part of it: who chooses times, ports and sizes of his own traffic could else look for two records
 * that have one name, and have the second left out.
 */
import { hash } from "node:crypto";
import type { Flow } from "@bulkhead/model";

/** Of so many records back it is known how often the very same was told, and of up to twice as many. */
const COUNTED_BACK = 131_072;

/** Sixteen hexadecimal digits. `store`: which one is imported into. `turned`: as the reader told, which way the record was. */
export function createRecordNames(
  store: string,
  countedBack = COUNTED_BACK,
): (flow: Flow, turned?: boolean) => string {
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  return (flow, turned) => {
    const text = `${store}\n${recordText(flow, turned)}`;
    const name = digestOf(text);
    const before = young.get(name) ?? old.get(name) ?? 0;
    if (young.size >= countedBack) {
      old = young;
      young = new Map();
    }
    young.set(name, before + 1);
    return before === 0 ? name : digestOf(`${text}\n${before}`);
  };
}

const digestOf = (text: string): string => hash("sha256", text, "hex").slice(0, 16);

function recordText(flow: Flow, turned = false): string {
  const { source, destination, request, origin } = flow;
  const ends = [`${source.address} ${flow.sourcePort}`, `${destination.address} ${flow.port}`];
  const format = origin?.format ?? "bulkhead";
  // Ours alone tells connections of each record by itself.
  const counts =
    format === "bulkhead" ? `${flow.connections} ${flow.established} ${flow.failed}` : "";
  const asked =
    request === undefined
      ? ""
      : `${request.method} ${request.host ?? ""} ${request.path} ${request.status ?? ""}`;
  return [
    format,
    flow.node ?? "",
    `${flow.protocol} ${flow.verdict} ${flow.start} ${flow.end} ${flow.bytes} ${flow.packets}`,
    ...(turned ? ends.toReversed() : ends),
    counts,
    flow.direction ?? "",
    asked,
  ].join("\n");
}

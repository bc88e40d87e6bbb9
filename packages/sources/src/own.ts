/**
 * Our own flows, as `flows export` and `observe --follow -o json` write them: one a line, both ends named as they were. An origin
 * that they bear is kept: a file of ours may hold what was imported from another. A line bears the name of its
 * store, and is no news to that one.
 */
import {
  canonicalIp,
  FLOW_FORMATS,
  FLOW_VERDICTS,
  type Flow,
  type FlowEnd,
  type FlowOrigin,
  type FlowRequest,
  type Labels,
} from "@bulkhead/model";
import type { FlowFormatReader } from "./flow-format.ts";
import { headLines, readTextLines } from "./shared/text-lines.ts";
import {
  countOf,
  fieldsOf,
  isHarmless,
  isPlain,
  isTime,
  parseFields,
  portOf,
  textOf,
  textsOf,
  type Fields,
} from "./shared/values.ts";

const ORIGIN: FlowOrigin = { format: "bulkhead", sampling: 1, aggregation: 0, direction: "told" };

/** Counted as no flow, since this one is there. */
export const FROM_THIS_STORE = "exported from this very store, which has it";

export const bulkhead: FlowFormatReader = {
  name: "bulkhead",
  title: "Bulkhead's own flows, JSON Lines of `flows export` and `observe --follow -o json`",
  recognises: (head) =>
    headLines(head, 3).some((line) => {
      const flow = parseFields(line);
      return typeof flow !== "string" && typeof readFlow(flow) !== "string";
    }),
  open: (sink, { store } = {}) =>
    readTextLines(sink, {
      origin: ORIGIN,
      line(text, malformed) {
        const fields = parseFields(text);
        const flow = typeof fields === "string" ? fields : readFlow(fields);
        if (typeof flow === "string") malformed(flow);
        else if (store !== undefined && typeof fields !== "string" && fields["store"] === store)
          sink.other(FROM_THIS_STORE);
        else if (flow.probe === true) sink.other("own probes");
        else sink.flow(flow);
      },
    }),
};

/** Or what is wrong with it. */
function readFlow(fields: Fields): Flow | string {
  const start = fields["start"];
  const end = fields["end"];
  if (typeof start !== "number" || typeof end !== "number" || !isTime(start) || !isTime(end)) {
    return "no `start` and `end`";
  }
  const source = readEnd(fields["source"]);
  const destination = readEnd(fields["destination"]);
  if (source === undefined || destination === undefined) return "no `source` and `destination`";
  const protocol = countOf(fields["protocol"]);
  const port = portOf(fields["port"]);
  if (protocol === undefined || protocol > 255 || port === undefined) {
    return "no `protocol` and `port`";
  }
  const verdict = FLOW_VERDICTS.find((known) => known === fields["verdict"]);
  if (verdict === undefined) return "no `verdict`";
  const count = (name: string): number => countOf(fields[name]) ?? 0;
  const request = readRequest(fieldsOf(fields["request"]));
  const plain = (name: "node" | "rule", longest: number): string | undefined => {
    const text = textOf(fields[name]);
    return text !== undefined && isPlain(text, longest) ? text : undefined;
  };
  const node = plain("node", 255);
  const rule = plain("rule", 1024);
  const direction = fields["direction"];
  return {
    start,
    end,
    source,
    destination,
    protocol,
    port,
    sourcePort: portOf(fields["sourcePort"]) ?? 0,
    verdict,
    connections: count("connections"),
    established: count("established"),
    failed: count("failed"),
    bytes: count("bytes"),
    packets: count("packets"),
    origin: readOrigin(fieldsOf(fields["origin"])),
    ...(node === undefined ? {} : { node }),
    ...(rule === undefined ? {} : { rule }),
    ...(direction === "egress" || direction === "ingress" ? { direction } : {}),
    ...(request === undefined ? {} : { request }),
    ...(fields["probe"] === true ? { probe: true } : {}),
  };
}

function readEnd(value: unknown): FlowEnd | undefined {
  const fields = fieldsOf(value);
  const address = canonicalIp(textOf(fields?.["address"]) ?? "");
  const name = textOf(fields?.["name"]);
  if (fields === undefined || address === null || name === undefined) return undefined;
  const workload = textOf(fields["workload"]);
  const names = textsOf(fields["names"]);
  const end: FlowEnd = {
    address,
    ...(workload === undefined ? {} : { workload }),
    name,
    labels: readLabels(fieldsOf(fields["labels"])),
    ...(names.length === 0 ? {} : { names: [...new Set(names)].toSorted() }),
  };
  return isHarmless(end) && isPlain(workload ?? "") ? end : undefined;
}

function readLabels(fields: Fields | undefined): Labels {
  const entries = Object.entries(fields ?? {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function readOrigin(fields: Fields | undefined): FlowOrigin {
  const format = FLOW_FORMATS.find((known) => known === fields?.["format"]);
  // What another's agent saw was not seen by ours.
  if (fields === undefined || format === undefined || format === "agent") return ORIGIN;
  return {
    format,
    sampling: Math.max(1, countOf(fields["sampling"]) ?? 1),
    aggregation: countOf(fields["aggregation"]) ?? 0,
    direction: fields["direction"] === "guessed" ? "guessed" : "told",
  };
}

function readRequest(fields: Fields | undefined): FlowRequest | undefined {
  const method = textOf(fields?.["method"]);
  const path = textOf(fields?.["path"]);
  if (fields === undefined || method === undefined || path === undefined) return undefined;
  const host = textOf(fields["host"]);
  const status = countOf(fields["status"]);
  if (!isPlain(method, 64) || !isPlain(path, 8192) || !isPlain(host ?? "")) return undefined;
  return {
    method,
    path: path.replace(/[?#].*$/s, ""),
    ...(host === undefined ? {} : { host }),
    ...(status === undefined ? {} : { status }),
  };
}

/**
 * Calico's flow logs as Enterprise and Cloud write them: JSON Lines, summed over an interval, told at both ends. Pods are
 * named with their labels; what was summed so far that an address is gone is no flow here.
 * https://docs.tigera.io/calico-enterprise/latest/observability/elastic/flow/datatypes
 */
import { ICMP, ICMPV6, type Flow, type FlowEnd, type FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader } from "./flow-format.ts";
import { SummedOrigin } from "./shared/interval.ts";
import { headObjects, readJsonObjects } from "./shared/json-reader.ts";
import { KnownConnections, wordOfPorts, wordOfText } from "./shared/known-connections.ts";
import { createNamedEnds, type NamedEnds } from "./shared/named-ends.ts";
import { protocolOf } from "./shared/protocols.ts";
import {
  countOf,
  fieldsOf,
  isPlain,
  isTime,
  portOf,
  textOf,
  textsOf,
  type Fields,
} from "./shared/values.ts";

export const calico: FlowFormatReader = {
  name: "calico",
  title: "Calico's flow logs, JSON",
  recognises: (head) => headObjects(head).some((fields) => isOurs(flowOf(fields))),
  open: (sink) => {
    const ends = createNamedEnds();
    const origins = new SummedOrigin("calico", 1);
    const seen = new KnownConnections();
    return readJsonObjects(sink, {
      get origin() {
        return origins.whole;
      },
      object(fields, malformed) {
        const record = flowOf(fields);
        if (!isOurs(record)) return sink.other("a record of another log");
        const flow = readFlow(record, ends, origins);
        if (typeof flow === "string") return malformed(flow);
        if ("other" in flow) return sink.other(flow.other);
        // Both ends tell of what was allowed; what was denied was seen once, or at either end for its own reason.
        const isAgain =
          flow.verdict === "forwarded" &&
          seen.meet(
            wordOfText(flow.source.address) ^ (flow.start / 1000),
            wordOfText(flow.destination.address),
            wordOfPorts(flow.protocol, flow.port, flow.sourcePort),
          ) &&
          seen.state !== reporterOf(record);
        if (isAgain) return sink.other("told at the other end, too");
        if (flow.verdict === "forwarded") seen.state = reporterOf(record);
        sink.flow(flow);
      },
    });
  },
};

/** Of an Elasticsearch export, or by itself. */
function flowOf(fields: Fields): Fields {
  return fieldsOf(fields["_source"]) ?? fields;
}

function isOurs(fields: Fields): boolean {
  return ["start_time", "source_type", "dest_type", "reporter", "action"].every(
    (key) => key in fields,
  );
}

function reporterOf(fields: Fields): number {
  return fields["reporter"] === "src" ? 1 : 2;
}

function readFlow(
  fields: Fields,
  ends: NamedEnds,
  origins: SummedOrigin,
): Flow | { readonly other: string } | string {
  const start = momentOf(fields["start_time"]);
  if (start === undefined) return "no `start_time`";
  const end = momentOf(fields["end_time"]) ?? start;
  const protocol = protocolOf(fields["proto"]);
  if (protocol === undefined) return "no `proto`";
  if (protocol === ICMP || protocol === ICMPV6) return { other: "ICMP without its type" };
  const action = fields["action"];
  if (action !== "allow" && action !== "deny") return "an `action` that is none";
  if (addressOf(fields, "source") === undefined || addressOf(fields, "dest") === undefined) {
    return { other: "ends without addresses (aggregated)" };
  }
  const source = endOf(fields, "source", ends);
  const destination = endOf(fields, "dest", ends);
  if (source === undefined || destination === undefined) return "no addresses or names";
  const port = portOf(fields["dest_port"] ?? 0);
  if (port === undefined) return "no `dest_port`";
  const count = (name: string): number => countOf(fields[name]) ?? 0;
  const begun = countOf(fields["num_flows_started"]) ?? count("num_flows");
  const isAnswered = count("packets_in") > 0 && count("packets_out") > 0;
  const isDenied = action === "deny";
  const host = textOf(fields["host"]);
  const origin: FlowOrigin = origins.of(Math.max(0, end - start), "told");
  return {
    start,
    end,
    source,
    destination,
    protocol,
    port,
    sourcePort: portOf(fields["source_port"] ?? 0) ?? 0,
    verdict: isDenied ? "dropped" : "forwarded",
    connections: isDenied ? Math.max(1, count("num_flows")) : begun,
    established: !isDenied && isAnswered ? begun : 0,
    failed: isDenied ? Math.max(1, count("num_flows")) : isAnswered ? 0 : begun,
    bytes: count("bytes_in") + count("bytes_out"),
    packets: count("packets_in") + count("packets_out"),
    origin,
    ...(host !== undefined && host.length < 255 && isPlain(host) ? { node: host } : {}),
  };
}

/** Seconds since the epoch, or milliseconds. */
function momentOf(value: unknown): number | undefined {
  const count = countOf(value);
  const time = count === undefined ? Number.NaN : count < 1e11 ? count * 1000 : count;
  return isTime(time) ? time : undefined;
}

function told(value: unknown): string | undefined {
  const text = textOf(value);
  return text === "-" ? undefined : text;
}

function addressOf(fields: Fields, side: "source" | "dest"): string | undefined {
  return told(fields[`${side}_ip`]);
}

function endOf(fields: Fields, side: "source" | "dest", ends: NamedEnds): FlowEnd | undefined {
  const address = addressOf(fields, side) ?? "";
  const type = fields[`${side}_type`];
  if (type !== "wep" && type !== "hep") return ends.at(address, undefined, undefined);
  // Summed up, pods of one kind share the beginning of their names.
  const summed = told(fields[`${side}_name_aggr`])?.replace(/-?\*$/, "");
  const name = told(fields[`${side}_name`]) ?? (summed === "" ? undefined : summed);
  const labels = fieldsOf(fields[`${side}_labels`])?.["labels"] ?? fields[`${side}_labels`];
  return ends.at(address, told(fields[`${side}_namespace`]), name, textsOf(labels));
}

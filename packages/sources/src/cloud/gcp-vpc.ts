/**
 * GCP VPC flow logs as Cloud Logging exports them: JSON entries, one a line or in an array. Sampled and summed by the source,
 * one record a direction; GKE's pods and VMs are named by it.
 * Fields: https://cloud.google.com/vpc/docs/about-flow-logs-records
 */
import type { FlowEnd } from "@bulkhead/model";
import type { FlowFormatReader } from "../flow-format.ts";
import { wordOfText } from "../shared/known-connections.ts";
import { headObjects, readJsonObjects } from "../shared/json-reader.ts";
import { createNamedEnds, type NamedEnds } from "../shared/named-ends.ts";
import { protocolOf } from "../shared/protocols.ts";
import { SummedFlows, type SummedRecord } from "../shared/summed-flows.ts";
import { countOf, fieldsOf, portOf, textOf, timeOf, type Fields } from "../shared/values.ts";

/** GCP looks at about one packet in so many, which cannot be set, and estimates sums from them; fewer on busy machines. */
const PACKETS_SAMPLED = 30;

export const gcpVpc: FlowFormatReader = {
  name: "gcp-vpc",
  title: "GCP VPC flow logs, JSON of Cloud Logging",
  recognises: (head) =>
    headObjects(head).some((entry) => fieldsOf(payloadOf(entry)?.["connection"]) !== undefined),
  open: (sink) => {
    const flows = new SummedFlows(sink, "gcp-vpc", PACKETS_SAMPLED);
    const ends = createNamedEnds();
    return readJsonObjects(sink, {
      get origin() {
        return flows.origin;
      },
      object(entry, malformed) {
        const payload = payloadOf(entry);
        if (payload === undefined) return sink.other("an entry of another log");
        const record = readRecord(payload, ends);
        if (typeof record === "string") malformed(record);
        else flows.take(record);
      },
    });
  },
};

/** Of an entry, or the entry itself where only that was exported. */
function payloadOf(entry: Fields): Fields | undefined {
  const payload = fieldsOf(entry["jsonPayload"]) ?? entry;
  const isFlow = fieldsOf(payload["connection"])?.["src_ip"] !== undefined;
  return isFlow && ("reporter" in payload || "start_time" in payload) ? payload : undefined;
}

function readRecord(payload: Fields, ends: NamedEnds): SummedRecord | string {
  const connection = fieldsOf(payload["connection"]) ?? {};
  const start = timeOf(payload["start_time"]);
  if (start === undefined) return "no `start_time`";
  const protocol = protocolOf(connection["protocol"]);
  if (protocol === undefined) return "no `protocol`";
  const source = endOf(ends, connection["src_ip"], payload, "src");
  const destination = endOf(ends, connection["dest_ip"], payload, "dest");
  if (source === undefined || destination === undefined) return "no addresses";
  const sourcePort = portOf(connection["src_port"] ?? 0);
  const port = portOf(connection["dest_port"] ?? 0);
  if (sourcePort === undefined || port === undefined) return "no ports";
  return {
    start,
    end: timeOf(payload["end_time"]) ?? start,
    source,
    sourceWord: wordOfText(source.address),
    destination,
    destinationWord: wordOfText(destination.address),
    protocol,
    sourcePort,
    port,
    packets: countOf(payload["packets_sent"]) ?? 0,
    bytes: countOf(payload["bytes_sent"]) ?? 0,
    verdict: "forwarded",
    flags: -1,
    node: undefined,
  };
}

function endOf(
  ends: NamedEnds,
  address: unknown,
  payload: Fields,
  side: "src" | "dest",
): FlowEnd | undefined {
  const pod = fieldsOf(fieldsOf(payload[`${side}_gke_details`])?.["pod"]);
  const vm = fieldsOf(payload[`${side}_instance`]);
  const podName = textOf(pod?.["pod_name"]);
  const namespace = podName === undefined ? vm?.["project_id"] : pod?.["pod_namespace"];
  return ends.at(textOf(address) ?? "", textOf(namespace), podName ?? textOf(vm?.["vm_name"]));
}

/** Records of flows, and whoever held the sockets at their ends, to protobuf and back. */
import { create } from "@bufbuild/protobuf";
import { FLOW_VERDICTS, type FlowProcess } from "@bulkhead/model";
import {
  FlowProcessSchema,
  type FlowProcess as ProtoProcess,
  type FlowRecord as ProtoFlow,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { ObservedRecord } from "./messages.ts";
import { oneOf, optional } from "./parse.ts";

export function encodeFlow(record: ObservedRecord): Omit<ProtoFlow, "$typeName" | "$unknown"> {
  return {
    start: BigInt(record.start),
    end: BigInt(record.end),
    source: record.source,
    destination: record.destination,
    protocol: record.protocol,
    port: record.port,
    sourcePort: record.sourcePort,
    verdict: record.verdict,
    cookie: record.cookie ?? "",
    direction: record.direction ?? "",
    connections: BigInt(record.connections),
    established: BigInt(record.established),
    failed: BigInt(record.failed),
    bytes: BigInt(record.bytes),
    packets: BigInt(record.packets),
    probe: record.probe ?? false,
    translated: record.translated ?? false,
    sourceNames: [...(record.sourceNames ?? [])],
    destinationNames: [...(record.destinationNames ?? [])],
    ...(record.sourceProcess === undefined
      ? {}
      : { sourceProcess: encodeHolder(record.sourceProcess) }),
    ...(record.destinationProcess === undefined
      ? {}
      : { destinationProcess: encodeHolder(record.destinationProcess) }),
  };
}

export function decodeFlow(flow: ProtoFlow): ObservedRecord {
  return {
    start: Number(flow.start),
    end: Number(flow.end),
    source: flow.source,
    destination: flow.destination,
    protocol: flow.protocol,
    port: flow.port,
    sourcePort: flow.sourcePort,
    verdict: oneOf(FLOW_VERDICTS, flow.verdict, "flow.verdict"),
    ...optional("cookie", flow.cookie),
    ...(flow.direction === ""
      ? {}
      : { direction: oneOf(["egress", "ingress"] as const, flow.direction, "flow.direction") }),
    connections: Number(flow.connections),
    established: Number(flow.established),
    failed: Number(flow.failed),
    bytes: Number(flow.bytes),
    packets: Number(flow.packets),
    ...(flow.probe ? { probe: true } : {}),
    ...(flow.translated ? { translated: true as const } : {}),
    ...(flow.sourceNames.length === 0 ? {} : { sourceNames: flow.sourceNames }),
    ...(flow.destinationNames.length === 0 ? {} : { destinationNames: flow.destinationNames }),
    ...(flow.sourceProcess === undefined
      ? {}
      : { sourceProcess: decodeHolder(flow.sourceProcess) }),
    ...(flow.destinationProcess === undefined
      ? {}
      : { destinationProcess: decodeHolder(flow.destinationProcess) }),
  };
}

function encodeHolder({
  name = "",
  pid = 0,
  uid,
  user = "",
  cgroup = "",
  unit = "",
}: FlowProcess): ProtoProcess {
  return create(FlowProcessSchema, {
    name,
    pid,
    ...(uid === undefined ? {} : { uid }),
    user,
    cgroup,
    unit,
  });
}

function decodeHolder({ name, pid, uid, user, cgroup, unit }: ProtoProcess): FlowProcess {
  return {
    ...optional("name", name),
    ...(pid === 0 ? {} : { pid }),
    ...(uid === undefined ? {} : { uid }),
    ...optional("user", user),
    ...optional("cgroup", cgroup),
    ...optional("unit", unit),
  };
}

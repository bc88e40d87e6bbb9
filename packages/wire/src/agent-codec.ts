/** Agent's messages to protobuf and back. A message that does not decode to the model's nouns is a `WireError`. */
import { create } from "@bufbuild/protobuf";
import {
  FLOW_VERDICTS,
  INVARIANT_KINDS,
  type FlowProcess,
  type Invariant,
  type Receipt,
} from "@bulkhead/model";
import {
  AgentMessageSchema,
  FlowProcessSchema,
  type AgentMessage as ProtoMessage,
  type CollectorStats as ProtoStats,
  type DiscoveredEndpoint as ProtoEndpoint,
  type FlowProcess as ProtoProcess,
  type FlowRecord as ProtoFlow,
  type Listener as ProtoListener,
  type Receipt as ProtoReceipt,
  type RuleCounter as ProtoRuleCounter,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import type {
  AgentMessage,
  CollectorStats,
  DiscoveredEndpoint,
  Listener,
  ObservedRecord,
  RuleCounter,
} from "./messages.ts";
import { decodeFacts, decodeProcess, encodeFacts, encodeProcess } from "./process-codec.ts";
import { oneOf, optional, present, WireError } from "./parse.ts";

type ProtoInit = NonNullable<Parameters<typeof create<typeof AgentMessageSchema>>[1]>;

export function encodeAgentMessage(message: AgentMessage): ProtoMessage {
  return create(AgentMessageSchema, { kind: initOf(message) } as ProtoInit);
}

function initOf(message: AgentMessage): ProtoInit["kind"] {
  switch (message.kind) {
    case "hello": {
      const { kind: _, receipt, sequence, exemptions, ...rest } = message;
      return {
        case: "hello",
        value: {
          ...rest,
          sequence: BigInt(sequence),
          exemptions: { version: exemptions.version, list: [...exemptions.list] },
          ...encodedReceipt(receipt),
        },
      };
    }
    case "discovered":
      return {
        case: "discovered",
        value: {
          endpoints: message.endpoints.map((endpoint) => ({
            ...endpoint,
            image: endpoint.image ?? "",
            bridge: endpoint.bridge ?? "",
            addresses: [...endpoint.addresses],
            listeners: endpoint.listeners.map((listener) => ({ ...listener })),
            capabilities: [...(endpoint.capabilities ?? [])],
          })),
          ports: message.ports.map(({ interface: name, ifindex }) => ({
            interface: name,
            ifindex,
          })),
          hostAddresses: [...message.hostAddresses],
          sessions: message.sessions.map((session) => ({ ...session })),
          hostListeners: message.hostListeners.map((listener) => ({ ...listener })),
          relays: [...message.relays],
          unread: message.unread.map(({ interface: name, ifindex }) => ({
            interface: name,
            ifindex,
          })),
          processes: message.processes.map(encodeProcess),
          processesProblem: message.processesProblem ?? "",
        },
      };
    case "flows":
      return {
        case: "flows",
        value: {
          sequence: BigInt(message.sequence),
          records: message.records.map(encodeFlow),
          collector: encodeStats(message.collector),
        },
      };
    case "applied":
      return {
        case: "applied",
        value: {
          sequence: BigInt(message.sequence),
          revision: BigInt(message.revision),
          error: message.error ?? "",
          differences: [...message.differences],
          ...encodedReceipt(message.receipt),
        },
      };
    case "drift":
      return {
        case: "drift",
        value: {
          detectedAt: BigInt(message.detectedAt),
          revision: BigInt(message.revision),
          expectedDigest: message.expectedDigest,
          actualDigest: message.actualDigest ?? "",
          differences: [...message.differences],
          repaired: message.repaired,
        },
      };
    case "rendered":
      return {
        case: "rendered",
        value: { id: message.id, ruleset: message.ruleset, error: message.error ?? "" },
      };
    case "probed": {
      const { kind: _, error, ...rest } = message;
      return { case: "probed", value: { ...rest, error: error ?? "" } };
    }
    case "health":
      return {
        case: "health",
        value: {
          at: BigInt(message.at),
          collector: encodeStats(message.collector),
          capacity: BigInt(message.capacity),
          counters: mapped(message.counters, BigInt),
          undecided: message.undecided.map((one) => ({ ...one, until: BigInt(one.until) })),
          ...encodedReceipt(message.receipt),
        },
      };
    case "units":
      return {
        case: "units",
        value: {
          id: message.id,
          units: message.units.map(encodeFacts),
          error: message.error ?? "",
        },
      };
    case "rule-counters":
      return {
        case: "ruleCounters",
        value: {
          id: message.id,
          rules: message.rules.map(({ packets, bytes, lastHit = 0, ...rule }) => ({
            ...rule,
            packets: BigInt(packets),
            bytes: BigInt(bytes),
            lastHit: BigInt(lastHit),
          })),
          error: message.error ?? "",
        },
      };
    case "connections":
      return {
        case: "connections",
        value: {
          id: message.id,
          connections: message.connections.map((one) => ({
            ...one,
            connections: BigInt(one.connections),
            sourceCgroup: one.sourceCgroup ?? "",
            destinationCgroup: one.destinationCgroup ?? "",
          })),
          leftOut: BigInt(message.leftOut),
          error: message.error ?? "",
        },
      };
    case "checked":
      return {
        case: "checked",
        value: {
          id: message.id,
          checks: message.checks.map(({ kind, address, port, outcome, detail, local }) => ({
            invariant: { kind, address, port },
            outcome,
            detail: detail ?? "",
            local: local ?? "",
          })),
          error: message.error ?? "",
        },
      };
    case "kept":
      return { case: "kept", value: { sequence: BigInt(message.sequence) } };
    case "went-back":
      return {
        case: "wentBack",
        value: {
          sequence: BigInt(message.sequence),
          revision: BigInt(message.revision),
          toRevision: BigInt(message.toRevision),
        },
      };
  }
}

export function decodeInvariant({
  kind,
  address,
  port,
}: Omit<Invariant, "kind"> & { readonly kind: string }): Invariant {
  return { kind: oneOf(INVARIANT_KINDS, kind, "invariant.kind"), address, port };
}

export function decodeAgentMessage({ kind }: ProtoMessage): AgentMessage {
  switch (kind.case) {
    case "hello": {
      const { host, boot, pid, version, driver, publicKey, sequence, receipt } = kind.value;
      const { version: edition, list } = present(kind.value.exemptions, "hello.exemptions");
      return {
        kind: "hello",
        host,
        boot,
        pid,
        version,
        driver,
        publicKey,
        sequence: Number(sequence),
        exemptions: { version: edition, list },
        ...decodedReceipt(receipt),
      };
    }
    case "discovered":
      return {
        kind: "discovered",
        endpoints: kind.value.endpoints.map(decodeEndpoint),
        ports: kind.value.ports.map(({ interface: name, ifindex }) => ({
          interface: name,
          ifindex,
        })),
        hostAddresses: kind.value.hostAddresses,
        hostListeners: kind.value.hostListeners.map(decodeListener),
        relays: kind.value.relays,
        unread: kind.value.unread.map(({ interface: name, ifindex }) => ({
          interface: name,
          ifindex,
        })),
        processes: kind.value.processes.map(decodeProcess),
        ...optional("processesProblem", kind.value.processesProblem),
        sessions: kind.value.sessions.map(({ source, destination, protocol, port, what }) => ({
          source,
          destination,
          protocol,
          port,
          what,
        })),
      };
    case "flows":
      return {
        kind: "flows",
        sequence: Number(kind.value.sequence),
        records: kind.value.records.map(decodeFlow),
        collector: decodeStats(present(kind.value.collector, "flows.collector")),
      };
    case "applied":
      return {
        kind: "applied",
        sequence: Number(kind.value.sequence),
        revision: Number(kind.value.revision),
        differences: kind.value.differences,
        ...optional("error", kind.value.error),
        ...decodedReceipt(kind.value.receipt),
      };
    case "drift":
      return {
        kind: "drift",
        detectedAt: Number(kind.value.detectedAt),
        revision: Number(kind.value.revision),
        expectedDigest: kind.value.expectedDigest,
        actualDigest: kind.value.actualDigest === "" ? null : kind.value.actualDigest,
        differences: kind.value.differences,
        repaired: kind.value.repaired,
      };
    case "rendered":
      return {
        kind: "rendered",
        id: kind.value.id,
        ruleset: kind.value.ruleset,
        ...optional("error", kind.value.error),
      };
    case "probed": {
      const { id, sent, received, agree, detail, error } = kind.value;
      const outcome = oneOf(
        ["pass", "fail", "inconclusive"] as const,
        kind.value.outcome,
        "probed.outcome",
      );
      return {
        kind: "probed",
        id,
        sent,
        received,
        agree,
        outcome,
        detail,
        ...optional("error", error),
      };
    }
    case "health":
      return {
        kind: "health",
        at: Number(kind.value.at),
        collector: decodeStats(present(kind.value.collector, "health.collector")),
        capacity: Number(kind.value.capacity),
        counters: mapped(kind.value.counters, Number),
        undecided: kind.value.undecided.map(
          ({ source, sourcePort, destination, port, protocol, until }) => ({
            source,
            sourcePort,
            destination,
            port,
            protocol,
            until: Number(until),
          }),
        ),
        ...decodedReceipt(kind.value.receipt),
      };
    case "units":
      return {
        kind: "units",
        id: kind.value.id,
        units: kind.value.units.map(decodeFacts),
        ...optional("error", kind.value.error),
      };
    case "ruleCounters":
      return {
        kind: "rule-counters",
        id: kind.value.id,
        rules: kind.value.rules.map(decodeRuleCounter),
        ...optional("error", kind.value.error),
      };
    case "connections":
      return {
        kind: "connections",
        id: kind.value.id,
        connections: kind.value.connections.map(
          ({ source, destination, protocol, port, connections, ...owners }) => ({
            source,
            destination,
            protocol,
            port,
            connections: Number(connections),
            ...optional("sourceCgroup", owners.sourceCgroup),
            ...optional("destinationCgroup", owners.destinationCgroup),
          }),
        ),
        leftOut: Number(kind.value.leftOut),
        ...optional("error", kind.value.error),
      };
    case "checked":
      return {
        kind: "checked",
        id: kind.value.id,
        checks: kind.value.checks.map(({ invariant, outcome, detail, local }) => ({
          ...decodeInvariant(present(invariant, "check.invariant")),
          outcome: oneOf(["held", "failed", "untold"] as const, outcome, "check.outcome"),
          ...optional("detail", detail),
          ...optional("local", local),
        })),
        ...optional("error", kind.value.error),
      };
    case "kept":
      return { kind: "kept", sequence: Number(kind.value.sequence) };
    case "wentBack":
      return {
        kind: "went-back",
        sequence: Number(kind.value.sequence),
        revision: Number(kind.value.revision),
        toRevision: Number(kind.value.toRevision),
      };
    case undefined:
      throw new WireError("an agent message of an unknown kind");
  }
}

function mapped<A, B>(record: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}

function encodeFlow(record: ObservedRecord): Omit<ProtoFlow, "$typeName" | "$unknown"> {
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

function decodeFlow(flow: ProtoFlow): ObservedRecord {
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

function decodeRuleCounter(counter: ProtoRuleCounter): RuleCounter {
  const { cookie, plane, direction, verdict, packets, bytes, lastHit } = counter;
  return {
    cookie,
    plane: oneOf(["live", "shadow", "canary"] as const, plane, "rule_counter.plane"),
    direction: oneOf(["egress", "ingress"] as const, direction, "rule_counter.direction"),
    verdict: oneOf(["allow", "drop", "reject"] as const, verdict, "rule_counter.verdict"),
    packets: Number(packets),
    bytes: Number(bytes),
    ...(lastHit === 0n ? {} : { lastHit: Number(lastHit) }),
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

function decodeEndpoint(endpoint: ProtoEndpoint): DiscoveredEndpoint {
  return {
    kind: oneOf(["netns", "container"] as const, endpoint.kind, "endpoint.kind"),
    name: endpoint.name,
    containerLabels: endpoint.containerLabels,
    ...optional("image", endpoint.image),
    interface: endpoint.interface,
    ...optional("bridge", endpoint.bridge),
    ifindex: endpoint.ifindex,
    mac: endpoint.mac,
    addresses: endpoint.addresses,
    netnsPath: endpoint.netnsPath,
    listeners: endpoint.listeners.map(decodeListener),
    ...(endpoint.capabilities.length === 0 ? {} : { capabilities: endpoint.capabilities }),
  };
}

function decodeListener({ protocol, port, family }: ProtoListener): Listener {
  return { protocol, port, family: oneOf([4, 6] as const, family, "listener.family") };
}

function encodeStats(stats: CollectorStats) {
  return {
    alive: stats.alive,
    received: BigInt(stats.received),
    delivered: BigInt(stats.delivered),
    lost: BigInt(stats.lost),
    queueDepth: BigInt(stats.queueDepth),
    lastEventAt: BigInt(stats.lastEventAt ?? 0),
  };
}

function decodeStats(stats: ProtoStats): CollectorStats {
  return {
    alive: stats.alive,
    received: Number(stats.received),
    delivered: Number(stats.delivered),
    lost: Number(stats.lost),
    queueDepth: Number(stats.queueDepth),
    ...(stats.lastEventAt === 0n ? {} : { lastEventAt: Number(stats.lastEventAt) }),
  };
}

function encodedReceipt(receipt: Receipt | undefined) {
  if (receipt === undefined) return {};
  return {
    receipt: {
      ...receipt,
      revision: BigInt(receipt.revision),
      readAt: BigInt(receipt.readAt),
      entries: BigInt(receipt.entries),
    },
  };
}

function decodedReceipt(receipt: ProtoReceipt | undefined): { readonly receipt?: Receipt } {
  if (receipt === undefined) return {};
  return {
    receipt: {
      revision: Number(receipt.revision),
      digest: receipt.digest,
      driver: oneOf(["nftables", "ebpf"] as const, receipt.driver, "receipt.driver"),
      readAt: Number(receipt.readAt),
      entries: Number(receipt.entries),
      signature: receipt.signature,
    },
  };
}

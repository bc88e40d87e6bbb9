/** Agent's messages to protobuf and back. A message that does not decode to the model's nouns is a `WireError`. */
import { create } from "@bufbuild/protobuf";
import { INVARIANT_KINDS, type Invariant } from "@bulkhead/model";
import { decodeDiscovered, encodeDiscovered } from "./discovery-codec.ts";
import { decodeExpected, encodeExpected } from "./expectation-codec.ts";
import { decodeFlow, encodeFlow } from "./flow-codec.ts";
import {
  AgentMessageSchema,
  type AgentMessage as ProtoMessage,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import {
  decodedReceipt,
  decodeRuleCounter,
  decodeStats,
  encodedReceipt,
  encodeRuleCounter,
  encodeStats,
} from "./kernel-codec.ts";
import type { AgentMessage } from "./messages.ts";
import { oneOf, optional, present, WireError } from "./parse.ts";
import { decodeFacts, encodeFacts } from "./process-codec.ts";

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
      return { case: "discovered", value: encodeDiscovered(message) };
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
          rules: message.rules.map(encodeRuleCounter),
          counters: mapped(message.counters, BigInt),
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
    case "expected":
      return { case: "expected", value: encodeExpected(message) };
    case "kept":
      return { case: "kept", value: { sequence: BigInt(message.sequence) } };
    case "unreadable":
      throw new WireError("what could not be read is never sent");
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
      return decodeDiscovered(kind.value);
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
        counters: mapped(kind.value.counters, Number),
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
    case "expected":
      return { kind: "expected", ...decodeExpected(kind.value) };
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

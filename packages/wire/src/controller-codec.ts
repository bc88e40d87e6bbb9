/** Controller's messages to protobuf and back. Policies travel as JSON text, so that what is signed is what is read. */
import { create } from "@bufbuild/protobuf";
import type { HostPolicy } from "@bulkhead/model";
import {
  ControllerMessageSchema,
  type ControllerMessage as ProtoMessage,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import { decodeInvariant } from "./agent-codec.ts";
import { CONFIGURATION_SOURCES, type AgentSettings, type ControllerMessage } from "./messages.ts";
import { oneOf, optional, present, WireError } from "./parse.ts";

const DRIFT_SETTINGS = ["repair", "report"] as const;

type ProtoInit = NonNullable<Parameters<typeof create<typeof ControllerMessageSchema>>[1]>;

export function encodeHostPolicy(policy: HostPolicy): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(policy));
}

/** Trusts the shape: a policy is read only after its digest and signature were checked. */
export function decodeHostPolicy(bytes: Uint8Array): HostPolicy {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as HostPolicy;
}

export function encodeControllerMessage(message: ControllerMessage): ProtoMessage {
  return create(ControllerMessageSchema, { kind: initOf(message) } as ProtoInit);
}

function initOf(message: ControllerMessage): ProtoInit["kind"] {
  switch (message.kind) {
    case "welcome":
      return {
        case: "welcome",
        value: { publicKey: message.publicKey, settings: settingsOf(message) },
      };
    case "policy": {
      const { digest, policy, signature } = message;
      return {
        case: "policy",
        value: {
          sequence: BigInt(message.sequence),
          revision: BigInt(message.revision),
          digest,
          policy,
          signature,
          holdMs: BigInt(message.holdMs ?? 0),
        },
      };
    }
    case "keep":
      return {
        case: "keep",
        value: { sequence: BigInt(message.sequence), holdMs: BigInt(message.holdMs ?? 0) },
      };
    case "check": {
      const invariants = message.invariants.map(({ kind, address, port }) => ({
        kind,
        address,
        port,
      }));
      return { case: "check", value: { id: message.id, invariants, found: message.found } };
    }
    case "render":
      return {
        case: "render",
        value: { id: message.id, policy: encodeHostPolicy(message.policy) },
      };
    case "probe": {
      const { kind: _, destinationNetns = "", ...rest } = message;
      const { sourceCgroup = "", destinationCgroup = "" } = message;
      const value = { ...rest, destinationNetns, sourceCgroup, destinationCgroup };
      return { case: "probe", value };
    }
    case "settings":
      return { case: "settings", value: settingsOf(message) };
    case "flows-stored":
      return { case: "flowsStored", value: { sequence: BigInt(message.sequence) } };
    case "connections":
      return { case: "connections", value: { id: message.id } };
    case "rule-counters":
      return { case: "ruleCounters", value: { id: message.id } };
    case "units":
      return { case: "units", value: { id: message.id } };
  }
}

const settingsOf = ({ drift, readConfiguration }: AgentSettings) => ({
  drift,
  readConfiguration: [...readConfiguration],
});

/** What a newer controller allows and this version cannot read is not read. */
function readSettings({
  drift,
  readConfiguration,
}: {
  readonly drift: string;
  readonly readConfiguration: readonly string[];
}): AgentSettings {
  return {
    drift: oneOf(DRIFT_SETTINGS, drift, "settings.drift"),
    readConfiguration: CONFIGURATION_SOURCES.filter((one) => readConfiguration.includes(one)),
  };
}

function holding(holdMs: bigint): { readonly holdMs?: number } {
  return holdMs === 0n ? {} : { holdMs: Number(holdMs) };
}

export function decodeControllerMessage({ kind }: ProtoMessage): ControllerMessage {
  switch (kind.case) {
    case "welcome": {
      const settings = present(kind.value.settings, "welcome.settings");
      return { kind: "welcome", publicKey: kind.value.publicKey, ...readSettings(settings) };
    }
    case "policy": {
      const { sequence, revision, digest, policy, signature, holdMs } = kind.value;
      return {
        kind: "policy",
        sequence: Number(sequence),
        revision: Number(revision),
        digest,
        policy,
        signature,
        ...holding(holdMs),
      };
    }
    case "keep":
      return {
        kind: "keep",
        sequence: Number(kind.value.sequence),
        ...holding(kind.value.holdMs),
      };
    case "check":
      return {
        kind: "check",
        id: kind.value.id,
        invariants: kind.value.invariants.map(decodeInvariant),
        found: kind.value.found,
      };
    case "render":
      return { kind: "render", id: kind.value.id, policy: decodeHostPolicy(kind.value.policy) };
    case "probe": {
      const { id, sourceNetns, destinationNetns, sourceCgroup, destinationCgroup } = kind.value;
      const { source, destination, protocol, port, expectPass } = kind.value;
      return {
        kind: "probe",
        id,
        sourceNetns,
        source,
        destination,
        protocol,
        port,
        expectPass,
        ...optional("destinationNetns", destinationNetns),
        ...optional("sourceCgroup", sourceCgroup),
        ...optional("destinationCgroup", destinationCgroup),
      };
    }
    case "settings":
      return { kind: "settings", ...readSettings(kind.value) };
    case "flowsStored":
      return { kind: "flows-stored", sequence: Number(kind.value.sequence) };
    case "connections":
      return { kind: "connections", id: kind.value.id };
    case "ruleCounters":
      return { kind: "rule-counters", id: kind.value.id };
    case "units":
      return { kind: "units", id: kind.value.id };
    case undefined:
      throw new WireError("a controller message of an unknown kind");
  }
}

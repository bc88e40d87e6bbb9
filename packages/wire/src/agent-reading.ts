/**
 * Bytes from an agent as a message. What is longer than its kind may be is not decoded, and what cannot be decoded is one message
 * less: an error here would end the connection, and with it all that the agent tells truly.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { withoutSteering } from "@bulkhead/model";
import { decodeAgentMessage } from "./agent-codec.ts";
import { longestOf } from "./bounds.ts";
import { AgentMessageSchema } from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { AgentMessage } from "./messages.ts";

const LONGEST_DETAIL = 200;

/** protobuf's names of kinds, by number; two are written otherwise here. */
const NAMES: ReadonlyMap<number, string> = new Map(
  AgentMessageSchema.fields.map(({ number, name }) => [number, name.replaceAll("_", "-")]),
);

export function readAgentMessage(bytes: Uint8Array): AgentMessage {
  let told = "a message";
  try {
    const kinds = kindsIn(bytes);
    told = kinds.values().next().value ?? told;
    // The last of several is what counts, and all of them are decoded.
    for (const kind of kinds) {
      if (bytes.length > longestOf(kind as AgentMessage["kind"]))
        return { kind: "unreadable", told: kind, why: "length", detail: `${bytes.length} bytes` };
    }
    return decodeAgentMessage(fromBinary(AgentMessageSchema, bytes));
  } catch (error) {
    // It may quote what was sent.
    const detail = withoutSteering(String(error).slice(0, LONGEST_DETAIL));
    return { kind: "unreadable", told, why: "form", detail };
  }
}

/** Looks at the outermost fields alone. */
function kindsIn(bytes: Uint8Array): ReadonlySet<string> {
  const reader = new BinaryReader(bytes);
  const found = new Set<string>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    found.add(NAMES.get(number) ?? "unknown");
    if (type === WireType.LengthDelimited) {
      const length = reader.uint32();
      reader.pos += length;
    } else reader.skip(type, number);
  }
  return found;
}

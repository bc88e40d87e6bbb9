/** The gRPC service in the shape grpc-js wants: one bidirectional stream that carries the model's nouns on both sides. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import { encodeAgentMessage } from "./agent-codec.ts";
import { readAgentMessage } from "./agent-reading.ts";
import { decodeControllerMessage, encodeControllerMessage } from "./controller-codec.ts";
import { AgentMessageSchema, ControllerMessageSchema } from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { AgentMessage, ControllerMessage } from "./messages.ts";

const connect: MethodDefinition<AgentMessage, ControllerMessage> = {
  path: "/bulkhead.agent.v1.AgentLink/Connect",
  requestStream: true,
  responseStream: true,
  requestSerialize: (message) =>
    Buffer.from(toBinary(AgentMessageSchema, encodeAgentMessage(message))),
  requestDeserialize: (bytes) => readAgentMessage(plain(bytes)),
  responseSerialize: (message) =>
    Buffer.from(toBinary(ControllerMessageSchema, encodeControllerMessage(message))),
  responseDeserialize: (bytes) =>
    decodeControllerMessage(fromBinary(ControllerMessageSchema, plain(bytes))),
};

/** The same bytes as a plain Uint8Array: byte fields come out as views of what they were read from. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export const agentLinkService = { connect } as const;

/** A policy for 100k addresses is some 10 MB; nothing honest comes near this. */
export const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

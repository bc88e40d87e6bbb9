/** The link between agent and controller: its messages in the model's nouns, and the gRPC service that carries them. */
export { boundMessage, longestOf, type Heard, type Refusal } from "./bounds.ts";
export { decodeHostPolicy, encodeHostPolicy } from "./controller-codec.ts";
export * from "./messages.ts";
export { WireError } from "./parse.ts";
export { agentLinkService, MAX_MESSAGE_BYTES } from "./service.ts";

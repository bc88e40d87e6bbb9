/**
 * The agent's end of the link: connects, says hello, and keeps trying with growing pauses when the controller is away.
 * What was said while nobody listened is not queued here; on every new connection the agent tells everything anew.
 */
import { Client, credentials, type ClientDuplexStream } from "@grpc/grpc-js";
import type { Logger } from "pino";
import {
  agentLinkService,
  MAX_MESSAGE_BYTES,
  type AgentMessage,
  type ControllerMessage,
} from "@bulkhead/wire";

export interface LinkHandler {
  /** Said first on each new connection. */
  hello(): Extract<AgentMessage, { kind: "hello" }>;
  connected(): void;
  message(message: ControllerMessage): void;
  disconnected(): void;
}

export interface LinkClient {
  readonly connected: boolean;
  /** False when nobody listens. */
  send(message: AgentMessage): boolean;
  stop(): Promise<void>;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;

export function startLinkClient(socketPath: string, handler: LinkHandler, log: Logger): LinkClient {
  let stream: ClientDuplexStream<AgentMessage, ControllerMessage> | null = null;
  let client: Client | null = null;
  let pause = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let welcomed = false;

  function connect(): void {
    timer = undefined;
    const channel = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      // Its own pauses would add to ours.
      "grpc.enable_retries": 0,
    });
    const { path, requestSerialize, responseDeserialize } = agentLinkService.connect;
    const opened = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    client = channel;
    stream = opened;
    welcomed = false;
    opened.on("data", (message: ControllerMessage) => {
      if (!welcomed) {
        welcomed = true;
        pause = FIRST_PAUSE_MS;
      }
      try {
        handler.message(message);
        if (message.kind === "welcome") handler.connected();
      } catch (error) {
        log.error(
          { err: error, kind: message.kind },
          "a message from the controller could not be handled",
        );
      }
    });
    // An error is always followed by `end`, but not every end by an error.
    opened.on("error", (error) => {
      log.debug({ err: error }, "the stream to the controller broke");
      ended(opened);
    });
    opened.on("end", () => ended(opened));
    opened.write(handler.hello());
  }

  function ended(which: ClientDuplexStream<AgentMessage, ControllerMessage>): void {
    if (stream !== which) return;
    stream = null;
    client?.close();
    client = null;
    if (welcomed) handler.disconnected();
    welcomed = false;
    if (stopped) return;
    timer = setTimeout(connect, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  connect();
  return {
    get connected() {
      return welcomed;
    },
    send(message) {
      if (stream === null || !welcomed) return false;
      stream.write(message);
      return true;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      const last = stream;
      if (last === null) return;
      await new Promise<void>((resolve) => {
        const patience = setTimeout(resolve, 500);
        last.once("end", () => {
          clearTimeout(patience);
          resolve();
        });
        last.end();
      });
      client?.close();
    },
  };
}

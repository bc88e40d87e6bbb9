/**
 * The agents' side of the controller: gRPC on a unix socket that only its owner may use. It keeps one session per host
 * and hands everything an agent says to the listener; what to make of it is decided elsewhere.
 */
import { chmodSync, rmSync } from "node:fs";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Logger } from "pino";
import {
  agentLinkService,
  boundMessage,
  MAX_MESSAGE_BYTES,
  type AgentMessage,
  type ControllerMessage,
} from "@bulkhead/wire";
import { AgentSession } from "./agent-session.ts";

type Stream = ServerDuplexStream<AgentMessage, ControllerMessage>;

export interface LinkListener {
  /** The first thing an agent hears; the policy to hold follows by `session.send`. */
  welcome(session: AgentSession): void;
  message(session: AgentSession, message: AgentMessage): void;
  gone(session: AgentSession): void;
}

export interface LinkServer {
  /** The agent of this machine, if it is connected. */
  session(): AgentSession | undefined;
  stop(): Promise<void>;
}

export async function startLinkServer(
  socketPath: string,
  listener: LinkListener,
  deps: { readonly log: Logger; readonly now: () => number },
): Promise<LinkServer> {
  const sessions = new Map<string, AgentSession>();
  const streams = new Set<Stream>();

  function accept(stream: Stream): void {
    let session: AgentSession | undefined;
    streams.add(stream);
    const close = (): void => {
      if (!streams.delete(stream) || session === undefined) return;
      session.disconnected();
      if (sessions.get(session.hello.host) === session) sessions.delete(session.hello.host);
      listener.gone(session);
    };
    stream.on("data", (told: AgentMessage) => {
      const { message, refused } = boundMessage(told);
      if (refused.length > 0 && (session === undefined || session.refused.note(refused))) {
        const detail = told.kind === "unreadable" ? { detail: told.detail } : {};
        deps.log.warn({ refused, ...detail }, "parts of what an agent told are refused");
      }
      if (message === undefined) {
        if (session === undefined) stream.end();
        return;
      }
      try {
        if (session !== undefined) {
          listener.message(session, message);
        } else if (message.kind === "hello") {
          // A connection that its agent has given up may not have been noticed here yet.
          sessions.get(message.host)?.disconnected();
          session = new AgentSession(message, deps.now(), (answer) => stream.write(answer));
          session.receipt = message.receipt;
          session.refused.note(refused);
          sessions.set(message.host, session);
          listener.welcome(session);
        } else {
          deps.log.warn({ kind: message.kind }, "an agent spoke before it said hello");
          stream.end();
        }
      } catch (error) {
        deps.log.error(
          { err: error, kind: message.kind },
          "a message from the agent could not be handled",
        );
      }
    });
    stream.on("end", () => {
      stream.end();
      close();
    });
    stream.on("error", (error) => {
      deps.log.debug({ err: error }, "the stream to an agent broke");
      close();
    });
    stream.on("close", close);
    stream.on("cancelled", close);
  }

  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  });
  server.addService(agentLinkService, { connect: accept });
  // Whoever left the socket behind is dead: the store's lock admits one controller.
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  chmodSync(socketPath, 0o600);

  return {
    session: () => [...sessions.values()].find((session) => session.connected),
    async stop() {
      for (const stream of streams) stream.end();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, 500);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      rmSync(socketPath, { force: true });
    },
  };
}

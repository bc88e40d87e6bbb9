/** Docker's API as far as discovery asks it, answered over a unix socket from a list that the test changes. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Record<string, string>;
  readonly pid: number;
  readonly created: string;
}

export interface FakeDocker {
  readonly socket: string;
  containers: FakeContainer[];
  /** Answers everything with this instead, when set. */
  answer: { readonly status: number; readonly body: string } | null;
  /** Listed, but not to be found any more. */
  readonly vanished: Set<string>;
  /** Sends an event to whoever listens. */
  event(): void;
  readonly listeners: number;
  close(): Promise<void>;
}

export async function startFakeDocker(): Promise<FakeDocker> {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-docker-"));
  const socket = join(folder, "docker.sock");
  const streams = new Set<ServerResponse>();
  const fake: FakeDocker = {
    socket,
    containers: [],
    answer: null,
    vanished: new Set(),
    event() {
      for (const stream of streams) stream.write('{"Type":"container","Action":"start"}\n');
    },
    get listeners() {
      return streams.size;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (fake.answer !== null) {
      response.writeHead(fake.answer.status).end(fake.answer.body);
    } else if (path === "/containers/json") {
      response.end(JSON.stringify(fake.containers.map(({ id }) => ({ Id: id }))));
    } else if (path.startsWith("/events?")) {
      response.flushHeaders();
      streams.add(response);
      response.on("close", () => streams.delete(response));
    } else {
      const id = path.split("/")[2];
      const found = fake.containers.find(
        (container) => container.id === id && !fake.vanished.has(container.id),
      );
      if (found === undefined) response.writeHead(404).end('{"message":"No such container"}');
      else
        response.end(
          JSON.stringify({
            Id: found.id,
            Name: `/${found.name}`,
            Created: found.created,
            State: { Pid: found.pid },
            Config: { Image: found.image, Labels: found.labels },
          }),
        );
    }
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return fake;
}

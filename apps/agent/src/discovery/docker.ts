/**
 * The container runtimes' word, by Docker's API over a unix socket, which Podman's service speaks as well: which containers
 * run, their names, images, labels and first process. Answers are checked for the fields we read; a runtime that is not
 * there is simply no containers.
 */
import { request, type IncomingMessage } from "node:http";

/** Where each runtime is, unless its own variable says otherwise. */
const RUNTIMES = [
  { variable: "DOCKER_HOST", socket: "/var/run/docker.sock" },
  { variable: "CONTAINER_HOST", socket: "/run/podman/podman.sock" },
] as const;
/** What Podman calls the container that only holds a pod's namespaces open. */
const POD_KEEPER = /^[0-9a-f]{12}-infra$/;
const TIMEOUT_MS = 3000;
const INSPECTIONS_AT_ONCE = 8;

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its first process, in our process namespace. */
  readonly pid: number;
  readonly created: number;
}

/**
 * The sockets to ask, Docker's and then Podman's: from DOCKER_HOST and CONTAINER_HOST (`unix://…`), or the usual ones. A
 * variable that names something remote, whose containers are not here, leaves its runtime out.
 */
export function runtimeSockets(environment: NodeJS.ProcessEnv = process.env): readonly string[] {
  const sockets = RUNTIMES.flatMap(({ variable, socket }) => {
    const host = environment[variable];
    if (host === undefined || host === "") return [socket];
    return host.startsWith("unix://") ? [host.slice("unix://".length)] : [];
  });
  return [...new Set(sockets)];
}

/**
 * Running containers, oldest first; those that only hold a pod open come last, because they have neither a name of their
 * own nor labels. Null when there is no runtime at the socket; throws when there is one that does not answer as it should.
 */
export async function runningContainers(socketPath: string): Promise<Container[] | null> {
  let list: unknown;
  try {
    list = await getJson(socketPath, "/containers/json");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ECONNREFUSED") return null;
    throw error;
  }
  if (!Array.isArray(list)) throw new Error("the container runtime gave no list of containers");
  const found: Container[] = [];
  const waiting = list.map((item) => stringAt(item, "Id")).filter((id) => id !== undefined);
  const inspectNext = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const container = containerOf(
        await getJson(socketPath, `/containers/${encodeURIComponent(id)}/json`, 404),
      );
      if (container !== undefined) found.push(container);
    }
  };
  await Promise.all(Array.from({ length: INSPECTIONS_AT_ONCE }, inspectNext));
  return found.toSorted(
    (a, b) =>
      Number(POD_KEEPER.test(a.name)) - Number(POD_KEEPER.test(b.name)) ||
      a.created - b.created ||
      (a.name < b.name ? -1 : 1),
  );
}

function containerOf(answer: unknown): Container | undefined {
  const id = stringAt(answer, "Id");
  const state = objectAt(answer, "State");
  const config = objectAt(answer, "Config");
  const pid = state?.["Pid"];
  if (id === undefined || typeof pid !== "number" || pid <= 0) return undefined;
  const labels = Object.entries(objectAt(config, "Labels") ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return {
    id,
    name: (stringAt(answer, "Name") ?? id.slice(0, 12)).replace(/^\//, ""),
    image: stringAt(config, "Image") ?? "",
    labels: Object.fromEntries(labels),
    pid,
    created: Date.parse(stringAt(answer, "Created") ?? "") || 0,
  };
}

function objectAt(value: unknown, key: string): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const inner = (value as Record<string, unknown>)[key];
  return typeof inner === "object" && inner !== null
    ? (inner as Record<string, unknown>)
    : undefined;
}

function stringAt(value: unknown, key: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const inner = (value as Record<string, unknown>)[key];
  return typeof inner === "string" ? inner : undefined;
}

/** `gone`: a status that means "vanished meanwhile" and gives undefined. */
function getJson(socketPath: string, path: string, gone?: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, path, timeout: TIMEOUT_MS, headers: { host: "docker" } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === gone) return resolve(undefined);
          if (answer.statusCode !== 200)
            return reject(
              new Error(`the container runtime answered ${answer.statusCode} to ${path}`),
            );
          try {
            resolve(JSON.parse(Buffer.concat(parts).toString("utf8")));
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    call.on("timeout", () =>
      call.destroy(
        new Error(`the container runtime did not answer ${path} within ${TIMEOUT_MS} ms`),
      ),
    );
    call.on("error", reject);
    call.end();
  });
}

/**
 * Calls `changed` whenever the runtime reports that a container or network changed; `ended` once, when the stream ends or
 * cannot be had. Returns a function that closes it.
 */
export function watchContainers(
  socketPath: string,
  changed: () => void,
  ended: () => void,
): () => void {
  const filters = encodeURIComponent(JSON.stringify({ type: ["container", "network"] }));
  let done = false;
  const finish = (): void => {
    if (done) return;
    done = true;
    ended();
  };
  const call = request(
    { socketPath, path: `/events?filters=${filters}`, headers: { host: "docker" } },
    (answer: IncomingMessage) => {
      answer.on("data", changed);
      answer.on("error", finish);
      answer.on("close", finish);
    },
  );
  call.on("error", finish);
  call.on("socket", (socket) => socket.unref());
  call.end();
  return () => {
    done = true;
    call.destroy();
  };
}

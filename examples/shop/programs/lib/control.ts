/**
 * The lab's side channel: each of our programs answers a few verbs on a unix socket in the lab's directory.
 * Unix sockets do not care about network namespaces, so asking a program how it fares adds no packet.
 */
import { rmSync } from "node:fs";
import { createServer, request } from "node:http";

export type Verb = (body: unknown) => unknown;

export function serveControl(socket: string, verbs: Readonly<Record<string, Verb>>): Promise<void> {
  rmSync(socket, { force: true });
  const server = createServer((incoming, outgoing) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (part: string) => (text += part));
    incoming.on("end", () => {
      answer(verbs, (incoming.url ?? "/").slice(1), text).then(
        (result) => outgoing.end(JSON.stringify(result ?? null)),
        (error: Error) => {
          outgoing.statusCode = 500;
          outgoing.end(JSON.stringify({ error: error.message }));
        },
      );
    });
  });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(socket, () => resolve());
  });
}

async function answer(
  verbs: Readonly<Record<string, Verb>>,
  name: string,
  text: string,
): Promise<unknown> {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) throw new Error(`unknown verb \`${name}\``);
  return await verb(text === "" ? undefined : (JSON.parse(text) as unknown));
}

export function callControl<Result>(
  socket: string,
  verb: string,
  body?: unknown,
  timeoutMs = 20_000,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: socket, path: `/${verb}`, method: "POST", timeout: timeoutMs },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (part: string) => (text += part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const result = JSON.parse(text) as Result & { error?: string };
          if (incoming.statusCode === 200) resolve(result);
          else reject(new Error(`${verb}: ${result.error ?? incoming.statusCode}`));
        });
      },
    );
    outgoing.on("timeout", () =>
      outgoing.destroy(new Error(`${verb} at ${socket}: no answer in ${timeoutMs} ms`)),
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? "" : JSON.stringify(body));
  });
}

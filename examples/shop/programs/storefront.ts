/**
 * The storefront: pages from PostgreSQL through a Redis cache, orders passed on to checkout over HTTP,
 * a stream of events held open for browsers, and metrics on a port of their own.
 */
import type { ServerResponse } from "node:http";
import { fetchText, readBody, serve } from "./lib/http.ts";
import { openService } from "./lib/service.ts";

const { names, counters, pool, cache, ready } = await openService("storefront", process.argv[2]);

async function catalogue(): Promise<string> {
  const kept = await cache.use((redis) => redis.get("catalogue"));
  if (kept !== null) {
    counters.add("cache_hits");
    return kept;
  }
  const { rows } = await pool.query<{ sku: string; name: string; cents: number }>(
    "select * from products order by sku",
  );
  const page = JSON.stringify(rows);
  await cache.use((redis) => redis.set("catalogue", page, "EX", 1));
  counters.add("catalogue_reads");
  return page;
}

async function order(body: string): Promise<{ readonly status: number; readonly body: string }> {
  counters.add("orders");
  return fetchText({
    host: "checkout",
    port: 8081,
    path: "/orders",
    method: "POST",
    body,
    lookup: names.lookup,
    timeoutMs: 4000,
  });
}

/** Heartbeats until the browser leaves. */
function events(outgoing: ServerResponse): void {
  outgoing.writeHead(200, { "content-type": "text/event-stream" });
  const beat = setInterval(() => outgoing.write(`data: ${Date.now()}\n\n`), 100);
  outgoing.on("close", () => clearInterval(beat));
}

await serve(8080, async (incoming, outgoing) => {
  counters.add("requests");
  const route = `${incoming.method} ${incoming.url}`;
  switch (route) {
    case "GET /":
      outgoing.end(await catalogue());
      return;
    case "POST /orders": {
      const reply = await order(await readBody(incoming));
      outgoing.statusCode = reply.status;
      outgoing.end(reply.body);
      return;
    }
    case "GET /report":
      outgoing.end((await cache.use((redis) => redis.get("report"))) ?? "no report yet\n");
      return;
    case "GET /events":
      events(outgoing);
      return;
    default:
      outgoing.statusCode = 404;
      outgoing.end("not found\n");
  }
});
await ready("requests");

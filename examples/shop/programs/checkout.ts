/**
 * Checkout: an order is charged at the payment provider out in the world, written to PostgreSQL, counted in
 * Redis and announced to the storefronts (NOTIFY). Where to charge and where to pay back is its configuration.
 */
import { env } from "node:process";
import { fetchText, readBody, serve } from "./lib/http.ts";
import { openService } from "./lib/service.ts";

const { names, counters, pool, cache, ready } = await openService("checkout", process.argv[2]);

/** At the payment provider, by the address that the configuration has under this name. */
async function pay(name: "PAYMENTS_URL" | "REFUNDS_URL", body: string) {
  const { hostname, port, pathname } = new URL(env[name] ?? "");
  return fetchText({
    host: hostname,
    port: Number(port),
    path: pathname,
    method: "POST",
    body,
    lookup: names.lookup,
    timeoutMs: 3000,
  });
}

async function placeOrder(sku: string): Promise<string> {
  const charge = await pay("PAYMENTS_URL", sku);
  if (charge.status !== 200) throw new Error(`the card was refused: ${charge.status}`);
  const { rows } = await pool.query<{ id: string }>(
    "insert into orders (sku) values ($1) returning id",
    [sku],
  );
  const id = rows[0]?.id;
  if (id === undefined) throw new Error("the order has no number");
  await pool.query(`notify orders, '${Number(id)}'`);
  await cache.use((redis) => redis.incr(`sold:${sku}`));
  counters.add("orders");
  return id;
}

await serve(8081, async (incoming, outgoing) => {
  if (incoming.method === "POST" && incoming.url === "/refunds") {
    const refund = await pay("REFUNDS_URL", await readBody(incoming));
    outgoing.statusCode = refund.status;
    outgoing.end();
    return;
  }
  if (incoming.method !== "POST" || incoming.url !== "/orders") {
    outgoing.statusCode = 404;
    outgoing.end("not found\n");
    return;
  }
  const order = JSON.parse(await readBody(incoming)) as { sku?: unknown };
  if (typeof order.sku !== "string") {
    outgoing.statusCode = 400;
    outgoing.end("an order names its `sku`\n");
    return;
  }
  const id = await placeOrder(order.sku);
  outgoing.statusCode = 201;
  outgoing.end(JSON.stringify({ id }));
});
await ready("orders");

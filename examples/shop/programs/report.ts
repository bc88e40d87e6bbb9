/**
 * The batch job that runs rarely: it sums up the orders in PostgreSQL and publishes the result in Redis,
 * then ends. Once over each family, as a job with retries over a dual-stack name would.
 */
import pg from "pg";
import { PASSWORDS } from "../lab/configs.ts";
import { openCache } from "./lib/cache.ts";
import { clientConfig } from "./lib/database.ts";
import { Names } from "./lib/names.ts";

const names = new Names();

async function report(): Promise<number> {
  const client = new pg.Client(clientConfig(names, "report", PASSWORDS.report));
  await client.connect();
  try {
    const { rows } = await client.query<{ orders: string }>(
      "select count(*) as orders from orders",
    );
    return Number(rows[0]?.orders);
  } finally {
    await client.end();
  }
}

async function publish(orders: number, family: 4 | 6): Promise<void> {
  const redis = await openCache(names, family);
  try {
    await redis.set("report", `${orders} orders\n`);
  } finally {
    redis.disconnect();
  }
}

let orders = 0;
for (const family of [4, 6] as const) {
  orders = await report();
  await publish(orders, family);
}
process.stdout.write(`${JSON.stringify({ orders })}\n`);

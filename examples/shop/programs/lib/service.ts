/**
 * What a service of the shop is besides its own port: connections to database and cache, one of them held open, metrics on
 * a port of their own, and a control socket that tells the lab how it fares.
 */
import type { Pool } from "pg";
import { PASSWORDS } from "../../lab/configs.ts";
import { CacheSession } from "./cache.ts";
import { serveControl } from "./control.ts";
import { HeldClient, openPool } from "./database.ts";
import { Counters, serve } from "./http.ts";
import { Names } from "./names.ts";

export interface Service {
  readonly names: Names;
  readonly counters: Counters;
  readonly pool: Pool;
  readonly cache: CacheSession;
  /** To be called when its own port is open: the lab takes the control socket for "ready". `told` is the counter it reports. */
  ready(told: string): Promise<void>;
}

/** `role`: its user in the database. `control`: path of the control socket. */
export async function openService(
  role: "checkout" | "storefront",
  control: string | undefined,
): Promise<Service> {
  if (control === undefined) throw new Error(`usage: ${role}.ts CONTROL-SOCKET`);
  const names = new Names();
  const counters = new Counters();
  const pool = openPool(names, role, PASSWORDS[role]);
  const held = new HeldClient(names, role, PASSWORDS[role]);
  const cache = new CacheSession(names);
  await Promise.all([held.open("orders"), cache.open()]);
  return {
    names,
    counters,
    pool,
    cache,
    async ready(told) {
      await serve(9100, async (_incoming, outgoing) => {
        outgoing.end(counters.text());
      });
      // The held connection is used, so that its loss is noticed even when nothing is ordered.
      setInterval(() => {
        held
          .check()
          .catch((error: Error) =>
            process.stderr.write(`held database connection: ${error.message}\n`),
          );
      }, 250);
      await serveControl(control, {
        stats: () => ({
          [told]: counters.get(told),
          held: { db: held.report(), cache: cache.report() },
        }),
      });
    },
  };
}

/** The scraper: every second it reads /metrics of each service instance and nginx's status page, by name. */
import { serveControl } from "./lib/control.ts";
import { Counters, fetchText } from "./lib/http.ts";
import { Names } from "./lib/names.ts";

const [control] = process.argv.slice(2);
if (control === undefined) throw new Error("usage: metrics.ts CONTROL-SOCKET");

const TARGETS = [
  { host: "storefront-1", port: 9100, path: "/metrics" },
  { host: "storefront-2", port: 9100, path: "/metrics" },
  { host: "checkout", port: 9100, path: "/metrics" },
  { host: "web", port: 8088, path: "/status" },
] as const;

const names = new Names();
const counters = new Counters();

async function scrape(): Promise<void> {
  await Promise.all(
    TARGETS.map(async (target) => {
      try {
        const reply = await fetchText({ ...target, lookup: names.lookup, timeoutMs: 2000 });
        counters.add(reply.status === 200 ? "done" : "failed");
      } catch (error) {
        counters.add("failed");
        process.stderr.write(`${target.host}:${target.port}: ${(error as Error).message}\n`);
      }
    }),
  );
}

await serveControl(control, {
  stats: () => ({ done: counters.get("done"), failed: counters.get("failed") }),
});
setInterval(() => void scrape(), 1000);
await scrape();

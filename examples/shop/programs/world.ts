/**
 * The internet in one process: a payment provider that charges cards, and a server anywhere that takes
 * whatever is brought to it. Both count their visitors.
 */
import { WORLD } from "../topology.ts";
import { serveControl } from "./lib/control.ts";
import { Counters, readBody, serve } from "./lib/http.ts";

const [control] = process.argv.slice(2);
if (control === undefined) throw new Error("usage: world.ts CONTROL-SOCKET");

const counters = new Counters();
const ports = new Set(WORLD.flatMap((server) => server.open.map((open) => open.port)));
for (const port of ports) {
  await serve(port, async (incoming, outgoing) => {
    const body = await readBody(incoming);
    counters.add(`port_${port}`);
    counters.add("bytes", body.length);
    outgoing.end("thank you\n");
  });
}
await serveControl(control, { stats: () => ({ text: counters.text() }) });

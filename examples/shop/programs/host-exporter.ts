/** A service of the host itself: what workloads can reach on the machine that carries them. */
import { HOST_PORT } from "../topology.ts";
import { serveControl } from "./lib/control.ts";
import { Counters, serve } from "./lib/http.ts";

const [control] = process.argv.slice(2);
if (control === undefined) throw new Error("usage: host-exporter.ts CONTROL-SOCKET");

const counters = new Counters();
await serve(HOST_PORT.port, async (_incoming, outgoing) => {
  counters.add("requests");
  outgoing.end("host_up 1\n");
});
await serveControl(control, { stats: () => ({ requests: counters.get("requests") }) });

/**
 * The collector alone in a process, for measuring: says `ready`, collects until its input ends, then prints what came as one
 * line of JSON. Arguments: the addresses of the endpoints.
 */
import { startCollector } from "../apps/agent/src/collector/index.ts";

const GROUP = 1786;
let recorded = 0;
const collector = startCollector({
  group: GROUP,
  endpoints: process.argv.slice(2).map((address) => [address]),
  onProblem: (problem) => process.stderr.write(`${problem}\n`),
  onFlows(records) {
    for (const record of records) recorded += record.connections;
  },
});
while (!collector.stats().alive) await new Promise((resolve) => setTimeout(resolve, 10));
const before = process.cpuUsage();
process.stdout.write("ready\n");
process.stdin.resume();
process.stdin.on("end", () => void finish());

async function finish(): Promise<void> {
  const { user, system } = process.cpuUsage(before);
  await collector.stop();
  process.stdout.write(
    `${JSON.stringify({ recorded, cpuMicroseconds: user + system, stats: collector.stats() })}\n`,
  );
}

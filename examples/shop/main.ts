/**
 * The lab by hand: `node examples/shop/main.ts up | traffic | intrude | report | status | down`.
 * `up` leaves the shop running in the background; `down` removes every trace of it.
 */
import { Lab, checkPrograms, readRuns, sweepLeftovers } from "./lab/index.ts";
import type { Attempt } from "./programs/lib/attempts.ts";
import type { Tally } from "./programs/lib/samples.ts";
import { setTimeout as sleep } from "node:timers/promises";

const HELP = `usage: node examples/shop/main.ts VERB [--id ID] [--seconds N] [--rate N] [--json]

  up        start the shop (prints its id)
  traffic   let customers shop for a while; requests done and failed, with latencies
  intrude   let the intruder try everything; what it reached
  report    run the batch job once
  status    the labs that are up
  down      end everything and remove it
`;

function option(name: string): string | undefined {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? undefined : process.argv[index + 1];
}

const json = process.argv.includes("--json");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function up(): Promise<void> {
  checkPrograms();
  for (const id of await sweepLeftovers()) say(`removed what a killed run had left behind: ${id}`);
  const from = performance.now();
  const lab = await Lab.up({
    reference: false,
    kept: true,
    progress: (what) => process.stderr.write(`  … ${what}\n`),
  });
  say(`shop ${lab.id} is up after ${((performance.now() - from) / 1000).toFixed(1)} s
  host namespace  ${lab.hostNamespace}
  inventory       ${lab.inventoryFile}
  logs, sockets   ${lab.directory}
next: node examples/shop/main.ts traffic --seconds 5`);
}

async function traffic(lab: Lab): Promise<number> {
  const from = Date.now();
  await lab.call("users", "start", { perSecond: Number(option("rate") ?? 40) });
  await sleep(Number(option("seconds") ?? 5) * 1000);
  await lab.call("users", "stop");
  const tally = await lab.call<Tally>("users", "tally", { from });
  if (json) {
    say(JSON.stringify(tally));
  } else {
    const { p50, p95, max } = tally.latencyMs;
    say(`requests done ${tally.done}, failed ${tally.failed}  (IPv4 ${tally.byFamily.ipv4}, IPv6 ${tally.byFamily.ipv6})
latency p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
    for (const [error, count] of Object.entries(tally.errors))
      say(`  ${String(count).padStart(5)} × ${error}`);
  }
  return tally.failed === 0 ? 0 : 1;
}

async function intrude(lab: Lab): Promise<number> {
  const attempts = await lab.call<readonly Attempt[]>("intruder", "scan");
  const reached = attempts.filter((attempt) => attempt.reached);
  if (json) {
    say(JSON.stringify(attempts));
  } else {
    for (const hit of reached) {
      say(
        `${hit.name.padEnd(18)} ${`${hit.port}/${hit.means}`.padEnd(11)} ${hit.route.padEnd(11)} ${hit.outcome}`,
      );
    }
    const pairs = new Set(reached.map((hit) => `${hit.name} ${hit.port}`));
    say(
      `${attempts.length} attempts, ${reached.length} reached something: ${pairs.size} (workload, port) pairs`,
    );
  }
  return reached.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const id = option("id");
  switch (process.argv[2]) {
    case "up":
      await up();
      return 0;
    case "traffic":
      return traffic(Lab.attach(id));
    case "intrude":
      return intrude(Lab.attach(id));
    case "report":
      say((await Lab.attach(id).runProgram("report", "report")).trim());
      return 0;
    case "status":
      for (const record of readRuns()) {
        const dead = Lab.attach(record.id).dead();
        say(
          `${record.id}  ${record.directory}  ${dead.length === 0 ? "all programs alive" : `ended: ${dead.join(", ")}`}`,
        );
      }
      return 0;
    case "down":
      await Lab.attach(id).down();
      say("nothing left");
      return 0;
    default:
      process.stderr.write(HELP);
      return 2;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`shop: ${(error as Error).message}\n`);
  process.exitCode = 3;
}

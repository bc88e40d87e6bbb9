/**
 * Runs the benchmarks and prints one line a figure; the same goes to a file as JSON. Everything runs in network namespaces
 * of its own. Figures with a peer are taken in turns with it, in one run, and compared by their medians.
 *
 *   make bench                 everything
 *   make bench ONLY=datapath   one of: datapath, bpf, judge, clickhouse, collector, compile, discovery, estate, follow, history, idle, import, ingest, list, replay, readiness, sources, suggest, decide
 *   CHART=FILE                 with ONLY=list: where the picture of its growth goes (docs/pictures/list-cost.svg)
 *   SIZE=MIB                   with ONLY=import: how long the log is (128)
 *   JSON=FILE                  where the figures go (default: bench-results.json)
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { benchBpf } from "./bpf.ts";
import { benchJudge } from "./judge.ts";
import { benchClickHouse } from "./clickhouse.ts";
import { benchCollector } from "./collector.ts";
import { benchCompile } from "./compile.ts";
import { benchDatapath } from "./datapath.ts";
import { benchDecide } from "./decide.ts";
import { benchEstate } from "./estate.ts";
import { absolute, compared, formatFigure, header } from "./figure.ts";
import { benchDiscovery } from "./discovery.ts";
import type { Figure } from "./figure.ts";
import { benchFollow } from "./follow.ts";
import { benchHistory } from "./history.ts";
import { benchIdle, type IdleCost } from "./idle.ts";
import { benchImport } from "./import.ts";
import { benchIngest } from "./ingest.ts";
import { benchList } from "./list.ts";
import { benchReadiness } from "./readiness.ts";
import { benchReplay, benchReplayHistory } from "./replay.ts";
import { benchSources } from "./sources.ts";
import { benchSuggest } from "./suggest.ts";

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const collector = async (): Promise<Figure[]> => {
  const { bestPerSecond, meanPerSecond, lost, overflowed, logged, recorded, microsecondsPerFlow } =
    await benchCollector();
  return [
    absolute("collector/new flows", "1/s", [meanPerSecond], { atLeast: 100_000 }),
    absolute("collector/new flows, best burst", "1/s", [bestPerSecond]),
    absolute("collector/flows not recorded", "flows", [logged - recorded], { atMost: 0 }),
    absolute("collector/flows lost or overflowed", "flows", [lost + overflowed], { atMost: 0 }),
    absolute("collector/processor time a flow", "us", [microsecondsPerFlow]),
  ];
};

const share = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ??
  Number.NaN;

const follow = async (): Promise<Figure[]> => {
  const { ours, raw, missing } = await benchFollow();
  const lag = (name: string, part: number): Figure =>
    absolute(`follow/lag ${name}`, "ms", [share(ours, part)], { atMost: 250 });
  return [
    compared("follow/lag", "ms", ours, "tcpdump", raw),
    lag("p95", 0.95),
    lag("longest", 1),
    absolute("follow/connections not told", "connections", [missing], { atMost: 0 }),
  ];
};

const idle = async (): Promise<Figure[]> => {
  const { controller, agent, waiting } = await benchIdle();
  const ours = { controller, agent };
  const each = Object.entries(ours).flatMap(([name, { ownMiB, residentMiB, corePercent }]) => [
    compared(`idle/${name}, memory`, "MiB", [ownMiB], "waiting Node", [waiting.ownMiB]),
    absolute(`idle/${name}, resident`, "MiB", [residentMiB]),
    absolute(`idle/${name}, processor`, "% of a core", [corePercent]),
  ]);
  const both = (of: (cost: IdleCost) => number): number[] => [of(controller) + of(agent)];
  return [
    ...each,
    absolute(
      "idle/both, memory",
      "MiB",
      both(({ ownMiB }) => ownMiB),
      { atMost: 150 },
    ),
    absolute(
      "idle/both, processor",
      "% of a core",
      both(({ corePercent }) => corePercent),
      {
        atMost: 0.5,
      },
    ),
  ];
};

const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  datapath: () => benchDatapath({ say }),
  bpf: () => benchBpf(),
  judge: async () => [...benchJudge()],
  collector,
  compile: async () => benchCompile(),
  follow,
  idle,
  list: async () => benchList(),
  estate: async () => benchEstate(say),
  clickhouse: () => benchClickHouse(),
  replay: async () => [...benchReplay(), ...(await benchReplayHistory(say))],
  readiness: async () => benchReadiness(),
  sources: async () => benchSources(),
  suggest: async () => benchSuggest(),
  decide: async () => benchDecide(),
  import: () => benchImport(say),
  ingest: () => benchIngest(),
  history: () => benchHistory(),
  discovery: () => benchDiscovery(say),
};

const only = process.env["ONLY"] ?? "";
const chosen = only === "" ? Object.keys(BENCHES) : only.split(",");
const unknown = chosen.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  say(
    `bench: no such benchmark: ${unknown.join(", ")}; there are ${Object.keys(BENCHES).join(", ")}`,
  );
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  say("bench: network namespaces need root");
  process.exit(3);
}

// The labs clean up on exit; a signal alone would leave them.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => process.exit(130));

const started = new Date();
const load = loadavg()[0] ?? 0;
// Two ends and what is between them share the processors: on a busy machine medians still wander.
if (load > 1) say(`bench: this machine is busy (load ${load.toFixed(1)}); figures will scatter`);
const figures: Figure[] = [];
for (const name of chosen) figures.push(...((await BENCHES[name]?.()) ?? []));

console.log(header());
for (const figure of figures) console.log(formatFigure(figure));
const missed = figures.filter(({ verdict }) => verdict === "missed").length;
const met = figures.filter(({ verdict }) => verdict === "met").length;
console.log(`\n${met} aims met, ${missed} missed`);

const file =
  process.env["JSON"] === undefined || process.env["JSON"] === ""
    ? "bench-results.json"
    : process.env["JSON"];
const machine = {
  kernel: release(),
  processors: cpus().length,
  model: cpus()[0]?.model ?? "",
  load,
};
writeFileSync(
  file,
  `${JSON.stringify({ started: started.toISOString(), machine, figures }, null, 2)}\n`,
);
say(`bench: figures are in ${file}`);

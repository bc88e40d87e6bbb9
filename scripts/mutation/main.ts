/**
 * Mutation testing of deciding, compiling and of each dialect's reading: `make mutate`, with parts of file names as
 * arguments (`ARGS=ports`) to look at these only. `ONLY=cilium,text` judges some areas, `SAMPLE=400` so many mutants of
 * each area at the most, `SEED=7` others of them, `MINUTES=20` as many as there is time for in each room, in turn of the
 * areas; `MUTATION_PROCESSES=4` judges in more than two processes. Prints survivors and scores; exit 1 when an area is below 90 %.
 */
import { rmSync } from "node:fs";
import { ROOMS, type Room } from "./areas.ts";
import { judgeAll, type Status } from "./court.ts";
import { plant, type Mutant } from "./plant.ts";
import { scores, survivor, table, type Score } from "./report.ts";
import { inTurn, sampleOf } from "./sample.ts";

const TARGET = 90;
/** make gives what nobody said as an empty text. */
const given = (name: string, otherwise: number): number => Number(process.env[name] || otherwise);
const PROCESSES = given("MUTATION_PROCESSES", 2);
const SAMPLE = given("SAMPLE", Number.POSITIVE_INFINITY);
const MINUTES = given("MINUTES", Number.POSITIVE_INFINITY);
const SEED = given("SEED", 1);
const only = (process.env["ONLY"] ?? "").split(",").filter((name) => name !== "");
const names = process.argv.slice(2);

async function mutate(room: Room): Promise<Score[]> {
  const isAsked = (name: string) =>
    only.length === 0 || [room.name, name].some((one) => only.includes(one));
  const areas = room.areas.filter(({ name }) => isAsked(name));
  if (areas.length === 0) return [];
  const planted = await plant(areas, names);
  try {
    const groups = [...Map.groupBy(planted.mutants, ({ area }) => area).values()];
    const chosen = inTurn(groups.map((mutants) => sampleOf(mutants, SAMPLE, SEED)));
    if (chosen.length === 0) return [];
    const statuses = new Map<Mutant, Status>();
    const progress = setInterval(
      () => process.stderr.write(`${statuses.size} of ${chosen.length} mutants\n`),
      15_000,
    );
    const end = Date.now() + MINUTES * 60_000;
    const isOver = () => Date.now() > end;
    await judgeAll({ room, planted, processes: PROCESSES, isOver }, chosen, (mutant, status) => {
      statuses.set(mutant, status);
      if (status === "survived" || status === "not reached")
        process.stdout.write(`${status} ${survivor(mutant)}`);
    }).finally(() => clearInterval(progress));
    const judged = new Map(
      planted.mutants.flatMap((mutant) => {
        const status = statuses.get(mutant);
        return status === undefined ? [] : [[mutant, status] as const];
      }),
    );
    const byArea = scores(planted.mutants, judged, "area");
    const byFile = scores(planted.mutants, judged, "file");
    const said = ["", ...table("File", byFile), "", ...table("Area", byArea)];
    process.stdout.write(`${said.join("\n")}\n\n`);
    return byArea;
  } finally {
    rmSync(planted.folder, { recursive: true, force: true });
  }
}

const unknown = only.filter(
  (name) =>
    !ROOMS.some((room) => room.name === name || room.areas.some((area) => area.name === name)),
);
if (unknown.length > 0) throw new Error(`no such area: ${unknown.join(", ")}`);
const all: Score[] = [];
for (const room of ROOMS) all.push(...(await mutate(room)));
if (all.length === 0) throw new Error("nothing was judged");
process.exitCode = all.some(({ percent }) => percent < TARGET) ? 1 : 0;

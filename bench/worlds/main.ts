/**
 * Makes worlds, lets everybody learn of them, and prints what came of it; a whole run writes the tables and pictures of
 * `docs/learning.md` anew.
 *
 *   make worlds                everything (some minutes on two processors)
 *   make worlds ONLY=shop      one family: shop, three-tier, batch-farm, saas, hospital; or coverage; or tune
 *   SEED=N                     the first of the seeds (2024); FAST=1: one seed, half a year, a hundred histories
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AIM_HEAD, aimRows } from "./aims.ts";
import { THRESHOLDS } from "./baselines/jaccard.ts";
import { textOf } from "./calendar.ts";
import { coverageOf, LAWS, UNITS, type Covered } from "./coverage.ts";
import { replaceSection } from "./document.ts";
import { ALL_FAMILIES, FAMILIES, isFamily, type Family } from "./families.ts";
import { drawFalseDenies, drawUnseen } from "./pictures.ts";
import { createRandom } from "./random.ts";
import { jaccardIndex } from "./role-sorting.ts";
import {
  comparisonRows,
  coverageRows,
  lineOf,
  mean,
  readinessRows,
  roleRows,
  tableOf,
} from "./tables.ts";
import { halfOf, type TrialOptions, type TrialResult } from "./trial.ts";
import { runTrials } from "./trials.ts";
import { createWorld } from "./world.ts";

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const DEFAULT_SEED = 2024;
/** Others than those of the tables: what is chosen by looking must not be judged on what was looked at. */
const TUNING_SEEDS = [1, 2];

const only = process.env["ONLY"] ?? "";
const fast = (process.env["FAST"] ?? "") !== "";
const first = Number(
  process.env["SEED"] === "" ? DEFAULT_SEED : (process.env["SEED"] ?? DEFAULT_SEED),
);
const forTuning = ALL_FAMILIES.filter((family) => !FAMILIES[family].heldOut);
const known =
  only === "" ||
  only === "coverage" ||
  only === "tune" ||
  (isFamily(only) && forTuning.includes(only));
if (!known || !Number.isSafeInteger(first)) {
  say(
    `worlds: there are ${[...forTuning, "coverage", "tune"].join(", ")}, and SEED is a whole number`,
  );
  process.exit(2);
}
const seeds = fast ? [first] : [first, first + 1];
const size = { days: fast ? 182 : 364, size: fast ? 0.3 : 1 };

function tune(): void {
  console.log(lineOf(["World", ...THRESHOLDS.map(String)]));
  const all = forTuning.flatMap((family) =>
    TUNING_SEEDS.map((seed) => {
      const world = createWorld(family, { seed, ...size });
      const found = THRESHOLDS.map((threshold) => jaccardIndex(world, halfOf(size), threshold));
      console.log(lineOf([`${family} ${seed}`, ...found.map((index) => index.toFixed(2))]));
      return found;
    }),
  );
  const means = THRESHOLDS.map((_, at) => mean(all.map((row) => row[at] ?? 0)));
  console.log(lineOf(["mean", ...means.map((index) => index.toFixed(2))]));
}

function cover(): readonly Covered[] {
  const random = createRandom(first).fork("coverage");
  return LAWS.flatMap((law) =>
    UNITS.map((units) => coverageOf(law, units, fast ? 100 : 1000, random)),
  );
}

function sectionsOf(
  results: readonly TrialResult[],
  covered: readonly Covered[],
): ReadonlyMap<string, string> {
  const isHeldOut = ({ family }: TrialResult): boolean => FAMILIES[family].heldOut;
  const tuned = results.filter((result) => !isHeldOut(result));
  const heldOut = results.filter(isHeldOut);
  const about = `Seeds ${seeds.join(" and ")}; ${size.days} days from ${textOf(0)}; learned of the first ${halfOf(size)} days; ${results
    .map(({ workloads }) => workloads)
    .toSorted((a, b) => a - b)
    .join(", ")} workloads. Printed on ${new Date().toISOString().slice(0, 10)}.`;
  const sections = new Map<string, string>();
  if (tuned.length > 0) {
    sections.set("comparison", `${about}\n\n${tableOf("comparison", comparisonRows(tuned))}`);
    sections.set("readiness", tableOf("readiness", readinessRows(tuned)));
    sections.set("roles", tableOf("roles", roleRows(tuned)));
  }
  if (covered.length > 0)
    sections.set("coverage", `Seed ${first}.\n\n${tableOf("coverage", coverageRows(covered))}`);
  if (heldOut.length > 0) {
    const aims = [AIM_HEAD, AIM_HEAD.map(() => "---"), ...aimRows(tuned, heldOut, covered)]
      .map(lineOf)
      .join("\n");
    sections.set(
      "final",
      [
        tableOf("comparison", comparisonRows(heldOut)),
        tableOf("readiness", readinessRows(heldOut)),
        tableOf("roles", roleRows(heldOut)),
        aims,
      ].join("\n"),
    );
  }
  return sections;
}

if (only === "tune") tune();
else {
  const families: readonly Family[] = only === "" ? ALL_FAMILIES : isFamily(only) ? [only] : [];
  const wanted = families.flatMap((family) =>
    seeds.map((seed): TrialOptions => ({ family, seed, ...size })),
  );
  const results = await runTrials(wanted, say);
  const covered = only === "" || only === "coverage" ? cover() : [];
  const sections = sectionsOf(results, covered);
  for (const text of sections.values()) console.log(text);
  if (only === "" && !fast) {
    const docs = join(import.meta.dirname, "../../docs");
    const file = join(docs, "learning.md");
    let document = readFileSync(file, "utf8");
    for (const [name, text] of sections) document = replaceSection(document, name, text);
    writeFileSync(file, document);
    const world = createWorld("shop", { seed: first, ...size });
    writeFileSync(join(docs, "pictures/unseen.svg"), drawUnseen(world));
    writeFileSync(join(docs, "pictures/false-denies.svg"), drawFalseDenies(world));
    say("worlds: docs/learning.md and its pictures are written");
  }
}

/** What the judged mutants say of the tests, as text: who survived, and a table of scores by file and by area. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Status } from "./court.ts";
import { ROOT, type Mutant } from "./plant.ts";
import { interval } from "./sample.ts";

export interface Score {
  readonly area: string;
  /** Of the judged ones, in percent. */
  readonly percent: number;
  readonly cells: string;
}

export type Fates = ReadonlyMap<Mutant, Status>;

export function survivor({ file, line, column, mutator, replacement }: Mutant): string {
  const source = readFileSync(join(ROOT, file), "utf8").split("\n")[line - 1]?.trim();
  return `${file}:${line}:${column} ${mutator}\n  - ${source}\n  + ${replacement.split("\n")[0]}\n`;
}

/** `all`: the mutants that there are, judged or not. */
export function scores(all: readonly Mutant[], judged: Fates, by: "area" | "file"): Score[] {
  const statuses = Map.groupBy(judged, ([mutant]) => mutant[by]);
  const counts = Map.groupBy(all, (mutant) => mutant[by]);
  return [...statuses].map(([area, entries]) => {
    const endless = entries.filter(([, status]) => status === "timed out").length;
    const killed = entries.filter(([, status]) => status === "killed").length + endless;
    const percent = (100 * killed) / entries.length;
    const [there, tried] = [counts.get(area)!.length, entries.length];
    const [low, high] = interval(killed, tried);
    const range = tried === there ? "all" : `${low.toFixed(1)}–${high.toFixed(1)} %`;
    const cells = [there, tried, killed, endless, `${percent.toFixed(1)} %`, range].join(" | ");
    return { area, percent, cells };
  });
}

export function table(title: string, lines: readonly Score[]): string[] {
  return [
    `| ${title} | Mutants | Judged | Killed | Without an end | Score | 95 % interval |`,
    "|---|---|---|---|---|---|---|",
    ...lines.map(({ area, cells }) => `| \`${area}\` | ${cells} |`),
  ];
}

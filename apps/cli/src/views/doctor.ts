/** What `doctor` prints: one line a check, and what to do below it. */
import type { DoctorAnswer } from "../schemas.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";

export function doctorText({ checks }: DoctorAnswer, { style }: Ui): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const words = {
    works: style.green("works"),
    off: style.dim("off  "),
    fails: style.red("fails"),
  };
  const lines = checks.flatMap(({ name, state, detail, help }) => [
    `${style.dim(name.padEnd(width))}  ${words[state]}  ${detail}\n`,
    ...(help === undefined ? [] : [`${" ".repeat(width + 2)}       → ${help}\n`]),
  ]);
  const failing = checks.filter(({ state }) => state === "fails");
  const necessary = failing.some((one) => one.necessary);
  const verdict = necessary
    ? style.red("Bulkhead cannot run here as it is.")
    : failing.length > 0
      ? style.yellow(`Bulkhead can run here; ${count(failing.length, "thing")} to look after.`)
      : style.green("Bulkhead can run here.");
  return `${lines.join("")}\n${verdict}\n`;
}

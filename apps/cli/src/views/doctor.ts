/** What `doctor` prints: one line a check, and what to do below it. */
import type { DoctorAnswer } from "../schemas.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";

export function doctorText({ checks }: DoctorAnswer, { style }: Ui): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const words = {
    works: style.green("works "),
    off: style.dim("off   "),
    untold: style.yellow("untold"),
    fails: style.red("fails "),
  };
  const lines = checks.flatMap(({ name, state, detail, help }) => [
    `${style.dim(name.padEnd(width))}  ${words[state]}  ${detail}\n`,
    ...(help === undefined ? [] : [`${" ".repeat(width + 2)}        → ${help}\n`]),
  ]);
  const failing = checks.filter(({ state }) => state === "fails");
  const necessary = failing.some((one) => one.necessary);
  const untold = checks.filter(({ state }) => state === "untold");
  const verdict = necessary
    ? style.red("Bulkhead cannot run here as it is.")
    : untold.length > 0
      ? style.yellow(
          `What could be looked at without root works${failing.length > 0 ? ` but for ${count(failing.length, "thing")}` : ""}; ${untold.map(({ name }) => name).join(", ")} and the self-test need root.`,
        )
      : failing.length > 0
        ? style.yellow(`Bulkhead can run here; ${count(failing.length, "thing")} to look after.`)
        : style.green("Bulkhead can run here.");
  return `${lines.join("")}\n${verdict}\n`;
}

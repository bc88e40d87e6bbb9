/** What `decide` prints: the decision, and what determined it in either direction, with its place. */
import type { Obligation } from "@bulkhead/model";
import type { DecideAnswer, Determined } from "@bulkhead/workbench/desk";
import type { Style } from "../ui/style.ts";
import type { Ui } from "../ui/ui.ts";
import { determinantWords } from "./determinant.ts";

export function decideText(answer: DecideAnswer, { style }: Ui): string {
  const { decision, from, to, port } = answer;
  const verdict = decision === "allow" ? style.green("allow") : style.red("deny");
  const told = answer.rejected === true ? style.dim("  the sender is told") : "";
  const lines = [
    `${verdict}  ${style.bold(`${from} → ${to} ${port}`)}${told}`,
    ...answer.determinedBy.map((one) =>
      determinedLine(one, answer[one.direction] === "allow", style),
    ),
    ...(answer.obligations ?? []).map((one) => `  ${style.yellow(obligationText(one))}`),
    ...(answer.ambiguous === true
      ? [`  ${style.yellow("rules of equal order disagree; the stricter one counts")}`]
      : []),
    ...(answer.elsewhere === undefined
      ? []
      : [`  ${style.yellow(`between other addresses of the two: ${answer.elsewhere}`)}`]),
  ];
  return `${lines.join("\n")}\n`;
}

export function determinedLine(by: Determined, allowed: boolean, style: Style): string {
  const what = by.direction === "egress" ? "may leave " : "may arrive";
  const yes = allowed ? style.green("yes") : style.red("no ");
  return `  ${what} ${yes}  ${determinedText(by)}`;
}

function determinedText({ kind, rule, exemption, file, line }: Determined): string {
  switch (kind) {
    case "rule":
      return `${rule} (${file}:${line})`;
    case "isolation":
      return `${rule}, which allows nothing else (${file}:${line})`;
    case "default":
      return determinantWords.default;
    case "exemption":
      return determinantWords[exemption!];
  }
}

export function obligationText({ kind, rules }: Obligation): string {
  const which = rules.join(", ");
  switch (kind) {
    case "only":
      return `only requests that ${which} names`;
    case "unless":
      return `but no requests that ${which} names`;
    case "auth":
      return `only if both ends prove who they are (${which})`;
    case "external":
      return `only if the judge outside agrees (${which})`;
  }
}

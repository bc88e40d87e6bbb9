/** What `why` prints: what was denied, by which rule of whom from which commit, since when, and what to propose. */
import type { WhyAnswer, WhyQuery, WhyRule } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { ago, count } from "../ui/words.ts";
import { commitText } from "./origin.ts";
import { determinantText } from "./determinant.ts";
import { decisionVerdict } from "./verdicts.ts";

export function whyText(answer: WhyAnswer, asked: WhyQuery, ui: Ui): string {
  const { verdict } = answer;
  if (verdict === undefined) return `${nothingText(answer, asked, ui)}\n`;
  const head = `${decisionVerdict(verdict, ui.style)}  ${ui.style.bold(`${answer.from} → ${answer.to} ${answer.port}`)}  ${ui.style.dim(`revision ${answer.revision}`)}\n`;
  const rules = answer.rules
    .map((rule, at) =>
      ruleText(
        rule,
        rule.resource !== undefined && rule.resource === answer.rules[at + 1]?.resource,
        ui,
      ),
    )
    .join("");
  const allowed =
    verdict === "allow" && answer.denial !== undefined
      ? `  ${ui.style.green("allowed now")}: the policy in force lets it through\n`
      : "";
  return `${head}${rules}${allowed}${denialText(answer, ui)}${draftText(answer, ui)}`;
}

function nothingText({ denial, from, to, port }: WhyAnswer, asked: WhyQuery, ui: Ui): string {
  if (denial !== undefined) {
    const by = denial.rule === undefined ? "" : ` by ${denial.rule}`;
    return `${from} → ${to} ${port} was ${denial.verdict}${by}, last ${ago(denial.last, ui.now)}, and one of its ends is gone since: there is nothing to judge now.`;
  }
  const ends = [asked.from, asked.to].filter((end) => end !== undefined);
  const which = ends.length === 0 ? "" : ` of ${ends.join(" → ")}`;
  return `Nothing${which} that was denied is on record. Name both ends and the port to ask regardless: bulkhead why FROM TO:PORT`;
}

/** `again`: the next one is of the same resource, and is told of there. */
function ruleText(rule: WhyRule, again: boolean, ui: Ui): string {
  const { dim } = ui.style;
  const way = rule.direction === "egress" ? "may not leave" : "may not arrive";
  const line = (title: string, text: string): string => `    ${dim(title.padEnd(8))} ${text}\n`;
  const { origin, since, owner } = rule;
  const reason = since === undefined || since.reason === "" ? "" : `: ${since.reason}`;
  const head = `  ${way}: ${determinantText(rule.determinedBy)}\n`;
  if (again) return head;
  return [
    head,
    owner === undefined ? "" : line("owner", owner),
    origin === undefined ? "" : line("commit", commitText(origin)),
    since === undefined
      ? ""
      : line(
          "since",
          `revision ${since.revision}, ${ago(since.time, ui.now)}, by ${since.author || "somebody"}${reason}`,
        ),
  ].join("");
}

function denialText({ denial }: WhyAnswer, ui: Ui): string {
  if (denial === undefined) return ui.style.dim("  it was not seen to fail yet\n");
  const { connections, began, last, yours, source, destination } = denial;
  const who = yours
    ? " (a process of yours)"
    : (processText(source.process) ?? processText(destination.process) ?? "");
  return `  began ${ago(began, ui.now)}, last ${ago(last, ui.now)}: ${count(connections, "connection")}${who}\n`;
}

function processText(
  process: { readonly name?: string | undefined; readonly user?: string | undefined } | undefined,
): string | undefined {
  if (process?.name === undefined) return undefined;
  return ` (${process.name}${process.user === undefined ? "" : ` of ${process.user}`})`;
}

function draftText({ draft, inTheWay }: WhyAnswer, ui: Ui): string {
  if (inTheWay !== undefined) return `\nIn the way: ${inTheWay}\n`;
  if (draft === undefined) return "";
  const blanks = draft.fillIn.length === 0 ? "" : `; fill in ${draft.fillIn.join(", ")}`;
  const where = draft.exists ? `add to ${draft.file}` : `new file ${draft.file}`;
  return `\nTo propose (${where}${blanks}):\n\n${ui.style.cyan(draft.text.trimEnd())}\n`;
}

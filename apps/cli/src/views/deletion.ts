/** What `delete` prints: an apply's words, and what the resources that are gone no longer forbid. */
import type { ApplyAnswer } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { applyText, permittedText } from "./policies.ts";

export function deletionText(answer: ApplyAnswer, ui: Ui): string {
  const permitted =
    answer.permitted === undefined ? "" : permittedText(answer.permitted, ui).trimEnd();
  if (!answer.dryRun) return `${applyText(answer, ui)}${permitted}\n`;
  // A ruleset takes comments, so that what is printed can still be loaded.
  const comments = permitted === "" ? "" : `${permitted.replaceAll(/^/gm, "# ")}\n`;
  return `${comments}${applyText(answer, ui)}`;
}

/** What `delete` and `rollback` print: an apply's words, and what they newly allow or no longer do. */
import type { ApplyAnswer } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { applyText, commented, permittedText } from "./policies.ts";

export function deletionText(answer: ApplyAnswer, ui: Ui): string {
  const permitted =
    answer.permitted === undefined ? "" : permittedText(answer.permitted, ui).trimEnd();
  if (!answer.dryRun) return `${applyText(answer, ui)}${permitted === "" ? "" : `${permitted}\n`}`;
  return `${commented(permitted)}${applyText(answer, ui)}`;
}

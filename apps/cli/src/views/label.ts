/** What `bulkhead label` prints: who is called what now, and what that permits and forbids. */
import type { ApplyAnswer } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { duration } from "../ui/words.ts";
import { IS_CUT, underWayText, WOULD_BE_CUT } from "./under-way.ts";
import { permittedText } from "./policies.ts";

export interface Labelled {
  readonly workload: string;
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
  readonly answer: ApplyAnswer;
}

export function labelText({ workload, set, remove, answer }: Labelled, ui: Ui): string {
  const words = [
    ...Object.entries(set).map(([key, value]) => `+ ${key}=${value}`),
    ...remove.map((key) => `- ${key}`),
  ];
  const { permitted, notices = [], dryRun, changed, revision, confirmBy, underWay = [] } = answer;
  const cut = dryRun || answer.mode === "audit" ? WOULD_BE_CUT : IS_CUT;
  const open = underWay.length === 0 ? "" : underWayText(underWay, cut, ui);
  const outcome = dryRun
    ? "Nothing was changed: a dry run."
    : !changed
      ? "It was so already."
      : `Revision ${revision}${confirmBy === undefined ? "" : `, which reverts in ${duration(confirmBy - ui.now)} unless confirmed`}.`;
  return [
    `${workload}\n`,
    ...words.map((word) => `  ${word}\n`),
    ...(permitted === undefined ? [] : [`\n${permittedText(permitted, ui).trim()}\n`]),
    ...(open === "" ? [] : [`\n${open.trim()}\n`]),
    ...notices.map((notice) => `\nnote: ${notice}\n`),
    `\n${outcome}\n`,
  ].join("");
}

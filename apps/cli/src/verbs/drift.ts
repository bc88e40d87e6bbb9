/** `bulkhead drift`: where the kernel was found otherwise than wanted, and whether that is repaired or only reported. */
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { nearest } from "../ui/spell.ts";
import { driftText } from "../views/drift.ts";
import type { Verb } from "./verb.ts";

export interface DriftOptions extends CommonOptions {
  readonly set?: string;
}

export const drift: Verb<DriftOptions> = async (context, _args, options) => {
  const client = await context.client();
  if (options.set !== undefined) await client.call("settings", { drift: settingOf(options.set) });
  const answer = await client.call("drift", {});
  const open = answer.reports.some((report) => !report.repaired);
  return {
    value: answer,
    text: (ui) => driftText(answer, ui),
    next: open && answer.setting === "report" ? ["drift --set repair"] : ["status"],
    exitCode: open ? 1 : 0,
  };
};

function settingOf(typed: string): "repair" | "report" {
  if (typed === "repair" || typed === "report") return typed;
  const near = nearest(typed, ["repair", "report"]);
  throw badInput(
    `\`${typed}\` is not a setting`,
    near === undefined ? "use repair or report" : `did you mean \`${near}\`?`,
  );
}

/** `bulkhead status`: is all well, and if not, what is not. */
import type { CommonOptions } from "../context.ts";
import type { StatusAnswer } from "@bulkhead/api";
import { withProgress } from "../progress.ts";
import { statusText } from "../views/status.ts";
import type { Verb } from "./verb.ts";

export const status: Verb<CommonOptions> = async (context) => {
  const client = await context.client();
  const answer = await withProgress(context, "asking", () => client.call("status", {}));
  return {
    value: answer,
    text: (ui) => statusText(answer, ui),
    next: nextOf(answer),
    exitCode: answer.state === "ok" ? 0 : 1,
  };
};

function nextOf(answer: StatusAnswer): readonly string[] {
  if (answer.confirm !== undefined) return ["confirm", "rollback"];
  if (answer.agents.length === 0 || answer.agents.some((agent) => !agent.connected)) return ["up"];
  if (answer.mode === undefined)
    return answer.flows.stored === 0 ? ["observe --follow"] : ["suggest -f policy.yaml"];
  if (answer.mode === "audit") return ["observe --verdict audit"];
  return answer.probe?.revision === answer.revision ? ["observe --verdict dropped"] : ["probe"];
}

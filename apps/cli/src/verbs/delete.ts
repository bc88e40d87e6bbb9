/** `delete`: takes single resources out of force, with the checks of an apply, and says what becomes allowed by that. */
import { parseConfirm } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { orInterrupted } from "../interruption.ts";
import { withProgress } from "../progress.ts";
import { resolveResources } from "../resources.ts";
import { deletionText } from "../views/deletion.ts";
import { authorOf, changeGoesOn, modeOf } from "./policies.ts";
import type { Verb } from "./verb.ts";

export interface DeleteOptions extends CommonOptions {
  readonly mode?: string;
  readonly confirm?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly reason?: string;
}

export const deleteResources: Verb<DeleteOptions> = async (context, args, options) => {
  const confirmSeconds = options.confirm === undefined ? undefined : parseConfirm(options.confirm);
  if (options.force === true && (options.reason ?? "") === "") {
    throw badInput("`--force` needs a reason", "add --reason 'why this is safe'");
  }
  const mode = options.mode === undefined ? undefined : modeOf(options.mode, "audit");
  const dryRun = options.dryRun === true;
  const client = await context.client();
  const inForce = await client.call("resources", {});
  const resources = resolveResources(
    args,
    inForce.resources.map(({ name }) => name),
  );
  const deleting = withProgress(context, "deleting", () =>
    client.call("delete", {
      resources,
      dryRun,
      force: options.force === true,
      reason: options.reason ?? "",
      author: authorOf(context),
      ...(mode === undefined ? {} : { mode }),
      ...(confirmSeconds === undefined ? {} : { confirmSeconds }),
    }),
  );
  const answer = await orInterrupted(
    context.signal,
    deleting,
    dryRun ? "nothing is changed by a dry run" : changeGoesOn(context),
  );
  return {
    value: answer,
    text: (ui) => deletionText(answer, ui),
    next: dryRun
      ? [`delete ${resources.join(" ")}`]
      : answer.confirmBy === undefined
        ? ["probe", "rollback"]
        : ["confirm", "rollback"],
    comment: dryRun,
    exitCode: 0,
  };
};

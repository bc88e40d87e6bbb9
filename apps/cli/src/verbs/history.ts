/** `history`, `rollback` and `confirm`: what was applied, and back to it. */
import { parseConfirm, parseWhole } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, CliFailure } from "../failure.ts";
import { orInterrupted } from "../interruption.ts";
import { withProgress } from "../progress.ts";
import { deletionText } from "../views/deletion.ts";
import { historyText } from "../views/policies.ts";
import { authorOf, changeGoesOn, modeOf } from "./policies.ts";
import { originText } from "../views/origin.ts";
import type { Verb } from "./verb.ts";

export interface RollbackOptions extends CommonOptions {
  readonly mode?: string;
  readonly confirm?: string;
  readonly force?: boolean;
  readonly reason?: string;
  readonly yes?: boolean;
}

export const history: Verb<CommonOptions> = async (context, [wanted]) => {
  const client = await context.client();
  if (wanted !== undefined) {
    const revision = await client.call("revision", { revision: parseWhole(wanted, "a revision") });
    return {
      value: revision,
      text: () =>
        revision.texts
          .map((file) => `# ${file.name}${originText(file.origin)}\n${file.text.trimEnd()}\n`)
          .join("---\n"),
      next: [`rollback ${revision.revision}`],
      exitCode: 0,
    };
  }
  const answer = await client.call("history", {});
  return {
    value: answer,
    text: (ui) => historyText(answer, ui),
    next:
      answer.revisions.length === 0 ? ["suggest -f policy.yaml"] : [`history ${answer.current}`],
    exitCode: answer.intact ? 0 : 1,
  };
};

export const rollback: Verb<RollbackOptions> = async (context, [wanted], options) => {
  const client = await context.client();
  const confirmSeconds = options.confirm === undefined ? undefined : parseConfirm(options.confirm);
  if (options.force === true && (options.reason ?? "") === "") {
    throw badInput("`--force` needs a reason", "add --reason 'why this is safe'");
  }
  const revision =
    wanted === undefined
      ? await previous(async () => client.call("history", {}))
      : parseWhole(wanted, "a revision");
  const goBack = (opens: boolean) =>
    client.call("rollback", {
      revision,
      opens,
      force: options.force === true,
      reason: options.reason ?? "",
      author: authorOf(context),
      ...(options.mode === undefined ? {} : { mode: modeOf(options.mode, "audit") }),
      ...(confirmSeconds === undefined ? {} : { confirmSeconds }),
    });
  const goingBack = withProgress(context, `going back to revision ${revision}`, () =>
    goBack(options.yes === true),
  ).catch(async (error: unknown) => {
    await askWhetherMeant(context, error);
    return goBack(true);
  });
  const answer = await orInterrupted(context.signal, goingBack, changeGoesOn(context));
  return {
    value: answer,
    text: (ui) => deletionText(answer, ui),
    next: answer.confirmBy === undefined ? ["history", "probe"] : ["confirm"],
    exitCode: 0,
  };
};

/** Without a terminal the failure itself tells what to type. */
async function askWhetherMeant({ stdin, stdout, stderr }: Context, error: unknown): Promise<void> {
  const { ApiFailure } = await import("@bulkhead/api");
  const isAskable = stdin.isTTY === true && stdout.isTTY === true;
  if (!(error instanceof ApiFailure) || error.code !== "opens" || !isAskable) throw error;
  stderr.write(`${error.message.replace(/: nothing was changed$/, "")}.\n`);
  const { confirm: ask, isCancel } = await import("@clack/prompts");
  const meant = await ask({ message: "Go back all the same?", initialValue: false });
  if (isCancel(meant) || !meant) throw new CliFailure(2, "nothing was changed");
}

/** The revision before the one in force; 0 is "no policy at all". */
async function previous(
  read: () => Promise<{
    readonly current: number;
    readonly revisions: readonly { readonly revision: number }[];
  }>,
): Promise<number> {
  const { current, revisions } = await read();
  if (revisions.length === 0) throw badInput("there is no revision to go back to");
  const earlier = revisions.map((entry) => entry.revision).filter((number) => number < current);
  return earlier.length === 0 ? 0 : Math.max(...earlier);
}

export const confirm: Verb<CommonOptions> = async (context) => {
  const client = await context.client();
  const answer = await client.call("confirm", {});
  return {
    value: answer,
    text: (ui) => `${ui.style.green("Confirmed")}: revision ${answer.revision} stays.\n`,
    next: ["probe"],
    exitCode: 0,
  };
};

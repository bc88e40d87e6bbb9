/**
 * `bulkhead decide DIR`: what the files say of one connection, or of a stream of questions, one line of JSON each; without DIR
 * what is in force here says.
 */
import {
  createAsker,
  type Asker,
  type DecideAnswer,
  type Question,
} from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { lineBatchesOf, readable, writeOut } from "../lines.ts";
import { openDeskOrHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import type { RequestOptions } from "../offline/request-options.ts";
import { orFailure, requestFields } from "../offline/requests.ts";
import { shellWord } from "../ui/shell.ts";
import { decideText } from "../views/decide.ts";
import type { Verb } from "./verb.ts";

export interface DecideOptions extends OfflineOptions, RequestOptions {
  readonly from?: string;
  readonly to?: string;
  readonly port?: string;
  readonly queries?: string;
  readonly shadow?: boolean;
}

export const decide: Verb<DecideOptions> = async (context, [dir], options) => {
  const { queries } = options;
  const single = queries === undefined ? questionOf(options) : undefined;
  if (queries !== undefined) refuseBoth(options);
  if (dir === "-" && queries === "-") {
    throw badInput("both the policies and the questions are to come from standard input");
  }
  const { desk, exitCode } = await openDeskOrHere(
    context,
    dir === undefined ? [] : [dir],
    options,
    "decide policies/ --from …",
  );
  const view = options.shadow === true ? "shadow" : "live";
  const asker = createAsker(desk, { now: context.now(), view });
  if (single === undefined) return exitCode(await answerAll(context, asker, queries!));
  const answer = orFailure(asker.ask(single));
  return {
    value: answer satisfies DecideAnswer,
    text: (ui) => decideText(answer, ui),
    next: answer.decision === "deny" ? [explaining(dir, answer)] : [],
    exitCode: exitCode(answer.decision === "deny" ? 1 : 0),
  };
};

function explaining(dir: string | undefined, { from, to, port }: DecideAnswer): string {
  return `explain ${[...(dir === undefined ? [] : [dir]), from, to, port].map(shellWord).join(" ")}`;
}

/** In the order of the questions, each as soon as it is known. 2: some of them were none. */
async function answerAll(context: Context, asker: Asker, file: string): Promise<ExitCode> {
  let number = 0;
  let failed = 0;
  for await (const lines of lineBatchesOf(file === "-" ? context.stdin : readable(file))) {
    if (context.signal.aborted) return 130;
    let text = "";
    for (const line of lines) {
      number++;
      // A byte order mark is no part of a question, and an empty line is none.
      const question = number === 1 ? line.replace(/^\uFEFF/, "") : line;
      if (question.trim() === "") continue;
      const answer = asker.askLine(question, number);
      if (answer.startsWith('{"error"')) failed++;
      text += `${answer}\n`;
    }
    if (text !== "") await writeOut(context.stdout, text);
  }
  return failed > 0 ? 2 : 0;
}

const SINGLE = ["from", "to", "port", "http", "header", "sni", "dns", "toFqdn"] as const;

function refuseBoth(options: DecideOptions): void {
  const given = SINGLE.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  const option = given === "toFqdn" ? "to-fqdn" : given;
  throw badInput(
    `\`--${option}\` and \`--queries\` do not go together`,
    "each question has its own",
  );
}

function questionOf({ from, to, port, ...options }: DecideOptions): Question {
  const example = "bulkhead decide policies/ --from shop/web --to shop/db --port 5432/tcp";
  if (from === undefined) throw badInput("`decide` needs `--from`, or `--queries`", example);
  if (to === undefined && options.toFqdn === undefined) {
    throw badInput("`decide` needs `--to`", example);
  }
  if (port === undefined) throw badInput("`decide` needs `--port`", example);
  return { from, to: to ?? "world", port, ...requestFields(options) };
}

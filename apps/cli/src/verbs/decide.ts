/** `bulkhead decide DIR`: what the files say of one connection, or of a stream of questions, one line of JSON each. */
import {
  createAsker,
  dnsRequest,
  httpRequest,
  plainName,
  tlsRequest,
  type Asker,
  type DecideAnswer,
  type Found,
  type Question,
} from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { lineBatchesOf, readable, writeOut } from "../lines.ts";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { shellWord } from "../ui/shell.ts";
import { decideText } from "../views/decide.ts";
import type { Verb } from "./verb.ts";

export interface DecideOptions extends OfflineOptions {
  readonly from?: string;
  readonly to?: string;
  readonly port?: string;
  readonly http?: string;
  readonly header?: readonly string[];
  readonly sni?: string;
  readonly dns?: string;
  readonly toFqdn?: readonly string[];
  readonly queries?: string;
  readonly shadow?: boolean;
}

export const decide: Verb<DecideOptions> = async (context, [dir = ""], options) => {
  const { queries } = options;
  const single = queries === undefined ? questionOf(options) : undefined;
  if (queries !== undefined) refuseBoth(options);
  if (dir === "-" && queries === "-") {
    throw badInput("both the policies and the questions are to come from standard input");
  }
  const { desk, exitCode } = await openDeskOf(context, [dir], options);
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

function explaining(dir: string, { from, to, port }: DecideAnswer): string {
  return `explain ${[dir, from, to, port].map(shellWord).join(" ")}`;
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

function questionOf({ from, to, port, toFqdn, ...options }: DecideOptions): Question {
  const example = "bulkhead decide policies/ --from shop/web --to shop/db --port 5432/tcp";
  if (from === undefined) throw badInput("`decide` needs `--from`, or `--queries`", example);
  if (to === undefined && toFqdn === undefined) throw badInput("`decide` needs `--to`", example);
  if (port === undefined) throw badInput("`decide` needs `--port`", example);
  const request = requestOf(options);
  return {
    from,
    to: to ?? "world",
    port,
    ...(request === undefined ? {} : { request }),
    ...(toFqdn === undefined ? {} : { names: toFqdn.map(plainName) }),
  };
}

function requestOf({ http, header, sni, dns }: DecideOptions): Question["request"] {
  const given = Object.entries({ http, sni, dns }).filter(([, text]) => text !== undefined);
  const [first, second] = given;
  if (second !== undefined) {
    throw badInput(`\`--${first![0]}\` and \`--${second[0]}\` are two different requests`);
  }
  if (header !== undefined && http === undefined) throw badInput("`--header` goes with `--http`");
  if (http !== undefined) return orFailure(httpRequest(http, header));
  if (sni !== undefined) return tlsRequest(sni);
  return dns === undefined ? undefined : dnsRequest(dns);
}

export function orFailure<T>(found: Found<T>): T {
  if (found.problem === undefined) return found.value;
  const { message, help } = found.problem;
  throw badInput(message, help);
}

/**
 * `bulkhead suggest`: the least policy for what was seen, from the running controller or from an export. Without a file to
 * write to it is the policy text itself, ready for a pipe.
 */
import type { Answer } from "../answer.ts";
import { refuseLoneFormat } from "../arguments.ts";
import { badInput, cannotRun } from "../failure.ts";
import { save, targetOf } from "../save.ts";
import { pullRequest, summary } from "../suggest/answers.ts";
import { askedFor, isWhole, refuseIdleAccepts, type SuggestOptions } from "../suggest/asked.ts";
import { saveFiles, targetsOf } from "../suggest/directory.ts";
import { dialectOf, fromFlows, fromSystem, inDialect } from "../suggest/found.ts";
import { lookedAt, newsFor } from "../suggest/news.ts";
import type { Verb } from "./verb.ts";

export const suggest: Verb<SuggestOptions> = async (context, _args, options) => {
  refuseLoneFormat(options);
  const asked = await askedFor(context, options);
  const dialect = await dialectOf(options);
  const file = options.file === "-" ? undefined : options.file;
  if (options.directory !== undefined && options.file !== undefined) {
    throw badInput("`--file` and `--directory` are both given", "give one of them");
  }
  if (options.flows !== undefined && options.sinceLast === true) {
    throw badInput("`--since-last` is about the running system", "leave out `--flows`");
  }
  const overwrite = options.overwrite === true;
  const target = file === undefined ? undefined : await targetOf(file, overwrite);
  const markdown = options.output === "markdown";
  const suggested =
    options.flows === undefined
      ? await fromSystem(context, asked, markdown)
      : await fromFlows(context, options.flows, options.format, asked);
  await refuseIdleAccepts(suggested.answer);
  for (const remark of suggested.remarks) context.stderr.write(`${remark}\n`);
  const found = dialect === undefined ? suggested : await inDialect(context, suggested, dialect);
  if (found === undefined) return 1;
  const { answer } = found;
  const news = options.flows === undefined ? await newsFor(context, answer) : undefined;
  if (news === undefined && options.sinceLast === true) {
    throw cannotRun(
      "nothing says where to remember what you were shown",
      "set HOME or XDG_STATE_HOME",
    );
  }

  const text = answer.files.map((one) => one.text).join("---\n");
  // A file without a rule would only be in the way of the next suggestion.
  const worth = answer.rules.length > 0;
  if (target !== undefined && worth) await save(target, text);
  if (options.directory !== undefined && worth) {
    const targets = await targetsOf(options.directory, answer.perApplication ?? [], overwrite);
    await saveFiles(targets);
  }
  const written = file ?? options.directory;
  const answered: Answer = markdown
    ? await pullRequest(found, asked, options.sinceLast === true ? news : undefined)
    : await summary(context, found, options, { text, written, news });
  await lookedAt(context, news, {
    asked: options.sinceLast === true,
    whole: isWhole(asked),
  });
  return suggested.isBroken === true ? { ...answered, exitCode: 2 } : answered;
};

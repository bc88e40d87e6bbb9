/** What every verb is: arguments and options in, an answer (or the exit code of a stream) out. Loaded only when called. */
import type { Answer } from "../answer.ts";
import type { Context } from "../context.ts";
import type { ExitCode } from "../failure.ts";

export type Verb<Options> = (
  context: Context,
  args: readonly string[],
  options: Options,
) => Promise<Answer | ExitCode>;

/** What a verb gives back, and how it is printed: for people with the next sensible command, for programs as JSON or YAML. */
import type { Context } from "./context.ts";
import type { ExitCode } from "./failure.ts";
import { harmless } from "./ui/style.ts";
import type { Ui } from "./ui/ui.ts";

export interface Answer {
  /** Printed whole by `-o json` and `-o yaml`; its schema is what `bulkhead schema` publishes. */
  readonly value: unknown;
  readonly text: (ui: Ui) => string;
  /** Commands without the leading `bulkhead`, the most sensible first. */
  readonly next: readonly string[];
  /** What has to be known to type it. */
  readonly nextNote?: string | undefined;
  /** The text is made for another program, `nft -f` say: what comes next stands in a comment. */
  readonly comment?: boolean;
  readonly exitCode: ExitCode;
}

export async function printAnswer(context: Context, answer: Answer): Promise<ExitCode> {
  context.stdout.write(await formatAnswer(context, answer));
  return answer.exitCode;
}

async function formatAnswer(context: Context, answer: Answer): Promise<string> {
  switch (context.format) {
    case "json":
      return `${JSON.stringify(answer.value, undefined, 2)}\n`;
    case "yaml": {
      const { stringify } = await import("yaml");
      return stringify(answer.value, { aliasDuplicateObjects: false });
    }
    case "human":
    case "wide": {
      const next = nextLine(answer.next, context, answer.nextNote);
      const line = answer.comment === true ? next.replace(/^\n/, "\n# ") : next;
      return harmless(`${answer.text(context.ui)}${line}`);
    }
  }
}

export function nextLine(
  next: readonly string[],
  { ui, hint }: Context,
  note: string | undefined = undefined,
): string {
  if (next.length === 0) return "";
  const commands = next.map((command) => ui.style.cyan(hint(command)));
  const after = note === undefined ? "" : ui.style.dim(`  (${note})`);
  return `\n${ui.style.dim("next:")} ${commands.join(ui.style.dim("  or  "))}${after}\n`;
}

/** One value of a stream: a line of JSON, a YAML document, or a line for people. */
export async function printItem(
  context: Context,
  value: unknown,
  line: (ui: Ui) => string,
): Promise<void> {
  switch (context.format) {
    case "json":
      context.stdout.write(`${JSON.stringify(value)}\n`);
      return;
    case "yaml": {
      const { stringify } = await import("yaml");
      context.stdout.write(`---\n${stringify(value, { aliasDuplicateObjects: false })}`);
      return;
    }
    case "human":
    case "wide":
      context.stdout.write(harmless(line(context.ui)));
  }
}

/** One call of the command line, from arguments to exit code: every failure ends here and is told once, in one shape. */
import { CommanderError, type Command } from "commander";
import type { Surroundings } from "./context.ts";
import { CliFailure, Interrupted, type ExitCode } from "./failure.ts";
import { createProgram } from "./program.ts";
import { nearest } from "./ui/spell.ts";
import { harmless, styleFor } from "./ui/style.ts";

export async function runCli(args: readonly string[], around: Surroundings): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const program = createProgram(around, (code) => {
    exitCode = code;
  });
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 0;
    }
    // What people type before they know that it is a verb.
    const asked =
      args[0] === "--version" || args[0] === "-V" ? ["version", ...args.slice(1)] : args;
    refuseHelpForNobody(asked, program);
    await program.parseAsync([...asked], { from: "user" });
    return exitCode;
  } catch (error) {
    const [verb, about] = program.args;
    // Options, but no verb: commander takes that for an error, and shows its help where nobody looks.
    if (isHelpForWantOfAVerb(error) && verb === undefined) {
      program.outputHelp();
      return 0;
    }
    return tell(
      await toFailure(
        isHelpForWantOfAVerb(error) && about !== undefined
          ? new CommanderError(1, "commander.unknownCommand", `unknown command '${about}'`)
          : error,
        program.commands.map((command) => command.name()),
        args,
      ),
      args,
      around,
    );
  }
}

const TAKING_A_VALUE = ["-o", "--output", "--state"];

/** Commander shows the help of all for `--help` after a verb that there is not. */
function refuseHelpForNobody(args: readonly string[], program: Command): void {
  if (!args.some((word) => word === "--help" || word === "-h")) return;
  const verb = args.find(
    (word, at) => !word.startsWith("-") && !TAKING_A_VALUE.includes(args[at - 1] ?? ""),
  );
  if (verb === undefined || verb === "help") return;
  if (program.commands.some((command) => command.name() === verb)) return;
  throw new CommanderError(1, "commander.unknownCommand", `unknown command '${verb}'`);
}

function isHelpForWantOfAVerb(error: unknown): boolean {
  return error instanceof CommanderError && error.code === "commander.help" && error.exitCode !== 0;
}

interface Failure {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
  readonly help: string | undefined;
  /** Diagnostics, already printed for people. */
  readonly details: string | undefined;
  readonly diagnostics: readonly unknown[];
}

async function toFailure(
  error: unknown,
  verbs: readonly string[],
  args: readonly string[],
): Promise<Failure | undefined> {
  const plain = { details: undefined, diagnostics: [] };
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return undefined; // help or version was asked for and printed
    return { ...plain, exitCode: 2, code: "bad-usage", ...commanderWords(error, verbs, args) };
  }
  if (error instanceof CliFailure) {
    const code =
      error instanceof Interrupted
        ? "interrupted"
        : error.exitCode === 3
          ? "cannot-run"
          : "bad-input";
    return { ...plain, exitCode: error.exitCode, code, message: error.message, help: error.help };
  }
  const { ApiFailure } = await import("@bulkhead/api");
  if (error instanceof ApiFailure) {
    const { exitCode, code, message, help, diagnostics } = error;
    if (diagnostics.length === 0) return { ...plain, exitCode, code, message, help };
    const [{ diagnosticsText }, { sourcesOf }, { plainStyle }] = await Promise.all([
      import("./views/diagnostics.ts"),
      import("./verbs/policies.ts"),
      import("./ui/style.ts"),
    ]);
    const details = diagnosticsText(diagnostics, sourcesOf(error), { style: plainStyle });
    return { exitCode, code, message, help, details, diagnostics };
  }
  if (isBrokenPipe(error)) return undefined;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return {
    ...plain,
    exitCode: 3,
    code: "internal",
    message: `unexpected: ${message}`,
    help: stack,
  };
}

/** Commander's words in the shape of ours: lower case, backticks, help apart. */
function commanderWords(
  error: CommanderError,
  verbs: readonly string[],
  args: readonly string[],
): { readonly message: string; readonly help: string | undefined } {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const message = first.replaceAll(/'([^']*)'/g, "`$1`");
  const hint = /Did you mean (one of )?(.*?)\?/.exec(rest.join(" "))?.[2];
  if (hint !== undefined)
    return { message, help: `did you mean \`${hint.replaceAll(", ", "`, `")}\`?` };
  if (error.code === "commander.unknownCommand") {
    const near = nearest(/`(.*)`/.exec(message)?.[1] ?? "", verbs);
    return {
      message,
      help: near === undefined ? "`bulkhead --help` lists the verbs" : `did you mean \`${near}\`?`,
    };
  }
  const verb = args.find((word) => verbs.includes(word));
  return { message, help: `see \`bulkhead ${verb === undefined ? "" : `${verb} `}--help\`` };
}

async function tell(
  failure: Failure | undefined,
  args: readonly string[],
  around: Surroundings,
): Promise<ExitCode> {
  if (failure === undefined) return 0;
  const { exitCode, code, message, help, details, diagnostics } = failure;
  const value = { error: { code, message, help, diagnostics } };
  if (asksFor("json", args)) {
    around.stderr.write(`${JSON.stringify(value)}\n`);
    return exitCode;
  }
  if (asksFor("yaml", args)) {
    const { stringify } = await import("yaml");
    around.stderr.write(stringify(value, { aliasDuplicateObjects: false }));
    return exitCode;
  }
  const style = styleFor(around.stderr, around.env);
  if (code === "interrupted") {
    around.stderr.write(harmless(`${message}${help === undefined ? "" : `: ${help}`}\n`));
    return exitCode;
  }
  if (details !== undefined) around.stderr.write(harmless(`${details}\n`));
  around.stderr.write(harmless(`${style.red("error:")} ${message}\n`));
  if (help !== undefined) around.stderr.write(harmless(`${style.dim("help:")} ${help}\n`));
  return exitCode;
}

/** `jsonpb` is JSON of another shape. */
function asksFor(format: "json" | "yaml", args: readonly string[]): boolean {
  const words = format === "json" ? ["json", "jsonpb"] : [format];
  return args.some(
    (word, index) =>
      words.some((one) => word === `-o${one}` || word === `--output=${one}`) ||
      (words.includes(word) && (args[index - 1] === "-o" || args[index - 1] === "--output")),
  );
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

// The manual page, made from the same definitions as `--help`: what it says of verbs and options cannot
// differ from what the command line takes. Text in, roff (man(7)) out.
import { createProgram } from "../../apps/cli/src/program.ts";

type Command = ReturnType<typeof createProgram>;

/** Text with nothing in it that roff would take for a request or an escape. */
function plain(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return escaped.replaceAll(/^([.'])/gm, "\\&$1");
}

const bold = (text: string): string => `.B "${plain(text).replaceAll('"', '""')}"\n`;
const paragraph = (text: string): string => `.PP\n${plain(text)}\n`;
const item = (head: string, text: string): string => `.TP\n${bold(head)}${plain(text)}\n`;
const literally = (lines: readonly string[]): string =>
  `.PP\n.nf\n.RS\n${lines.map(plain).join("\n")}\n.RE\n.fi\n`;

/** The lines under `Example:` of a help text; commander keeps what follows its own help only as printed. */
function examplesIn(help: string): readonly string[] {
  const [, shown = ""] = /\nExample[^\n]*:\n((?: +\$ .*\n)+)/.exec(help) ?? [];
  return shown.split("\n").flatMap((line) => (line === "" ? [] : [line.trim()]));
}

export function manualPage(version: string): string {
  let printed = "";
  const nowhere = { write: () => true };
  const program = createProgram(
    {
      stdout: { columns: 1000, write: (text) => (printed += text) },
      stderr: nowhere,
      stdin: (async function* () {})(),
      env: {},
      now: () => 0,
      signal: new AbortController().signal,
    },
    () => undefined,
  );
  const helpOf = (command: Command): string => {
    printed = "";
    command.outputHelp();
    return printed;
  };
  const verbs = program.commands.filter((command) => !command.name().startsWith("__"));

  function section(verb: Command): string {
    const options = verb.options
      .filter((option) => !option.hidden)
      .map(({ flags, description, argChoices }) =>
        item(
          flags,
          argChoices === undefined ? description : `${description}: ${argChoices.join(", ")}`,
        ),
      );
    return [
      `.SS "bulkhead ${plain(verb.name())} ${plain(verb.usage())}"\n`,
      `${plain(verb.description())}\n`,
      ...options,
      literally(examplesIn(helpOf(verb))),
    ].join("");
  }

  return [
    '.\\" Made by `make package` from the definitions of the command line.\n',
    `.TH BULKHEAD 1 "" "bulkhead ${plain(version)}" "Bulkhead"\n`,
    ".SH NAME\n",
    "bulkhead \\- microsegmentation: every workload in its own watertight compartment\n",
    ".SH SYNOPSIS\n.B bulkhead\n.I verb\n.RI [ options ]\n",
    `.SH DESCRIPTION\n${plain(program.description())}\n`,
    paragraph(
      "`sudo bulkhead up` starts it, `bulkhead doctor` tells whether this machine can enforce.",
    ),
    paragraph("The loop:"),
    literally(examplesIn(helpOf(program))),
    ".SH VERBS\n",
    ...verbs.map(section),
    ".SH EXIT STATUS\n",
    item("0", "success, allowed, nothing found"),
    item("1", "denied, a difference, a finding"),
    item("2", "bad input"),
    item("3", "cannot run here"),
    item("130", "interrupted"),
    ".SH ENVIRONMENT\n",
    item("BULKHEAD_STATE", "state directory, where --state does not name one"),
    item("NO_COLOR", "no colours"),
    ".SH FILES\n",
    item("/var/lib/bulkhead", "state: policies, recorded flows, keys, logs"),
    item("/var/lib/bulkhead/api.sock", "for root: reads and changes"),
    item("/var/lib/bulkhead/read.sock", "for members of the group bulkhead: reads"),
    ".SH SEE ALSO\n.BR nft (8),\n.BR conntrack (8),\n.BR systemd (1)\n",
  ].join("");
}

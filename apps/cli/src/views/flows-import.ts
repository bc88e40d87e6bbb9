/** What became of an import, file by file: what was stored, what was not, and how far it can be trusted. */
import type { FlowsExportAnswer, FlowsImportAnswer } from "../schemas.ts";
import type { Ui } from "../ui/ui.ts";
import { count, duration, moment, thousands } from "../ui/words.ts";

type ImportedFile = FlowsImportAnswer["files"][number];

export function importText({ files }: FlowsImportAnswer, ui: Ui): string {
  return files.map((file) => fileText(file, ui)).join("\n");
}

export function exportText({ file, what, rows }: FlowsExportAnswer): string {
  return `${count(rows, what === "flows" ? "flow" : "edge")} written to ${file}\n`;
}

function fileText(file: ImportedFile, { style }: Ui): string {
  const { malformed, others, first, last } = file;
  const lines = [
    `${style.bold(file.file)} (${file.format}): ${count(file.flows, "flow")}, ${count(file.edges, "edge")}`,
    ...(first === undefined || last === undefined
      ? []
      : [`  from ${moment(first)} to ${moment(last)} (${duration(last - first)})`]),
    `  stored: ${thousands(file.stored)}`,
    ...told(file.known, "imported before, not counted twice"),
    ...told(file.repeated, "told by a file imported before, counted once"),
    ...told(file.duplicates, "told twice in the file, counted once"),
    ...told(file.future, "from the future, not stored"),
    ...told(file.backwards, "ended before they began: taken to have ended at once"),
    ...told(file.old, "older than single flows are kept: their days stay"),
    ...Object.entries(others).map(([what, times]) => `  no flow: ${what} (${thousands(times)})`),
    ...(file.lost === 0
      ? []
      : [style.yellow(`  the source says that it lost ${count(file.lost, "event")}`)]),
    ...confidence(file).map((line) => style.yellow(`  ${line}`)),
    ...(file.broken === undefined
      ? []
      : [
          style.red(
            `  ${file.broken}: what was read until then is stored, what comes after it could not be read`,
          ),
        ]),
    ...(malformed.count === 0
      ? []
      : [style.yellow(`  ${count(malformed.count, "record")} could not be read:`)]),
    ...malformed.quoted.map(
      ({ place, problem, quote }) => `    ${place}: ${problem}: ${style.dim(quote)}`,
    ),
    ...(malformed.count > malformed.quoted.length
      ? [`    and ${thousands(malformed.count - malformed.quoted.length)} more`]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

function told(times: number, what: string): readonly string[] {
  return times === 0 ? [] : [`  ${what}: ${thousands(times)}`];
}

/** Why what it does not tell may have happened all the same. */
function confidence({ sampling, aggregation, guessed }: ImportedFile): readonly string[] {
  return [
    ...(sampling > 1 ? [`sampled: about one packet in ${thousands(sampling)} was looked at`] : []),
    ...(aggregation > 0 ? [`summed up over as much as ${duration(aggregation)}`] : []),
    ...(guessed ? ["who called whom is guessed by the lower port, where nothing tells"] : []),
  ];
}

export function formatsText(
  formats: readonly { readonly name: string; readonly title: string }[],
  { style }: Ui,
): string {
  const width = Math.max(...formats.map(({ name }) => name.length));
  return formats.map(({ name, title }) => `${style.bold(name.padEnd(width))}  ${title}\n`).join("");
}

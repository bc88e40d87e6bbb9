/** All diagnostics at once, each with its source line and a caret, and a count at the end. */
import {
  compareDiagnostics,
  formatDiagnostic,
  sourceLookup,
  type Diagnostic,
  type Severity,
} from "@bulkhead/model";
import type { Style } from "../ui/style.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";

const COLOURS: Readonly<Record<Severity, keyof Style>> = {
  error: "red",
  warning: "yellow",
  info: "cyan",
};

export function diagnosticsText(
  diagnostics: readonly Diagnostic[],
  files: readonly { readonly name: string; readonly text: string }[],
  ui: Pick<Ui, "style">,
): string {
  const lineOf = sourceLookup(files);
  const texts = diagnostics.toSorted(compareDiagnostics).map((diagnostic) => {
    const text = formatDiagnostic(diagnostic, lineOf);
    const title = `${diagnostic.severity} ${diagnostic.code}`;
    return text.replace(title, ui.style[COLOURS[diagnostic.severity]](title));
  });
  const number = (severity: Severity): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const counts = [
    ...(number("error") > 0 ? [count(number("error"), "error")] : []),
    ...(number("warning") > 0 ? [count(number("warning"), "warning")] : []),
    ...(number("info") > 0 ? [count(number("info"), "note")] : []),
  ];
  return `${texts.join("\n\n")}\n\n${counts.join(", ")}\n`;
}

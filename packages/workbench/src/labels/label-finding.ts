/** What is wrong with labels, whom it concerns, and what would mend it: a person's to do, for labels decide policy. */
import {
  createDiagnostic,
  formatSpan,
  type Diagnostic,
  type DiagnosticCode,
  type Labels,
  type Workload,
} from "@bulkhead/model";

export type LabelledWorkload = Pick<Workload, "id" | "namespace" | "labels" | "kind" | "source">;

export interface LabelFinding {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly workloads: readonly LabelledWorkload[];
  /** What each of them would bear instead; empty where only a person can say. */
  readonly set: Labels;
  /** Keys that would go. */
  readonly remove: readonly string[];
}

const SHOWN = 3;

export function diagnosticOf({ code, message, workloads, set, remove }: LabelFinding): Diagnostic {
  const [first] = workloads;
  const span = first?.source ?? { file: "", line: 1, column: 1 };
  const words = [
    ...Object.entries(set).map(([key, value]) => `${key}=${value}`),
    ...remove.map((key) => `${key}-`),
  ].join(" ");
  const shown = workloads.slice(0, SHOWN).map((one) => repairOf(one, words));
  const rest = workloads.length - shown.length;
  const more = rest > 0 ? [`and so for ${rest} more`] : [];
  return createDiagnostic(
    code,
    span,
    message,
    words === "" ? undefined : [...shown, ...more].join("; "),
  );
}

function repairOf({ id, kind, source }: LabelledWorkload, words: string): string {
  if (source !== undefined) return `at ${formatSpan(source)}: ${words}`;
  return kind === "pod" ? `in the template of ${id}: ${words}` : `bulkhead label ${id} ${words}`;
}

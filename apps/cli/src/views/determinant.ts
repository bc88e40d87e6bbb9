/** What determined a decision, in words. */
import type { Determinant, Exemption } from "@bulkhead/model";

/** Where no rule determined. */
export const determinantWords: Readonly<Record<Exemption | "default", string>> = {
  default: "no policy applies",
  node: "the machine that it runs on is exempt",
  hairpin: "a workload to itself is exempt",
  dns: "the machine's own resolver is exempt",
  dhcp: "leases from this machine are exempt",
  "not-a-workload": "not a workload: not judged",
};

export function determinantText(determinant: Determinant): string {
  switch (determinant.kind) {
    case "rule":
      return `${determinant.rule} (${determinant.source.file}:${determinant.source.line})`;
    case "isolation":
      return `${determinant.block}, which allows nothing else (${determinant.source.file}:${determinant.source.line})`;
    case "default":
      return determinantWords.default;
    case "exemption":
      return determinantWords[determinant.exemption];
  }
}

/** Short, for a column: the rule or isolation, and where it is written. `placed`: a file as it is to be shown. */
export function shortDeterminant(
  determinant: Determinant,
  placed: (file: string) => string = (file) => file,
): string {
  if (determinant.kind !== "rule" && determinant.kind !== "isolation") {
    return determinantText(determinant);
  }
  const { file, line } = determinant.source;
  const what = determinant.kind === "rule" ? determinant.rule : determinant.block;
  return `${what} (${placed(file)}:${line})`;
}

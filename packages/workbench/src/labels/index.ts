/** Labels as a person looks after them. */
export { fixLabels, type FixedLabels } from "./fix-labels.ts";
export { diagnosticOf, type LabelFinding } from "./label-finding.ts";
export { labelFindings, lintLabels, type LabelLintOptions } from "./lint-labels.ts";

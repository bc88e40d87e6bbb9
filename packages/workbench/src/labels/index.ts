/** Labels as a person looks after them. */
export { lintLabels, type LabelLintOptions } from "./lint-labels.ts";

/** What is wrong, needless or misleading in a folder of policies. Pure; runs in a browser. */
export { isUnreadable, lintDesk, type LintOptions } from "./lint.ts";
export { fixFiles, type FixedFile } from "./fix.ts";
export { offsetOf } from "./fix-needless.ts";
export { applyEdits, inOrder, type Edit } from "./fix-places.ts";
export { unifiedDiff } from "./unified-diff.ts";

/** Findings of a folder, and what they make of the exit code. */
import { DIAGNOSTICS, type Diagnostic } from "@bulkhead/model";
import type { Desk } from "@bulkhead/workbench/desk";
import { isUnreadable } from "@bulkhead/workbench/lint";
import { badInput, type ExitCode } from "../failure.ts";
import { nearest } from "../ui/spell.ts";
import type { OfflineOptions } from "./options.ts";

export interface FindingOptions extends OfflineOptions {
  readonly strict?: boolean;
  readonly disable?: readonly string[];
}

/** As the linter takes them; codes that are none are refused. */
export function lintOptions({ strict = false, disable = [] }: FindingOptions): {
  readonly strict: boolean;
  readonly disabled: readonly string[];
} {
  for (const code of disable) {
    if (DIAGNOSTICS.has(code)) continue;
    const near = nearest(code, [...DIAGNOSTICS.keys()]);
    throw badInput(
      `no finding has the code \`${code}\``,
      near === undefined ? undefined : `did you mean \`${near}\`?`,
    );
  }
  return { strict, disabled: disable };
}

/** 2: something could not be read; 1: an error among the findings. */
export function exitCodeOf(desk: Desk, findings: readonly Diagnostic[]): ExitCode {
  if (isUnreadable(desk)) return 2;
  return findings.some(({ severity }) => severity === "error") ? 1 : 0;
}

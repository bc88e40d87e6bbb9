/** What `lint` and `check` print besides JSON, by the name of the format. */
import type { Diagnostic } from "@bulkhead/model";
import type { TestResult } from "@bulkhead/workbench";
import type { Ui } from "../../ui/ui.ts";
import { diagnosticsText } from "../diagnostics.ts";
import { githubText } from "./github.ts";
import { findingsJunit } from "./junit.ts";
import { findingsMarkdown } from "./markdown.ts";
import type { Notice } from "./replay-notices.ts";
import { sarifText } from "./sarif.ts";

export interface FindingsAnswer {
  /** Sorted by place. */
  readonly findings: readonly Diagnostic[];
}

export interface Findings extends FindingsAnswer {
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** Absent: none were asked for. */
  readonly tests?: readonly TestResult[];
  /** What a change does to recorded connections. */
  readonly notices?: readonly Notice[];
}

type Write = (found: Findings, ui: Ui) => string;

const FORMATS: Readonly<Record<string, Write>> = {
  sarif: sarifText,
  github: githubText,
  junit: findingsJunit,
  md: findingsMarkdown,
};

export function findingsFormat(name: string | undefined): Write {
  return FORMATS[name ?? ""] ?? findingsText;
}

export function findingsText({ findings, files }: Findings, ui: Ui): string {
  if (findings.length === 0) return `${ui.style.green("✓")} nothing found\n`;
  return diagnosticsText(findings, files, ui);
}

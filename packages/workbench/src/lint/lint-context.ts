/** What every check of a folder has before it: the desk, who is there, and a place for what it finds. */
import { selects } from "@bulkhead/engine";
import {
  isReservedNamespace,
  createDiagnostic,
  type Block,
  type Diagnostic,
  type DiagnosticCode,
  type Severity,
  type SourceSpan,
  type Workload,
} from "@bulkhead/model";
import type { Desk } from "../desk/desk.ts";

export interface LintContext {
  readonly desk: Desk;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whom policies can select, each at its labels. Empty: the files have no workload. */
  readonly workloads: readonly Workload[];
  /** Of `workloads`; remembered. */
  selectedBy(block: Block): readonly Workload[];
  readonly blocks: readonly Block[];
  readonly say: (
    code: DiagnosticCode,
    span: SourceSpan,
    message: string,
    help?: string,
    severity?: Severity,
  ) => void;
}

export type Check = (context: LintContext) => void;

/** Of its own namespace: nodes of a cluster are no workloads of anybody's. */
const isSomebodys = ({ namespace }: Workload): boolean => !isReservedNamespace(namespace);

export function createLintContext(desk: Desk, now: number, into: Diagnostic[]): LintContext {
  const { index, set } = desk;
  const workloads = [...index.workloads.values()].filter(isSomebodys);
  const known = new Map<Block, readonly Workload[]>();
  return {
    desk,
    now,
    workloads,
    selectedBy(block) {
      let found = known.get(block);
      if (found === undefined) {
        found = workloads.filter((one) => selects(block.subject, one, index));
        known.set(block, found);
      }
      return found;
    },
    blocks: set.stages.flatMap(({ blocks }) => blocks),
    say: (code, span, message, help, severity) => {
      into.push(createDiagnostic(code, span, message, help, severity));
    },
  };
}

/** `a`, `a, b`, `a, b and 3 more`, in backticks. */
export function named(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).map((name) => `\`${name}\``);
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(", ") : `${shown.join(", ")} and ${rest} more`;
}

/** `Policy/shop/db` as `NetworkPolicy/shop/db at policy.yaml:12`. */
export function whereOf({ policy }: Block, { file, line }: SourceSpan): string {
  const name = policy.namespace === "" ? policy.name : `${policy.namespace}/${policy.name}`;
  return `\`${policy.kind}/${name}\` at ${file}:${line}`;
}

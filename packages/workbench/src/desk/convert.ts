/**
 * The policies of a folder in another dialect's words, and the proof that they say the same: what was written is read again beside
 * whoever is in the folder, and compared with it over all of them, all addresses and all ports. An approximation is proved to err
 * on the side that was asked for.
 */
import {
  isPolicyResource,
  parseFiles,
  type Approximation,
  type Exported,
  type SourceFile,
  type Target,
} from "@bulkhead/dialects";
import { hasErrors, type Diagnostic, type PolicySet } from "@bulkhead/model";
import { deskOf, type Desk, type DeskOptions } from "./desk.ts";
import { prove, type Proof } from "./prove/prove.ts";
import { withOutsideOnly } from "./outside-only.ts";
import { standInPods } from "./stand-in-pods.ts";

export interface ConvertOptions extends DeskOptions {
  /** Absent: what cannot be said exactly is refused. */
  readonly approximation?: Approximation;
  /** Prefixes that hold nobody who is in the folder are written as addresses outside, where the target knows no others. */
  readonly outsideIsOutside?: boolean;
}

/** `same`, or what an approximation may be: the target permits what the source does and perhaps `more`, or perhaps `less`. */
export type Relation = "same" | "more" | "less";

export interface Conversion {
  /** The folder as it was read for this, with stand-ins where it has nobody. */
  readonly desk: Desk;
  readonly written: Exported;
  readonly relation: Relation;
  /** Absent: something was refused, and there is nothing to prove. */
  readonly proof?: Proof;
  /** Nobody is in the folder: it was proved over pods that stand for those that its policies name. */
  readonly usesStandIns: boolean;
  /** How an ipBlock of Kubernetes was read. */
  readonly ipBlockMatchesWorkloads: boolean;
  /** Whose policies keep metadata addresses shut besides, which nobody wrote down. */
  readonly guards: { readonly source: boolean; readonly target: boolean };
}

export const isRefused = ({ written, proof }: Conversion): boolean =>
  hasErrors(written.diagnostics) || proof === undefined || proof.answer === "no";

type Parsed = Pick<ReturnType<typeof parseFiles>, "resources" | "diagnostics">;

export function convert(
  files: readonly SourceFile[],
  target: Target,
  options: ConvertOptions,
): Conversion {
  const { approximation, outsideIsOutside = false, leaveOut, ...reading } = options;
  const ipBlockMatchesWorkloads =
    options.ipBlockMatchesWorkloads ?? target.prefixesHoldWorkloads ?? false;
  const opened = { ...reading, ipBlockMatchesWorkloads };
  const plainly = { ...opened, metadataGuard: false } as const;
  const read = parseFiles(files, {
    strangers: "left",
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const resources = read.resources.filter((one) => leaveOut?.(one) !== true);
  const parsed: Parsed = { ...read, resources };
  const bare = deskOf(files, parsed, plainly);
  const usesStandIns = bare.workloads.size === 0;
  const others = usesStandIns ? parseFiles([standInPods([bare.set])]).resources : [];
  const source: Parsed = { ...parsed, resources: [...parsed.resources, ...others] };
  const desk = usesStandIns ? deskOf(files, source, plainly) : bare;
  const { inventory } = desk.built;
  const isNarrowed = outsideIsOutside && !ipBlockMatchesWorkloads;
  const written = target.write(isNarrowed ? withOutsideOnly(desk.set, inventory) : desk.set, {
    ...(approximation === undefined ? {} : { approximation }),
    inventory,
    ipBlockMatchesWorkloads,
  });
  const isExact = written.diagnostics.every(({ severity }) => severity === "info");
  const relation: Relation = isExact ? "same" : approximation === "under" ? "less" : "more";
  const common = { desk, written, relation, usesStandIns, ipBlockMatchesWorkloads };
  const shut = (one: Parsed) => hasGuard(deskOf(files, one, opened).set);
  if (hasErrors(written.diagnostics))
    return { ...common, guards: { source: shut(source), target: false } };
  const back = parseFiles([{ name: `(${target.name})`, text: written.text }]);
  const result: Parsed = {
    diagnostics: back.diagnostics,
    resources: [...source.resources.filter((one) => !isPolicyResource(one)), ...back.resources],
  };
  const other = deskOf(files, result, plainly);
  return {
    ...common,
    guards: { source: shut(source), target: shut(result) },
    proof: proofOf(desk, other, relation, options.now),
  };
}

const hasGuard = ({ stages }: PolicySet): boolean =>
  stages.some(({ id, blocks }) => id === "metadata" && blocks.length > 0);

/** Also of what is only audited, where there is any. */
function proofOf(desk: Desk, other: Desk, relation: Relation, now: number): Proof {
  const problem = newErrors(desk, other)[0];
  if (problem !== undefined) {
    const because = `what was written cannot be read again: ${problem.message}`;
    return { answer: "no", over: [], because };
  }
  const isStaged = [desk, other].some(({ set }) =>
    set.stages.some(({ blocks }) => blocks.some(({ enforce }) => enforce === "staged")),
  );
  const views = isStaged ? (["live", "shadow"] as const) : (["live"] as const);
  const proofs = views.map((view): Proof => {
    const setting = { now, view, transitive: false, allowEmpty: true };
    const statement = {
      kind: relation === "same" ? "equivalent-to" : "implies",
      folder: "",
    } as const;
    const [one, two] = relation === "less" ? [other, desk] : [desk, other];
    const found = prove(one, statement, two, setting);
    if (found.problem !== undefined)
      return { answer: "no", over: [], because: found.problem.message };
    return relation === "less" ? turned(found.value) : found.value;
  });
  return (
    proofs.find(({ answer }) => answer === "no") ??
    proofs.find(({ answer }) => answer === "undecided") ??
    proofs[0]!
  );
}

/** Told from the folder's side. */
function turned({ counterexample, ...proof }: Proof): Proof {
  return counterexample === undefined
    ? proof
    : { ...proof, counterexample: { ...counterexample, permittedBy: "other" } };
}

/** Who stands in the folder and was read there already cannot be at fault. */
function newErrors(desk: Desk, other: Desk): readonly Diagnostic[] {
  const known = new Set(desk.diagnostics.map((one) => JSON.stringify(one)));
  return other.diagnostics.filter(
    (one) => one.severity === "error" && !known.has(JSON.stringify(one)),
  );
}

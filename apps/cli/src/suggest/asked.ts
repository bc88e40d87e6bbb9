/** What `suggest` was asked for, read from the command line: the same for the running system and for recorded flows. */
import type { SuggestAnswer } from "@bulkhead/api";
import { parseSpan, parseWhole } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { nearest } from "../ui/spell.ts";
import { parseWindow } from "./time-window.ts";

export interface SuggestOptions extends CommonOptions {
  readonly file?: string;
  readonly directory?: string;
  readonly overwrite?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: readonly string[];
  readonly range?: readonly string[];
  readonly excludeWindow?: readonly string[];
  readonly sinceLast?: boolean;
  readonly includePeople?: boolean;
  readonly accept?: readonly string[];
  readonly maxRules?: string;
  readonly all?: boolean;
  readonly proposeLabels?: boolean;
  readonly anchor?: string;
  readonly flows?: string;
  readonly format?: string;
  readonly to?: string;
  readonly approximate?: string;
}

/** What was asked for, whoever answers. */
export interface Asked {
  readonly span: { readonly since?: number; readonly until?: number };
  readonly exclude: readonly { readonly from: number; readonly to: number }[];
  readonly ranges: readonly string[];
  readonly namespaces: readonly string[] | undefined;
  readonly includePeople: boolean;
  readonly accept: readonly string[];
  readonly maxRules: number | undefined;
  /** Every line of what was set aside. */
  readonly all: boolean;
  readonly proposeLabels: boolean;
  readonly formerRoles: Readonly<Record<string, string>>;
}

export async function askedFor(context: Context, options: SuggestOptions): Promise<Asked> {
  const now = context.now();
  const formerRoles = await rolesIn(context, options.anchor);
  return {
    span: parseSpan(options, now),
    exclude: (options.excludeWindow ?? []).map((text) => parseWindow(text, now)),
    ranges: options.range ?? [],
    namespaces: options.namespace,
    includePeople: options.includePeople === true,
    accept: options.accept ?? [],
    maxRules: options.maxRules === undefined ? undefined : mostOf(options.maxRules),
    all: options.all === true,
    proposeLabels: options.proposeLabels === true || options.anchor !== undefined,
    formerRoles,
  };
}

function mostOf(text: string): number {
  const most = parseWhole(text, "a number of rules");
  if (most > 0) return most;
  throw badInput("`--max-rules 0` leaves no rule", "give at least 1");
}

/** What roles were called in a file that an earlier suggestion wrote. */
async function rolesIn(
  context: Context,
  file: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  if (file === undefined) return {};
  const [{ proposedIn }, { PROPOSED_KEY }] = await Promise.all([
    import("@bulkhead/workbench"),
    import("@bulkhead/learn"),
  ]);
  const files = await readPolicyFiles(context, [file]);
  return Object.fromEntries(
    files
      .flatMap(({ text }) => [...proposedIn(text)])
      .flatMap(([id, labels]) => {
        const role = labels[PROPOSED_KEY];
        return role === undefined ? [] : [[id, role]];
      }),
  );
}

/** What was accepted by mistake is told before anything is written. */
export async function refuseIdleAccepts({
  idleAccepts = [],
  setAside,
}: SuggestAnswer): Promise<void> {
  const [idle] = idleAccepts;
  if (idle === undefined) return;
  const { text, reason } = idle;
  if (reason !== undefined) {
    const { REASONS } = await import("@bulkhead/workbench");
    throw badInput(
      `\`--accept ${text}\`: it is set aside for another reason than doubt (${REASONS[reason]})`,
      "if it is needed all the same, write a rule for it",
    );
  }
  const doubtful = [...new Set(setAside.flatMap(({ habit }) => habit ?? []))];
  const near = nearest(text.replaceAll("->", "→"), doubtful);
  const listed = doubtful.slice(0, 5).map((habit) => `\n  ${habit}`);
  const rest = doubtful.length - listed.length;
  const more = rest > 0 ? `\n  and ${rest} more` : "";
  const all = `what is set aside as doubtful:${listed.join("")}${more}`;
  const help = doubtful.length === 0 ? "nothing is set aside as doubtful" : all;
  throw badInput(
    `\`--accept ${text}\` names nothing that was seen`,
    near === undefined ? help : `did you mean \`${near}\`?`,
  );
}

/** Nothing was left out: whatever it does not hold is no more. */
export function isWhole({ span, exclude, namespaces }: Asked): boolean {
  return Object.keys(span).length === 0 && exclude.length === 0 && namespaces === undefined;
}

/**
 * Tiers of other dialects are asked before `application`, where our own policies deny whatever they do not allow. An allow there
 * decides what these would deny: it is meant so by its dialect, and seldom by whoever wrote ours.
 */
import { formatSpan, type Block, type NamespaceScope } from "@bulkhead/model";
import { formatResourceName } from "../resource.ts";
import type { BuildContext } from "./context.ts";
import { areDisjoint } from "./disjoint.ts";
import type { StagedBlock } from "./native-blocks.ts";
import type { StageFrame } from "./stages.ts";

const NAMED = 3;

/** `ours`: ids of blocks of our own policies. */
export const reportGoesBefore = (
  blocks: readonly StagedBlock[],
  ours: ReadonlySet<string>,
  frames: readonly StageFrame[],
  { report, options }: BuildContext,
): void => {
  const place = new Map(frames.map(({ id }, at) => [id, at]));
  const application = place.get("application")!;
  const denying = blocks.filter(
    ({ stage, block }) => stage === "application" && ours.has(block.id) && block.isolates,
  );
  if (denying.length === 0) return;
  for (const { stage, block } of blocks) {
    if (ours.has(block.id) || place.get(stage)! >= application) continue;
    const same = denying
      .map((one) => one.block)
      .filter((one) => one.direction === block.direction && mayShare(one.subject, block.subject));
    const names = [...new Set(same.map(({ policy }) => formatResourceName(policy)))];
    for (const rule of names.length === 0 ? [] : block.rules) {
      if (rule.action !== "allow" || rule.enforce !== "on") continue;
      const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
      const list = `${names.slice(0, NAMED).join("`, `")}\`${more}`;
      report(
        "BH0414",
        rule.source,
        `\`${formatResourceName(block.policy)}\` allows in \`${stage}\`, before \`${list} would deny the same`,
        `the first of those is at ${formatSpan(same[0]!.source)}; a pass instead leaves it to them, and tier \`guardrail\` goes before both`,
        options.strict ? "error" : undefined,
      );
    }
  }
};

type Whom = Block["subject"];

/** Could somebody be both? Labels that nobody has told may be anybody's. */
const mayShare = (one: Whom, other: Whom): boolean => {
  if (one.kind !== "workloads" || other.kind !== "workloads") return true;
  return !areDisjoint(one.selector, other.selector) && mayMeet(one.namespaces, other.namespaces);
};

const mayMeet = (one: NamespaceScope, other: NamespaceScope): boolean => {
  if (one.kind === "named" && other.kind === "named") return one.name === other.name;
  if (one.kind === "selected" && other.kind === "selected") {
    return !areDisjoint(one.selector, other.selector);
  }
  return true;
};

/**
 * From the common form back to the words of others. What a target cannot hold is an error by name, unless whoever asks takes an
 * approximation: one that permits less than was meant, or more; each place where that happened is then a warning.
 */
import {
  isReservedLabel,
  createDiagnostic,
  formatSpan,
  type Block,
  type Diagnostic,
  type NamespaceScope,
  type PolicySet,
  type Requirement,
  type Rule,
  type Selector,
  type SourceSpan,
  type Stage,
} from "@bulkhead/model";
import { stringify } from "yaml";

/** `under` permits less than was meant, never more; `over` the reverse. */
export type Approximation = "under" | "over";

export interface ExportOptions {
  /** Absent: what cannot be said exactly is an error. */
  readonly approximation?: Approximation;
}

export type ExportedObject = Readonly<Record<string, unknown>>;

export interface Exported {
  readonly objects: readonly ExportedObject[];
  /** All of them as YAML, one document each. */
  readonly text: string;
  /** BH0502, an error where something is missing, a warning where it is approximated. With an error it must not be used. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Collects what the target cannot hold. */
export interface Losses {
  readonly diagnostics: Diagnostic[];
  /** Always an error. */
  refuse(source: SourceSpan, what: string, help?: string): void;
  /** True where the approximation that was asked for takes it; `false`: it is an error now. */
  accept(approximation: Approximation, source: SourceSpan, what: string): boolean;
  /** Nothing is lost, but it is said in another way than it was. */
  note(source: SourceSpan, what: string, help: string): void;
  /** Of a rule that can be said wider than it is, or left out: what to do with it; null: it is an error now. */
  choose(rule: Rule, what: string): "widen" | "leave-out" | null;
}

const CONSEQUENCES: Readonly<Record<Approximation, string>> = {
  under: "less is permitted than was meant",
  over: "more is permitted than was meant",
};

/** What becomes of the whole when a rule matches more than was meant. */
const WIDENED: Readonly<Partial<Record<Rule["action"], Approximation>>> = {
  allow: "over",
  deny: "under",
  reject: "under",
};

export const createLosses = (target: string, { approximation }: ExportOptions): Losses => {
  const diagnostics: Diagnostic[] = [];
  const tell = (source: SourceSpan, what: string, help: string | undefined, isTaken: boolean) => {
    const severity = isTaken ? "warning" : undefined;
    diagnostics.push(
      createDiagnostic("BH0502", source, `${what}, which ${target} cannot say`, help, severity),
    );
  };
  return {
    diagnostics,
    refuse: (source, what, help) => tell(source, what, help, false),
    note: (source, what, help) => {
      const told = createDiagnostic("BH0502", source, what, help, "info");
      // Both directions of a policy say it, and stand in one place.
      const isKnown = diagnostics.some(
        ({ message, span }) => message === told.message && formatSpan(span) === formatSpan(source),
      );
      if (!isKnown) diagnostics.push(told);
    },
    choose({ action, source }, what) {
      const wide = WIDENED[action];
      const isTaken = approximation !== undefined && wide !== undefined;
      const help = isTaken
        ? CONSEQUENCES[approximation]
        : wide !== undefined
          ? "as an over- or an under-approximation it can be said more widely, or be left out"
          : undefined;
      tell(source, what, help, isTaken);
      if (!isTaken) return null;
      return wide === approximation ? "widen" : "leave-out";
    },
    accept(wanted, source, what) {
      const isTaken = approximation === wanted;
      const help = isTaken
        ? CONSEQUENCES[wanted]
        : `as ${wanted === "under" ? "an under" : "an over"}-approximation it can be left out: ${CONSEQUENCES[wanted]}`;
      tell(source, what, help, isTaken);
      return isTaken;
    },
  };
};

export const exported = (
  objects: readonly ExportedObject[],
  { diagnostics }: Losses,
): Exported => ({
  objects,
  text: objects
    .map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join("---\n"),
  diagnostics,
});

const isReserved = ({ key }: Requirement): boolean => isReservedLabel(key);

/** `metav1.LabelSelector`; null, and told, where it asks for what only we know. */
export const labelSelectorOf = (
  { requirements }: Selector,
  source: SourceSpan,
  losses: Losses,
): ExportedObject | null => {
  const reserved = requirements.find(isReserved);
  if (reserved !== undefined) {
    losses.refuse(source, `this asks for \`${reserved.key}\``);
    return null;
  }
  const labels: Record<string, string> = {};
  const matchExpressions: ExportedObject[] = [];
  for (const requirement of requirements) {
    const { key, operator } = requirement;
    const [only, ...rest] = operator === "In" ? requirement.values : [];
    if (only !== undefined && rest.length === 0 && !Object.hasOwn(labels, key)) labels[key] = only;
    else
      matchExpressions.push(
        "values" in requirement ? { key, operator, values: requirement.values } : { key, operator },
      );
  }
  return {
    ...(Object.keys(labels).length === 0 ? {} : { matchLabels: labels }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
};

/** For names: `globalnetworkpolicy`, without the group that tells apart kinds of one name. */
export const shortKind = (kind: string): string => kind.split(".")[0]!.toLowerCase();

/**
 * The first of the names that nobody has in that namespace (`""`: of the cluster), or else `numbered` with a number; it is taken
 * then.
 */
export const freeName = (
  tries: readonly string[],
  home: string,
  taken: Set<string>,
  numbered: string = tries[0]!,
): string => {
  const isTaken = (name: string): boolean => taken.has(`${home}/${name}`);
  let name = tries.find((one) => !isTaken(one));
  for (let i = 2; name === undefined; i += 1)
    if (!isTaken(`${numbered}-${i}`)) name = `${numbered}-${i}`;
  taken.add(`${home}/${name}`);
  return name;
};

/** What the API server puts on every namespace. */
export const NAME_LABEL = "kubernetes.io/metadata.name";

/** The same for namespaces; null, and told, where it asks for what only we know. */
export const namespaceSelectorOf = (
  scope: NamespaceScope,
  source: SourceSpan,
  losses: Losses,
): ExportedObject | null => {
  switch (scope.kind) {
    case "all":
      return {};
    case "named":
      return { matchLabels: { [NAME_LABEL]: scope.name } };
    case "selected":
      return labelSelectorOf(scope.selector, source, losses);
  }
};

/** A rule that is narrower than it was permits less if it lets in, and more if it keeps out. Of a pass nobody can tell. */
export const narrowed = ({ action, source }: Rule, what: string, losses: Losses): void => {
  if (action === "allow" || action === "log" || action === "audit")
    losses.accept("under", source, what);
  else if (action === "deny" || action === "reject") losses.accept("over", source, what);
  else losses.refuse(source, what);
};

/** Where a flow is asked next, from that stage on; undefined: nowhere. */
export const askedNext = (
  { stages }: PolicySet,
  plane: Stage["plane"],
  target: Stage["id"] | null,
): Stage["id"] | undefined => {
  const own = stages.filter((stage) => stage.plane === plane);
  const at = own.findIndex(({ id }) => id === target);
  return at < 0 ? undefined : own.slice(at).find(({ blocks }) => blocks.length > 0)?.id;
};

/** What no dialect of Kubernetes has: rules that end, that only watch, that look into requests. */
export const plainRule = (rule: Rule, losses: Losses): boolean => {
  const { source, action } = rule;
  const permits = action === "allow";
  if (rule.enforce === "staged") {
    losses.refuse(source, "this rule only audits");
    return false;
  }
  const beyond =
    rule.l7 !== undefined
      ? "this rule looks into requests"
      : rule.auth === "required"
        ? "this rule asks its ends to prove who they are"
        : rule.expiresAt !== undefined
          ? "this rule ends by itself"
          : null;
  if (beyond !== null) {
    losses.accept(permits ? "under" : "over", source, beyond);
    return false;
  }
  if (action === "allow" || action === "deny" || action === "pass") return true;
  // A log line more or less permits nothing.
  if (action === "log" || action === "audit") losses.accept("under", source, "this rule only logs");
  else losses.refuse(source, `this rule says \`${action}\``);
  return false;
};

/** Blocks that may be said at all. */
export const plainBlocks = (stage: Stage, losses: Losses): readonly Block[] =>
  stage.blocks.filter((block) => {
    const { source, enforce, canary, expiresAt } = block;
    const what =
      enforce === "staged"
        ? "this policy only audits"
        : canary === true
          ? "this policy is being rolled out"
          : expiresAt === undefined
            ? null
            : "this policy ends by itself";
    if (what !== null) losses.refuse(source, what);
    return what === null;
  });

/** Stages that the target has no place for: their denials may be left out of what permits more, and so on. */
export const refuseStages = (
  { stages }: PolicySet,
  known: readonly string[],
  losses: Losses,
): void => {
  for (const stage of stages) {
    if (known.includes(stage.id)) continue;
    for (const { rules } of stage.blocks) {
      for (const { action, source } of rules) {
        const what = `this rule stands in stage \`${stage.id}\``;
        const loses = action === "allow" || action === "log" ? "under" : "over";
        if (action === "pass" || stage.plane !== "net") losses.refuse(source, what);
        else losses.accept(loses, source, what);
      }
    }
    const isolating = stage.blocks.find(({ isolates }) => isolates);
    if (isolating !== undefined && stage.endIfApplied === "deny")
      losses.refuse(
        isolating.source,
        `stage \`${stage.id}\` denies what it does not allow`,
        `the first of it is at ${formatSpan(isolating.source)}`,
      );
  }
};

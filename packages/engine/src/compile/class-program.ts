/**
 * The policy of one class in one direction, made ready for painting: stages in order, rules in the order in which they
 * claim ports, every rule with its decision as a number. A class is a set of subjects that the same blocks select.
 */
import type { Block, Direction, Plane, PolicySet, PortMatch, Rule, Stage } from "@bulkhead/model";
import { afterPass, defaultVerdict, planesOf } from "../decide.ts";
import { compareBlocks, compareOrder, decides, STRICTNESS, VERDICT } from "../strictness.ts";
import { DEFAULT_ALLOW, DEFAULT_DROP, type DecisionTable } from "./decision-table.ts";

/** Ports of one protocol, or everything. */
export type Coverage =
  | "all"
  | { readonly protocol: number; readonly first: number; readonly last: number };

export interface NamedPortRef {
  readonly name: string;
  readonly protocol: number;
}

export interface ProgramRule {
  readonly rule: Rule;
  /** Blocks of equal order share a group: rules of the group's blocks claim side by side, all others one after the other. */
  readonly group: number;
  /** Position of the rule's block among the stage's blocks; all one where the stage asks for no first match. */
  readonly block: number;
  readonly strictness: number;
  /** The decision's number, or PASS. */
  readonly decision: number;
  /** The sooner of the rule's and the block's; Infinity without. */
  readonly expiresAt: number;
  readonly coverage: readonly Coverage[];
  /** Names to be resolved on each peer: egress only, ingress names are resolved on the class. */
  readonly named: readonly NamedPortRef[];
}

export const PASS = -2;

export interface ProgramStage {
  /** Range of this stage's rules in `Program.rules`. */
  readonly firstRule: number;
  readonly endRule: number;
  /** What holds where no rule matches: the first entry that has not expired decides. */
  readonly isolations: readonly { readonly decision: number; readonly expiresAt: number }[];
  /** Where `pass` goes on, within the plane. */
  readonly afterPass: number;
}

export interface Program {
  readonly direction: Direction;
  readonly planes: readonly {
    readonly stages: readonly ProgramStage[];
    readonly defaultDecision: number;
  }[];
  /** In the order in which they claim ports: position is rank. */
  readonly rules: readonly ProgramRule[];
}

export interface ProgramInput {
  /** With nothing in it but what is active. */
  readonly set: PolicySet;
  readonly direction: Direction;
  /** The blocks that select the class in this direction, of all stages. */
  readonly blocks: readonly Block[];
  /** The class's own named ports. */
  readonly resolve: (name: string, protocol: number) => readonly number[];
  readonly decisions: DecisionTable;
}

export function classProgram(input: ProgramInput): Program {
  const rules: ProgramRule[] = [];
  const planes = planesOf(input.set).map((plane) => planeProgram(input, plane, rules));
  return { direction: input.direction, planes, rules };
}

function planeProgram(
  input: ProgramInput,
  plane: Plane,
  rules: ProgramRule[],
): Program["planes"][number] {
  const { set, decisions } = input;
  const stages = set.stages.filter((stage) => stage.plane === plane);
  const selecting = new Set(input.blocks);
  const defaultDecision = defaultVerdict(set, plane) === "allow" ? DEFAULT_ALLOW : DEFAULT_DROP;
  return {
    defaultDecision,
    stages: stages.map((stage, at): ProgramStage => {
      const blocks = stage.blocks.filter((block) => selecting.has(block)).toSorted(compareBlocks);
      const firstRule = rules.length;
      const found = RANKED[stage.mode](stageRules(input, blocks));
      rules.push(...found);
      const isolations = blocks
        .filter((block) => block.isolates)
        .map((block) => ({
          decision: stage.endIfApplied === "pass" ? PASS : decisions.number("drop", block.id),
          expiresAt: block.expiresAt ?? Infinity,
        }));
      const passes = [...found, ...isolations].some(({ decision }) => decision === PASS);
      return {
        firstRule,
        endRule: rules.length,
        isolations,
        afterPass: passes ? afterPass(stages, at) : at + 1,
      };
    }),
  };
}

/** What the modes make of a stage's rules, which come in the order of blocks and rules. */
const RANKED: Readonly<Record<Stage["mode"], (rules: ProgramRule[]) => ProgramRule[]>> = {
  firstMatch: (rules) => rules,
  anyAllow: (rules) => sideBySide(rules.filter(({ rule }) => rule.action === "allow")),
  // Stable: rules of one strictness stay in their order.
  denyOverrides: (rules) => sideBySide(rules.toSorted((a, b) => a.strictness - b.strictness)),
};

function sideBySide(rules: readonly ProgramRule[]): ProgramRule[] {
  return rules.map((rule) => ({ ...rule, group: 0, block: 0 }));
}

function stageRules(input: ProgramInput, blocks: readonly Block[]): ProgramRule[] {
  const found: ProgramRule[] = [];
  let group = -1;
  for (const [position, block] of blocks.entries()) {
    const previous = blocks[position - 1];
    if (previous === undefined || compareOrder(previous.order, block.order) !== 0) group++;
    for (const rule of block.rules) {
      const { action } = rule;
      if (!decides(action)) continue;
      const decision = action === "pass" ? PASS : input.decisions.number(VERDICT[action], rule.id);
      found.push({
        rule,
        block: position,
        group,
        strictness: STRICTNESS[action],
        decision,
        expiresAt: Math.min(block.expiresAt ?? Infinity, rule.expiresAt ?? Infinity),
        ...portsOfRule(input, rule.ports),
      });
    }
  }
  return found;
}

function portsOfRule(
  { direction, resolve }: ProgramInput,
  ports: readonly PortMatch[],
): Pick<ProgramRule, "coverage" | "named"> {
  const coverage: Coverage[] = [];
  const named: NamedPortRef[] = [];
  for (const port of ports) {
    switch (port.kind) {
      case "all":
        coverage.push("all");
        break;
      case "protocol":
        coverage.push({ protocol: port.protocol, first: 0, last: 0xffff });
        break;
      case "range":
        coverage.push({ protocol: port.protocol, first: port.first, last: port.last });
        break;
      case "named":
        if (direction === "egress") named.push({ name: port.name, protocol: port.protocol });
        else {
          for (const number of resolve(port.name, port.protocol)) {
            coverage.push({ protocol: port.protocol, first: number, last: number });
          }
        }
    }
  }
  return { coverage, named };
}

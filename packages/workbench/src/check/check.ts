/**
 * Everything that a pull request is to be told about a folder of policies: findings, its own tests, what is exposed, and
 * beside another state of the folder what may talk to what that could not, and the other way round.
 */
import type { PolicySet } from "@bulkhead/model";
import type { Diagnostic, Edge } from "@bulkhead/model";
import { createReplay } from "@bulkhead/engine";
import type { SourceFile } from "@bulkhead/dialects";
import { connectivityOf, type Connectivity } from "../desk/connectivity.ts";
import { openDesk, type Desk, type DeskOptions } from "../desk/desk.ts";
import { differencesBeyondLines, differencesOf, type Difference } from "../desk/differences.ts";
import { isNodeName } from "../desk/end-names.ts";
import { exposuresOf, type Exposures } from "../desk/exposure.ts";
import { cutWorld, type WorldView } from "../desk/pairs.ts";
import { standInPods, STAND_IN_FILE } from "../desk/stand-in-pods.ts";
import { testDesk } from "../desk/tests.ts";
import { createImpact, type Impact } from "../impact/impact.ts";
import { lintDesk, type LintOptions } from "../lint/lint.ts";
import type { TestResult } from "../policy-tests.ts";

export interface CheckInput {
  readonly files: readonly SourceFile[];
  /** Absent: there is nothing to compare with. */
  readonly base?: readonly SourceFile[];
  /** Recorded traffic. */
  readonly edges?: readonly Edge[];
  readonly reading: DeskOptions;
  readonly lint: Omit<LintOptions, "now">;
}

export interface Checked {
  /** Of the files as they are, without anybody made up. */
  readonly desk: Desk;
  readonly findings: readonly Diagnostic[];
  readonly tests: readonly TestResult[];
  readonly exposures: Exposures;
  /** Who is made up, since no file has any workload: what is exposed, and what changes, is theirs. */
  readonly standIns: readonly string[];
  readonly changes?: readonly Difference[];
  /** What of the base could not be read, so that the changes may be more than those of the files. */
  readonly baseProblems: readonly Diagnostic[];
  /** Of the edges, with no samples yet. */
  readonly impact?: Impact;
  /** How many edges there are, where not one has an end that is known: they test nothing. */
  readonly strangers?: number;
}

export function checkFiles({ files, base, edges, reading, lint }: CheckInput): Checked {
  const { now } = reading;
  const desk = openDesk(files, reading);
  const before = base === undefined ? undefined : openDesk(base, reading);
  const isEmpty = desk.workloads.size + (before?.workloads.size ?? 0) === 0;
  const others = isEmpty
    ? standInPods([desk.set, ...(before === undefined ? [] : [before.set])])
    : undefined;
  const peopled = (one: Desk): Desk =>
    others === undefined ? one : openDesk([...one.files, others], reading);
  const here = peopled(desk);
  const there = before === undefined ? undefined : peopled(before);
  const view = cutWorld(here.set);
  return {
    desk,
    findings: lintDesk(desk, { now, ...lint }),
    tests: testDesk(desk, now),
    exposures: exposuresOf(here, now, view),
    standIns: others === undefined ? [] : [...here.workloads.keys()].toSorted(),
    baseProblems: (before?.diagnostics ?? []).filter(({ severity }) => severity === "error"),
    ...(there === undefined
      ? {}
      : {
          changes: changesOf(connectivityOf(there, now), connectivityOf(here, now), view),
        }),
    ...(edges === undefined ? {} : { impact: impactOf(edges, before, desk, now) }),
    ...(edges === undefined || edges.some((edge) => isKnown(edge, [desk, before ?? desk]))
      ? {}
      : { strangers: edges.length }),
  };
}

/** One of its ends is somebody whom the record names, or whom either state of the folder has. */
function isKnown({ source, destination }: Edge, desks: readonly Desk[]): boolean {
  return [source, destination].some(
    ({ workload, address }) =>
      workload !== undefined || desks.some(({ index }) => index.at(address).kind !== "world"),
  );
}

function impactOf(
  edges: readonly Edge[],
  before: Desk | undefined,
  desk: Desk,
  now: number,
): Impact {
  const { index } = desk;
  const judge = createReplay({
    before: (before ?? NOTHING).set,
    after: desk.set,
    index,
    ...(before === undefined ? {} : { oldIndex: before.index }),
    now,
    view: "live",
  });
  const found = createImpact(index.inventory);
  for (const edge of edges) {
    // Spoofed and broken packets never were connections.
    if (edge.verdict !== "spoofed" && edge.verdict !== "error") found.add(judge(edge));
  }
  return found.result();
}

/** Nodes are left out, which no policy here is about; IPv6 and other protocols are not. */
function changesOf(before: Connectivity, after: Connectivity, view: WorldView): Difference[] {
  const beyond = [...differencesBeyondLines(before, after)].filter(
    ({ source, destination }) => !isNodeName(source) && !isNodeName(destination),
  );
  return [...differencesOf(before, after, view), ...beyond];
}

/** Without a base, what the files deny is told beside no policy at all. */
const NOTHING: { readonly set: PolicySet } = {
  set: {
    stages: [],
    profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  },
};

export { STAND_IN_FILE };

/**
 * How far everything has come, on the ladder that people use for it: beginners watch and allow what they saw; those further on
 * write policy by identity, test it and keep it in a repository; the furthest verify all the time and repair.
 */
import { DAY_MS } from "@bulkhead/model";
import type { AssessInput } from "./assess.ts";

export const LEVELS = ["beginner", "intermediate", "advanced"] as const;
export type Level = (typeof LEVELS)[number];

export interface MaturityRow {
  readonly level: Level;
  readonly text: string;
  /** Absent: only a running system can tell. */
  readonly met?: boolean;
  readonly command: string;
}

export interface Maturity {
  /** The highest of which nothing is known to be missing, nor of those below; absent: not even the first. */
  readonly level?: Level;
  readonly rows: readonly MaturityRow[];
}

const MOST = 0.9;
const SOME = 0.5;

/** `coverage`: the share of workloads that not everybody may open a connection to. */
export function maturityOf(input: AssessInput, coverage: number): Maturity {
  const { index, live, policies, tests, exceptions, now, versioned, set } = input;
  const all = [...index.workloads.values()];
  const labelled = all.filter(({ labels }) => Object.keys(labels).length > 0).length;
  const { observe = 0, audit = 0, enforce = 0 } = live?.modes ?? {};
  const judged = observe + audit + enforce;
  const percent = (share: number): string => `${Math.floor(share * 100)} %`;
  const rows: MaturityRow[] = [
    row("beginner", "flows are recorded", live && live.recorded > 0, "observe --follow"),
    row(
      "beginner",
      `workloads have labels (${labelled} of ${all.length})`,
      all.length > 0 && labelled / all.length >= MOST,
      "label",
    ),
    row("beginner", "there is a policy", policies.length > 0, "suggest -f policy.yaml"),
    row(
      "intermediate",
      "policies speak of identities more than of addresses",
      policies.length > 0 && byIdentity(set),
      "lint",
    ),
    row("intermediate", "policies are tested", tests > 0, "test"),
    row("intermediate", "policies are kept in a repository", versioned, "apply policies/"),
    row(
      "intermediate",
      `half of the workloads are not open to everybody (${percent(coverage)})`,
      coverage >= SOME,
      "suggest -f policy.yaml",
    ),
    row(
      "intermediate",
      "policy is enforced for somebody",
      live && enforce > 0,
      "apply policies/ --mode enforce --canary 5%",
    ),
    row(
      "advanced",
      `nine in ten workloads are not open to everybody (${percent(coverage)})`,
      coverage >= MOST,
      "suggest -f policy.yaml",
    ),
    row(
      "advanced",
      "nine in ten workloads are enforced",
      live && judged > 0 && enforce / judged >= MOST,
      "apply policies/ --mode enforce",
    ),
    row(
      "advanced",
      "real connections proved it within a day",
      live && live.probe !== undefined && live.probe.failed === 0 && live.probe.at > now - DAY_MS,
      "probe",
    ),
    row("advanced", "drift is repaired", live && live.drift === "repair", "drift --set repair"),
    row(
      "advanced",
      "every exception ends",
      exceptions.every(({ until }) => until !== undefined),
      "policies",
    ),
  ];
  const level = LEVELS.findLast(
    (one, at) =>
      LEVELS.slice(0, at + 1).every((upTo) =>
        rows.every((each) => each.level !== upTo || each.met !== false),
      ) && rows.some((each) => each.level === one && each.met === true),
  );
  return { ...(level === undefined ? {} : { level }), rows };
}

function row(level: Level, text: string, met: boolean | undefined, command: string): MaturityRow {
  return { level, text, ...(met === undefined ? {} : { met }), command };
}

/** Of what rules say of their peers, more than half names workloads. */
function byIdentity(set: AssessInput["set"]): boolean {
  const peers = set.stages.flatMap(({ blocks }) =>
    blocks.flatMap(({ rules }) => rules.flatMap((rule) => rule.peers.map(({ kind }) => kind))),
  );
  const addresses = peers.filter((kind) => kind === "cidr").length;
  return addresses * 2 <= peers.length;
}

/** What the verbs are about, as the top-level help lays them out: what runs, what files say, what is on this machine. */
import type { Command } from "commander";

const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ["Start and stop on this machine (root):", ["up", "down", "restart", "boot"]],
  [
    "The running system; what changes it needs root:",
    [
      "status",
      "workloads",
      "policies",
      "observe",
      "map",
      "flows",
      "suggest",
      "readiness",
      "replay",
      "plan",
      "apply",
      "delete",
      "label",
      "confirm",
      "history",
      "rollback",
      "explain",
      "why",
      "probe",
      "drift",
      "slo",
    ],
  ],
  [
    "Files alone: no root, no daemon, no Linux:",
    [
      "decide",
      "test",
      "prove",
      "blast",
      "assess",
      "list",
      "diff",
      "exposure",
      "check",
      "lint",
      "labels",
      "convert",
    ],
  ],
  ["This installation:", ["install", "upgrade", "uninstall", "doctor"]],
  ["The command line:", ["completion", "schema", "version"]],
];

export function groupVerbs(program: Command): void {
  for (const command of program.commands) {
    const group = GROUPS.find(([, verbs]) => verbs.includes(command.name()));
    if (group !== undefined) command.helpGroup(group[0]);
  }
}

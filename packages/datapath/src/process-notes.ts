/**
 * What the packet log says of processes: for each one a chain that names it at an end of a connection, and the maps that lead to
 * it. A note comes before what was decided, and only where that will be told.
 */
import { cgroupLevel } from "@bulkhead/model";
import type { HostPolicy } from "@bulkhead/model";
import { BOTH } from "./family.ts";
import { FIRST_ONLY, logRule } from "./frame.ts";
import { formatProcessNote } from "./log-prefix.ts";
import { cgroupElement, knownLevels } from "./process-sets.ts";
import { PORTED, packetKey } from "./quiet.ts";
import type { TableBuilder } from "./ruleset.ts";

/** Of what has been denied a moment ago, the next denial is not told. */
export const toldLately = (plane: "live" | "shadow"): readonly string[] =>
  BOTH.flatMap((words) => [
    `${PORTED} ${packetKey(words, " . th dport")} @${plane}_seen${words.family} return`,
    `meta l4proto != ${PORTED.slice("meta l4proto ".length)} ${packetKey(words, "")} @${plane}_seenbare${words.family} return`,
  ]);

/** Says who is at an end before it is said what happened; what will not be told of is not announced. */
export const writeNotes = (table: TableBuilder, policy: HostPolicy): void => {
  const levels = knownLevels(policy);
  const quiet = [...toldLately("live"), ...toldLately("shadow")];
  for (const direction of ["egress", "ingress"] as const) {
    const tag = direction === "egress" ? "e" : "i";
    for (const { handle } of policy.processes ?? [])
      table.chain(`note_${tag}_${handle}`, [
        logRule(formatProcessNote({ direction, process: handle })),
      ]);
    for (const level of levels)
      table.set(
        { name: `notes_${tag}${level}`, kind: "map", type: "cgroupsv2 : verdict", flags: [] },
        (policy.processes ?? [])
          .filter(({ cgroup }) => cgroupLevel(cgroup) === level)
          .map(({ cgroup, handle }) => cgroupElement(cgroup, "", `goto note_${tag}_${handle}`)),
      );
    table.chain(`tell_${tag}`, [
      FIRST_ONLY,
      ...quiet,
      ...levels.map((level) => `socket cgroupv2 level ${level} vmap @notes_${tag}${level}`),
    ]);
  }
};

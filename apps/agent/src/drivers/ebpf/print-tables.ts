/** The maps of a policy for people: subjects, peers and what is said of them, by name. No input to anything. */
import type { HostPolicy, MapSet, RowDecision } from "@bulkhead/model";

const say = ({ verdict, cookie }: RowDecision): string => `${verdict} (${cookie})`;

const printSet = (plane: string, { subjects, maps, overlay }: MapSet): string[] => [
  ...(["egress", "ingress"] as const).flatMap((direction) =>
    subjects[direction].map(
      ([address, classId]) => `${plane} ${direction} of ${address}: class ${classId}`,
    ),
  ),
  ...maps.flatMap(({ classId, direction, exact, ranges, defaultRow }) => [
    `${plane} ${direction} class ${classId}: otherwise row ${defaultRow}`,
    ...exact.map(([address, row]) => `\t${address}: row ${row}`),
    ...ranges.map(([first, last, row]) => `\t${first}-${last}: row ${row}`),
  ]),
  ...overlay.map(
    ({ classId, direction, peer, protocol, ports, decision, deadline }) =>
      `${plane} ${direction} class ${classId}, ${peer.join("-")} protocol ${protocol} ports ${ports.join("-")}: ${say(decision)} until ${deadline}`,
  ),
];

export const printMaps = ({ live, shadow, canary, rows }: HostPolicy): string =>
  [
    ...printSet("live", live),
    ...printSet("shadow", shadow),
    ...(canary === undefined ? [] : printSet("canary", canary.maps)),
    ...rows.flatMap(({ id, others, protocols }) => [
      `row ${id}: otherwise ${say(others)}`,
      ...protocols.flatMap(({ protocol, intervals }) =>
        intervals.map(
          ({ first, last, decision }) =>
            `\tprotocol ${protocol} ports ${first}-${last}: ${say(decision)}`,
        ),
      ),
    ]),
    "",
  ].join("\n");

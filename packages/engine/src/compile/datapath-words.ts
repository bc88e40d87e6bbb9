/** A compiled class in the words of the datapath: every number replaced by its name, every range by its addresses. */
import {
  formatIp,
  type ClassId,
  type Direction,
  type OverlayEntry,
  type PolicyMap,
  type ProcessOverlayEntry,
  type RowId,
} from "@bulkhead/model";
import type { DecisionTable } from "./decision-table.ts";
import type { EmittedMap } from "./emit-map.ts";
import type { ProcessPeers } from "./process-peers.ts";
import type { Piece } from "./timed-row.ts";

export function policyMap(
  direction: Direction,
  classId: ClassId,
  { exact, ranges, defaultRow }: EmittedMap,
  peers: ProcessPeers,
  rowIds: ReadonlyMap<number, RowId>,
): PolicyMap {
  const processes = peers.rows.map(([process, row]) => [process, rowIds.get(row)!] as const);
  return {
    classId,
    direction,
    exact: exact.map(({ place, row }) => [place.address, rowIds.get(row)!]),
    ranges: ranges.map(({ family, first, last, row }) => [
      formatIp(family, first),
      formatIp(family, last),
      rowIds.get(row)!,
    ]),
    defaultRow: rowIds.get(defaultRow)!,
    ...(processes.length === 0 ? {} : { processes }),
  };
}

export function overlayEntries(
  direction: Direction,
  classId: ClassId,
  { overlay }: EmittedMap,
  decisions: DecisionTable,
): OverlayEntry[] {
  return overlay.flatMap(({ family, first, last, pieces }) => {
    const peer = [formatIp(family, first), formatIp(family, last)] as const;
    return pieces.map((piece) => ({ classId, direction, peer, ...timed(piece, decisions) }));
  });
}

export function processEntries(
  direction: Direction,
  classId: ClassId,
  { overlay }: ProcessPeers,
  decisions: DecisionTable,
): ProcessOverlayEntry[] {
  return overlay.flatMap(({ process, pieces }) =>
    pieces.map((piece) => ({ classId, direction, process, ...timed(piece, decisions) })),
  );
}

function timed({ protocol, first, last, decision, deadline }: Piece, decisions: DecisionTable) {
  return {
    protocol,
    ports: [first, last] as const,
    decision: decisions.at(decision),
    deadline,
  };
}

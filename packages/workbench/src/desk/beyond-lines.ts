/**
 * What lines in netpol-analyzer's words do not tell: protocols without ports, and IPv6 where it is otherwise than IPv4.
 * Its reader takes a line for the world at large to be about both families, so IPv6 that goes along with it is told.
 */
import {
  coversPorts,
  equalPorts,
  isEmptyPorts,
  portsOf,
  SCTP,
  subtract,
  TCP,
  UDP,
  type IpRange,
  type PortSet,
} from "@bulkhead/model";
import { inWords, isEverythingInWords } from "./connection-text.ts";
import type { Connectivity, Party } from "./connectivity.ts";
import { expand, type Sight } from "./expansion.ts";

/** Without the prefixes that policies commonly leave out of it, the world is still more than half of the addresses. */
const AT_LARGE = 1n << 31n;

/** Port 0 is in no line, and nobody's. */
const IN_LINES = portsOf(
  [TCP, UDP, SCTP].map((protocol) => ({ kind: "protocol", protocol })),
  () => [],
);

interface Piece {
  readonly range: IpRange;
}

/** Do those of IPv4 that tell the same make up the world at large? */
export function isToldByIpv4<P extends Piece>(
  pieces: readonly P[],
  tellsTheSame: (piece: P) => boolean,
): boolean {
  const size = pieces
    .filter((piece) => piece.range.family === 4 && tellsTheSame(piece))
    .reduce((sum, { range }) => sum + range.last - range.first + 1n, 0n);
  return size > AT_LARGE;
}

export interface BeforeAfter {
  readonly before: PortSet;
  readonly after: PortSet;
}

export function isAlikeInWords({ before, after }: BeforeAfter): boolean {
  return equalPorts(inWords(before), inWords(after));
}

export function isSameInWords(one: BeforeAfter, other: BeforeAfter): boolean {
  return (
    equalPorts(inWords(one.before), inWords(other.before)) &&
    equalPorts(inWords(one.after), inWords(other.after))
  );
}

/** Is more permitted than the lines of these connections tell? */
export function isMoreThanLines(
  { connections }: Pick<Connectivity, "connections">,
  { sees = () => true }: Sight = {},
): boolean {
  const isSeen = (party: Party): boolean => party.kind === "world" || party.names.some(sees);
  const seen = connections.filter(({ from, to }) => isSeen(from) && isSeen(to));
  return (
    seen.some(({ ports }) => !isEverythingInWords(ports) && hasOtherProtocols(ports)) ||
    isMoreOverIpv6(connections, sees)
  );
}

function hasOtherProtocols(ports: PortSet): boolean {
  return !isEmptyPorts(subtract(ports, IN_LINES));
}

function isMoreOverIpv6(connections: Connectivity["connections"], sees: Sight["sees"]): boolean {
  const expansion = expand({ connections }, { project: inWords, ...(sees && { sees }) });
  // The same array for all that reach the same.
  const stretches = new Set(
    expansion.names.flatMap((name) =>
      (["to", "from"] as const).map((way) => expansion.worldOf(name, way)),
    ),
  );
  return [...stretches].some((pieces) =>
    pieces.some(
      (one) =>
        one.range.family === 6 &&
        !isToldByIpv4(pieces, ({ ports }) => coversPorts(ports, one.ports)),
    ),
  );
}

/**
 * Time-bound decisions as map elements with timeouts, and back. The kernel forgets an element by itself, and the
 * decision beneath shows again without any process of ours. One address and one port go to a hash; anything wider to
 * an interval map; entries for a whole protocol are keyed without a port.
 */
import { MAX_PORT, familyOf } from "@bulkhead/model";
import type { Direction, IpFamily, OverlayEntry, RowDecision } from "@bulkhead/model";
import { peerOf, wordsOf } from "./family.ts";
import { FAMILIES, overlayName, parseLeaf } from "./names.ts";
import type { OverlayShape, Tree } from "./names.ts";
import { hasPorts, portLookups } from "./port-lookups.ts";
import type { Element, Table, TableBuilder } from "./ruleset.ts";

const range = (first: string | number, last: string | number): string =>
  first === last ? `${first}` : `${first}-${last}`;

const isWhole = ([first, last]: readonly [number, number]): boolean =>
  first === 0 && last === MAX_PORT;

const shapeOf = ({ peer, ports, protocol }: OverlayEntry): OverlayShape => {
  const onePeer = peer[0] === peer[1];
  if (isWhole(ports) || !hasPorts(protocol)) return onePeer ? "bare" : "widebare";
  return onePeer && ports[0] === ports[1] ? "one" : "wide";
};

const SHAPES: readonly OverlayShape[] = ["one", "wide", "bare", "widebare"];
const isBare = (shape: OverlayShape): boolean => shape === "bare" || shape === "widebare";
const isWide = (shape: OverlayShape): boolean => shape === "wide" || shape === "widebare";

const keyOf = (entry: OverlayEntry, shape: OverlayShape): string => {
  const peer = range(entry.peer[0], entry.peer[1]);
  const base = `${peer} . ${entry.protocol}`;
  return isBare(shape) ? base : `${base} . ${range(entry.ports[0], entry.ports[1])}`;
};

const writeShape = (
  table: TableBuilder,
  tree: Tree,
  family: IpFamily,
  classId: string,
  shape: OverlayShape,
  entries: readonly OverlayEntry[],
  leaf: (decision: RowDecision) => string,
): readonly string[] => {
  if (entries.length === 0) return [];
  const words = wordsOf(family);
  const elements = entries.map((entry): Element => ({
    key: keyOf(entry, shape),
    value: `goto ${leaf(entry.decision)}`,
    deadline: entry.deadline,
    // A protocol without ports has one decision, whatever range the entry was written with.
    ...(isBare(shape) && !isWhole(entry.ports) ? { comment: range(...entry.ports) } : {}),
  }));
  const name = table.set(
    {
      name: overlayName(tree, family, classId, shape),
      kind: "map",
      type: `${words.type} . inet_proto${isBare(shape) ? "" : " . inet_service"} : verdict`,
      flags: isWide(shape) ? ["interval", "timeout"] : ["timeout"],
    },
    elements,
  );
  const key = `${peerOf(family, tree.direction)} . ct protocol`;
  if (isBare(shape)) return [`${key} vmap @${name}`];
  const protocols = entries.map(({ protocol }) => protocol);
  return portLookups(protocols, (port) => `${key} . ${port}`, `vmap @${name}`);
};

/** Writes one class's overlay maps and returns the rules that look them up, to stand first in its chain. */
export const writeOverlay = (
  table: TableBuilder,
  tree: Tree,
  classId: string,
  entries: readonly OverlayEntry[],
  leaf: (decision: RowDecision) => string,
): readonly string[] =>
  FAMILIES.flatMap((family) =>
    SHAPES.flatMap((shape) =>
      writeShape(
        table,
        tree,
        family,
        classId,
        shape,
        entries.filter((entry) => familyOf(entry.peer[0]) === family && shapeOf(entry) === shape),
        leaf,
      ),
    ),
  );

const numbers = (text: string): readonly [number, number] | null => {
  const [first, last = first] = text.split("-").map(Number);
  return first === undefined || last === undefined ? null : [first, last];
};

const readElement = (
  element: Element,
  classId: string,
  direction: Direction,
): OverlayEntry | null => {
  const [peer, protocol, ports] = element.key.split(" . ");
  const leaf = parseLeaf((element.value ?? "").replace(/^goto /, ""));
  if (peer === undefined || protocol === undefined || leaf === null) return null;
  if (element.deadline === undefined) return null;
  const [first, last = first] = peer.split("-");
  const portRange = numbers(ports ?? element.comment ?? `0-${MAX_PORT}`);
  if (first === undefined || last === undefined || portRange === null) return null;
  return {
    classId,
    direction,
    peer: [first, last],
    protocol: Number(protocol),
    ports: portRange,
    decision: { verdict: leaf.verdict, cookie: leaf.cookie },
    deadline: element.deadline,
  };
};

/** The class's overlay as the kernel holds it; null where an element is none of ours. */
export const readOverlay = (table: Table, tree: Tree, classId: string): OverlayEntry[] | null => {
  const found: OverlayEntry[] = [];
  for (const family of FAMILIES) {
    for (const shape of SHAPES) {
      const set = table.sets.get(overlayName(tree, family, classId, shape));
      for (const element of set?.elements.values() ?? []) {
        const entry = readElement(element, classId, tree.direction);
        if (entry === null) return null;
        found.push(entry);
      }
    }
  }
  return found;
};

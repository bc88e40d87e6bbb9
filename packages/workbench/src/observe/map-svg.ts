/**
 * The service map as a picture that stands alone: no script, no font, no other file. It brings its own ground in two
 * colourings, so that it is readable on a light page and on a dark one. The same map is the same text, byte for byte.
 */
import { many } from "../words.ts";
import { layOut, wayOf, type Layout, type Placed } from "./map-layout.ts";
import { arrowText, countText, labelOf, membersText, portsText } from "./map-words.ts";
import type { Outcome } from "./outcome.ts";
import type { MapArrow, MapNode, ServiceMap } from "./service-map.ts";

const MARGIN = 32;
const NODE_HEIGHT = 46;
const ROW_GAP = 34;
/** Room for the words on the arrows between two columns. */
const COLUMN_GAP = 190;
/** An upper bound for a sans-serif of 13 pixels; of letters of double width, too. */
const LETTER = 8;
const WIDE_LETTER = 14;
const SMALLEST = 96;

interface Box {
  readonly node: MapNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

const STYLE = `
    .ground { fill: #ffffff }
    text { font: 13px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
    .small { font-size: 11px; fill: #57606a }
    .node { fill: #f6f8fa; stroke: #8c959f }
    .outside { stroke-dasharray: 4 3 }
    .arrow { fill: none; stroke-width: 1.5 }
    .label { font-size: 11px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
    .passed { stroke: #57606a } .audit { stroke: #9a6700; stroke-dasharray: 6 4 } .denied { stroke: #cf222e; stroke-dasharray: 3 3 }
    .head.passed { fill: #57606a } .head.audit { fill: #9a6700 } .head.denied { fill: #cf222e }
    .head { stroke: none }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 }
      text { fill: #e6edf3 }
      .small { fill: #9198a1 }
      .node { fill: #161b22; stroke: #6e7681 }
      .label { stroke: #0d1117 }
      .passed { stroke: #9198a1 } .audit { stroke: #d29922 } .denied { stroke: #f85149 }
      .head.passed { fill: #9198a1 } .head.audit { fill: #d29922 } .head.denied { fill: #f85149 }
      .head { stroke: none }
    }
  `;

/** What a map says besides its shape. */
export interface MapWords {
  readonly title: string;
  readonly label: (arrow: MapArrow) => string;
  readonly tooltip: (arrow: MapArrow, from: MapNode, to: MapNode) => string;
}

const observed = (map: ServiceMap): MapWords => ({
  title: `Service map: ${many(map.nodes.length, "node")}, ${many(map.arrows.length, "arrow")}`,
  label: (arrow) => `${portsText(arrow.ports, 1)} · ${countText(arrow)}`,
  tooltip: arrowText,
});

export function mapSvg(map: ServiceMap, words: MapWords = observed(map)): string {
  const layout = layOut(map);
  const grid = gridOf(map, layout);
  const boxes = new Map(
    map.nodes.map((node): readonly [string, Box] => {
      const place = layout.nodes.get(node.id) ?? { column: 0, row: 0 };
      return [node.id, { node, ...grid.at(place) }];
    }),
  );
  const all = [...boxes.values()];
  const width = Math.max(320, ...all.map((box) => box.x + box.width)) + MARGIN;
  const bottom = MARGIN + Math.max(1, ...layout.sizes) * (NODE_HEIGHT + ROW_GAP) - ROW_GAP;
  const height = bottom + MARGIN + STEP;
  const heads = (["passed", "audit", "denied"] as const).map(
    (outcome) =>
      `<marker id="${outcome}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="head ${outcome}" d="M0 0 8 4 0 8z"/></marker>`,
  );
  const arrows = arrowsOf(map, boxes, words, (arrow) => {
    const way = layout.ways.get(wayOf(arrow.from, arrow.to));
    return way === undefined ? bottom : way.map(grid.at);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>${escape(words.title)}</title>
  <style>${STYLE}</style>
  <defs>${heads.join("")}</defs>
  <rect class="ground" width="100%" height="100%"/>
${arrows}${all.map(nodeText).join("")}</svg>
`;
}

type Place = Omit<Box, "node">;

function gridOf(map: ServiceMap, { nodes, sizes }: Layout): { at(place: Placed): Place } {
  const widths = sizes.map(() => SMALLEST);
  for (const node of map.nodes) {
    const column = nodes.get(node.id)?.column ?? 0;
    widths[column] = Math.max(widths[column] ?? SMALLEST, widthOf(node));
  }
  const left = widths.map((_, column) =>
    widths.slice(0, column).reduce((sum, width) => sum + width + COLUMN_GAP, MARGIN),
  );
  const tallest = Math.max(1, ...sizes);
  return {
    at({ column, row }) {
      // Short columns stand in the middle of the long ones.
      const above = (tallest - (sizes[column] ?? 0)) / 2;
      return {
        x: left[column] ?? MARGIN,
        y: MARGIN + (row + above) * (NODE_HEIGHT + ROW_GAP),
        width: widths[column] ?? SMALLEST,
      };
    },
  };
}

function widthOf(node: MapNode): number {
  const lines = [labelOf(node), membersText(node) ?? ""];
  const size = (line: string): number =>
    [...line].reduce(
      (sum, letter) => sum + ((letter.codePointAt(0) ?? 0) > 0x10ff ? WIDE_LETTER : LETTER),
      0,
    );
  return Math.max(...lines.map(size)) + 24;
}

function nodeText({ node, x, y, width }: Box): string {
  const members = membersText(node);
  const middle = x + width / 2;
  const outside = node.kind === "outside";
  const shape = `<rect class="node${outside ? " outside" : ""}" x="${x}" y="${y}" width="${width}" height="${NODE_HEIGHT}" rx="${outside ? NODE_HEIGHT / 2 : 6}"/>`;
  const name = `<text x="${middle}" y="${y + (members === undefined ? 28 : 21)}">${escape(labelOf(node))}</text>`;
  const more =
    members === undefined
      ? ""
      : `<text class="small" x="${middle}" y="${y + 37}">${escape(members)}</text>`;
  return `  <g><title>${escape(node.members.join(", "))}</title>${shape}${name}${more}</g>\n`;
}

const STEP = 16;

/** `way`: the places an arrow passes; or, of one that leads back, how low the nodes reach. */
function arrowsOf(
  map: ServiceMap,
  boxes: ReadonlyMap<string, Box>,
  words: MapWords,
  way: (arrow: MapArrow) => readonly Place[] | number,
): string {
  const seen = new Map<string, number>();
  const turn = (key: string): number => {
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return count;
  };
  return map.arrows
    .map((arrow) => {
      const [from, to] = [boxes.get(arrow.from), boxes.get(arrow.to)];
      if (from === undefined || to === undefined) return "";
      // Those between the same two lie side by side.
      const beside = turn(wayOf(arrow.from, arrow.to));
      const passed = way(arrow);
      const [path, x, y] =
        from === to
          ? loop(from, beside)
          : typeof passed === "number"
            ? around(from, to, passed, beside)
            : across(from, passed, to, beside);
      const label = `<text class="label" x="${x}" y="${y}">${escape(words.label(arrow))}</text>`;
      const told = words.tooltip(arrow, from.node, to.node);
      return `  <g><title>${escape(told)}</title><path class="arrow ${arrow.outcome satisfies Outcome}" marker-end="url(#${arrow.outcome})" d="${path}"/>${label}</g>\n`;
    })
    .join("");
}

type Drawn = readonly [path: string, labelX: number, labelY: number];

/** Straight through the columns between, bent in the gaps; its words in the last gap, where it has left the others. */
function across(from: Box, passed: readonly Place[], to: Box, beside: number): Drawn {
  const middle = ({ y }: Place): number => y + NODE_HEIGHT / 2 + beside * 6;
  let [x, y] = [from.x + from.width, middle(from)];
  let path = `M${x} ${y}`;
  let label: readonly [number, number] = [x, y];
  for (const stop of [...passed, to]) {
    const [nextX, nextY] = [stop.x, middle(stop)];
    const bend = (nextX - x) / 3;
    path += `C${round(x + bend)} ${y} ${round(nextX - bend)} ${nextY} ${nextX} ${nextY}`;
    label = [round((x + nextX) / 2), round((y + nextY) / 2) - 5 + beside * STEP];
    x = nextX;
    y = nextY;
    if (stop === to) break;
    x += stop.width;
    path += `H${x}`;
  }
  return [path, ...label];
}

/** Below all nodes, from right to left. */
function around(from: Box, to: Box, bottom: number, beside: number): Drawn {
  const x1 = from.x + from.width / 2 + 8 * (beside + 1);
  const x2 = to.x + to.width / 2 - 8 * (beside + 1);
  const [y1, y2] = [from.y + NODE_HEIGHT, to.y + NODE_HEIGHT];
  const low = bottom + ROW_GAP + beside * STEP;
  return [
    `M${x1} ${y1}C${x1} ${low} ${x2} ${low} ${x2} ${y2}`,
    round((x1 + x2) / 2),
    round(cubic(y1, low, low, y2, 0.5)) - 5,
  ];
}

function loop(box: Box, beside: number): Drawn {
  const middle = box.x + box.width / 2;
  const top = box.y - 22 - beside * STEP;
  return [
    `M${middle - 18} ${box.y}C${middle - 26} ${top} ${middle + 26} ${top} ${middle + 18} ${box.y}`,
    middle,
    top + 2,
  ];
}

function cubic(a: number, b: number, c: number, d: number, at: number): number {
  const rest = 1 - at;
  return a * rest ** 3 + 3 * b * rest ** 2 * at + 3 * c * rest * at ** 2 + d * at ** 3;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Names come from outside, and control characters are no XML. */
function escape(text: string): string {
  return text
    .replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "")
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "\uFFFD");
}

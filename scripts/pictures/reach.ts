/**
 * Draws who reaches whom in the demo's shop, before and after, as SVG: one square for a source and a destination, with
 * the number of ports that could be reached. Reads the demo's JSON from standard input, writes the picture to standard
 * output, so that the picture shows what was measured and nothing else:
 *
 *   make -s demo JSON=1 | node scripts/pictures/reach.ts > docs/pictures/reach.svg
 */
import { text } from "node:stream/consumers";

interface DemoReport {
  readonly figures: Readonly<Record<"before" | "after", { readonly reached: readonly string[] }>>;
}

const CELL = 26;
const LABELS = 104;
const TOP = 158;
const GAP = 72;
const COLOURS = { before: "#c2410c", after: "#0f766e" } as const;

/** `web → db 5432/tcp` */
const PAIR = /^(\S+) → (\S+) (\S+)$/;

function countPorts(reached: readonly string[]): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const pair of reached) {
    const [, from, to] = PAIR.exec(pair) ?? [];
    if (from === undefined || to === undefined) throw new Error(`not a pair: ${pair}`);
    const key = `${from} ${to}`;
    ports.set(key, (ports.get(key) ?? 0) + 1);
  }
  return ports;
}

function panel(
  title: string,
  reached: readonly string[],
  [sources, destinations]: readonly [readonly string[], readonly string[]],
  colour: string,
): string {
  const ports = countPorts(reached);
  const parts = [
    `<text x="${LABELS}" y="22" class="title">${title}</text>`,
    `<text x="${LABELS}" y="42">${reached.length} connections possible, tried one by one</text>`,
  ];
  destinations.forEach((name, column) => {
    const x = LABELS + column * CELL + CELL / 2 + 4;
    parts.push(`<text transform="translate(${x} ${TOP - 8}) rotate(-60)">${name}</text>`);
  });
  sources.forEach((from, row) => {
    const y = TOP + row * CELL;
    parts.push(`<text x="${LABELS - 8}" y="${y + 17}" text-anchor="end">${from}</text>`);
    destinations.forEach((to, column) => {
      const x = LABELS + column * CELL;
      const count = ports.get(`${from} ${to}`) ?? 0;
      const fill = count === 0 ? "#e5e7eb" : colour;
      parts.push(
        `<rect x="${x}" y="${y}" width="${CELL - 3}" height="${CELL - 3}" rx="3" fill="${fill}"/>`,
      );
      if (count > 0) {
        parts.push(`<text x="${x + 11.5}" y="${y + 16}" class="count">${count}</text>`);
      }
    });
  });
  return parts.join("\n");
}

function draw({ figures: { before, after } }: DemoReport): string {
  const all = [...before.reached, ...after.reached].map((pair) => PAIR.exec(pair) ?? []);
  const names = (index: number): readonly string[] =>
    [...new Set(all.map((parts) => parts[index] ?? ""))].toSorted();
  const axes = [names(1), names(2)] as const;
  const width = LABELS + axes[1].length * CELL + GAP;
  const height = TOP + axes[0].length * CELL + 12;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#374151">
<style>.title { font-size: 18px; font-weight: 600 } .count { fill: #fff; font-size: 11px; text-anchor: middle }</style>
<rect width="100%" height="100%" fill="#fff"/>
<g>${panel("Before", before.reached, axes, COLOURS.before)}</g>
<g transform="translate(${width} 0)">${panel("After", after.reached, axes, COLOURS.after)}</g>
</svg>
`;
}

process.stdout.write(draw(JSON.parse(await text(process.stdin)) as DemoReport));

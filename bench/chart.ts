/** Lines over two axes that begin at zero, as SVG: two or three series of some points each, named at their ends. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface ChartText {
  readonly title: string;
  readonly x: string;
  readonly y: string;
}

const [WIDTH, HEIGHT] = [720, 400];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 190, 50, 60];
const COLOURS = ["#b3541e", "#1f6f8b", "#4a7c3a"];
const STEPS = 5;

/** A round number that is not below, one of 1, 2, 2.5, 5 times a power of ten for each step. */
const roundUp = (value: number): number => {
  const step = value / STEPS;
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= step) ?? 10;
  return factor * power * STEPS;
};

const fixed = (value: number): string => `${Math.round(value * 10) / 10}`;

export function drawChart(series: readonly Series[], { title, x, y }: ChartText): string {
  const all = series.flatMap(({ points }) => points);
  const mostX = Math.max(...all.map(([at]) => at));
  const mostY = roundUp(Math.max(...all.map(([, value]) => value)));
  const toX = (at: number): number => LEFT + (at / mostX) * (WIDTH - LEFT - RIGHT);
  const toY = (value: number): number =>
    HEIGHT - BOTTOM - (value / mostY) * (HEIGHT - TOP - BOTTOM);
  const text = (px: number, py: number, said: string, more = ""): string =>
    `<text x="${fixed(px)}" y="${fixed(py)}"${more}>${said}</text>`;
  const grid = Array.from({ length: STEPS + 1 }, (_, n) => {
    const [value, at] = [(mostY / STEPS) * n, (mostX / STEPS) * n];
    const py = fixed(toY(value));
    return [
      `<line x1="${LEFT}" y1="${py}" x2="${WIDTH - RIGHT}" y2="${py}" stroke="#ddd"/>`,
      text(LEFT - 8, toY(value) + 4, fixed(value), ' text-anchor="end"'),
      text(toX(at), HEIGHT - BOTTOM + 20, fixed(at), ' text-anchor="middle"'),
    ];
  });
  const lines = series.map(({ name, points }, n) => {
    const colour = COLOURS[n % COLOURS.length]!;
    const path = points.map(([at, value]) => `${fixed(toX(at))},${fixed(toY(value))}`).join(" ");
    const [lastX, lastY] = points.at(-1)!;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(
        ([at, value]) =>
          `<circle cx="${fixed(toX(at))}" cy="${fixed(toY(value))}" r="3" fill="${colour}"/>`,
      ),
      text(toX(lastX) + 10, toY(lastY) + 4, name, ` fill="${colour}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 28, title, ' font-size="16"'),
    ...grid.flat(),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x, ' text-anchor="middle"'),
    text(LEFT, TOP - 6, y, ' font-size="11"'),
    ...lines.flat(),
    "</svg>",
    "",
  ].join("\n");
}

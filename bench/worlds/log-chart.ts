/** Lines over weeks on a scale of powers of ten, as SVG, with a band where an interval is given. What is nothing lies on the floor. */
export interface LogSeries {
  readonly name: string;
  readonly points: readonly (readonly [week: number, share: number])[];
  readonly band?: readonly (readonly [week: number, low: number, high: number])[];
}

const [WIDTH, HEIGHT] = [760, 400];
const [LEFT, RIGHT, TOP, BOTTOM] = [80, 190, 56, 52];
const COLOURS = ["#0f766e", "#b3541e", "#1f6f8b", "#7c3aed", "#57534e"];

export interface LogChartText {
  readonly title: string;
  readonly y: string;
  /** Powers of ten between which the scale goes. */
  readonly least: number;
  readonly most: number;
  /** An aim, as a line across. */
  readonly aim?: { readonly at: number; readonly text: string };
}

const fixed = (value: number): string => `${Math.round(value * 10) / 10}`;

export function drawLogChart(
  series: readonly LogSeries[],
  { title, y, least, most, aim }: LogChartText,
): string {
  const weeks = series.flatMap(({ points }) => points.map(([week]) => week));
  const [from, until] = [Math.min(...weeks), Math.max(...weeks)];
  const toX = (week: number): string =>
    fixed(LEFT + ((week - from) / (until - from)) * (WIDTH - LEFT - RIGHT));
  const toY = (share: number): string => {
    const power = share <= 0 ? least : Math.min(most, Math.max(least, Math.log10(share)));
    return fixed(HEIGHT - BOTTOM - ((power - least) / (most - least)) * (HEIGHT - TOP - BOTTOM));
  };
  const rows = Array.from({ length: most - least + 1 }, (_, at) => least + at).flatMap((power) => {
    const at = toY(10 ** power);
    const percent = power === least ? "0" : `${Number((10 ** (power + 2)).toPrecision(1))} %`;
    return [
      `<line x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}" stroke="#e7e5e4"/>`,
      `<text x="${LEFT - 8}" y="${Number(at) + 4}" text-anchor="end">${percent}</text>`,
    ];
  });
  const columns = Array.from({ length: until - from + 1 }, (_, at) => from + at)
    .filter((week) => week % 4 === 0)
    .map(
      (week) =>
        `<text x="${toX(week)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${week}</text>`,
    );
  // The first lies above the others.
  const drawn = [...series.entries()].toReversed().flatMap(([at, { name, points, band = [] }]) => {
    const colour = COLOURS[at % COLOURS.length] ?? "#000";
    const upper = band.map(([week, , high]) => `${toX(week)},${toY(high)}`);
    const lower = band.map(([week, low]) => `${toX(week)},${toY(low)}`).toReversed();
    const line = points.map(([week, share]) => `${toX(week)},${toY(share)}`).join(" ");
    return [
      ...(band.length === 0
        ? []
        : [
            `<polygon points="${[...upper, ...lower].join(" ")}" fill="${colour}" opacity="0.15"/>`,
          ]),
      `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="${at === 0 ? 3 : 1.5}"/>`,
      `<text x="${WIDTH - RIGHT + 12}" y="${TOP + 16 + at * 20}" fill="${colour}">${name}</text>`,
    ];
  });
  const aimed =
    aim === undefined
      ? []
      : [
          `<line x1="${LEFT}" y1="${toY(aim.at)}" x2="${WIDTH - RIGHT}" y2="${toY(aim.at)}" stroke="#dc2626" stroke-dasharray="5 4"/>`,
          `<text x="${WIDTH - RIGHT + 12}" y="${Number(toY(aim.at)) + 4}" fill="#dc2626">${aim.text}</text>`,
        ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="26" font-size="16">${title}</text>`,
    `<text x="${LEFT}" y="${TOP - 10}" font-size="11">${y}</text>`,
    ...rows,
    ...columns,
    ...drawn,
    ...aimed,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">week</text>`,
    "</svg>",
    "",
  ].join("\n");
}

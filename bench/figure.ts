/**
 * One figure of a benchmark: what we measured, what it is compared with in the same run, and what we aim for. Printed as one
 * line each and written together as JSON.
 */
export interface Figure {
  /** `datapath/throughput/10k`. */
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** What `theirs` was measured with: `no firewall`, `iptables`, `ufw`. Absent where the aim is absolute. */
  readonly peer?: string;
  readonly theirs?: number;
  /** ours / theirs. */
  readonly ratio?: number;
  /** Bounds on the ratio where there is a peer, else on our own value. */
  readonly aim?: { readonly atLeast?: number; readonly atMost?: number };
  readonly verdict: "met" | "missed" | "-";
  /** Spread of our own samples: (largest - smallest) / median. */
  readonly spread?: number;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
};

const spreadOf = (values: readonly number[]): number =>
  (Math.max(...values) - Math.min(...values)) / median(values);

const judge = (value: number, aim: Figure["aim"]): Figure["verdict"] => {
  if (aim === undefined) return "-";
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = aim;
  return value >= atLeast && value <= atMost ? "met" : "missed";
};

/** A figure that stands by itself. */
export const absolute = (
  name: string,
  unit: string,
  samples: readonly number[],
  aim?: Figure["aim"],
): Figure => {
  const ours = median(samples);
  return {
    name,
    unit,
    ours,
    ...(aim === undefined ? {} : { aim }),
    verdict: judge(ours, aim),
    spread: spreadOf(samples),
  };
};

/** A figure against a peer of the same run; samples were taken in turns. */
export const compared = (
  name: string,
  unit: string,
  ours: readonly number[],
  peer: string,
  theirs: readonly number[],
  aim?: Figure["aim"],
): Figure => {
  const own = median(ours);
  const other = median(theirs);
  const ratio = own / other;
  return {
    name,
    unit,
    ours: own,
    peer,
    theirs: other,
    ratio,
    ...(aim === undefined ? {} : { aim }),
    verdict: judge(ratio, aim),
    spread: spreadOf(ours),
  };
};

const short = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 10_000) return value.toFixed(0);
  return value.toPrecision(4);
};

const aimText = (aim: Figure["aim"]): string => {
  if (aim === undefined) return "-";
  const parts = [
    ...(aim.atLeast === undefined ? [] : [`>= ${aim.atLeast}`]),
    ...(aim.atMost === undefined ? [] : [`<= ${aim.atMost}`]),
  ];
  return parts.join(", ");
};

const COLUMNS = [44, 12, 26, 8, 10, 0] as const;

const line = (cells: readonly string[]): string =>
  cells
    .map((cell, index) => cell.padEnd(COLUMNS[index] ?? 0))
    .join(" ")
    .trimEnd();

export const header = (): string => line(["name", "ours", "peer", "ratio", "aim", "verdict"]);

/** `datapath/throughput/10k  9.31 Gbit/s  no firewall 9.40  0.990  >= 0.97  met`. */
export const formatFigure = ({
  name,
  unit,
  ours,
  peer,
  theirs,
  ratio,
  aim,
  verdict,
}: Figure): string =>
  line([
    `${name} (${unit})`,
    short(ours),
    peer === undefined || theirs === undefined ? "-" : `${peer} ${short(theirs)}`,
    ratio === undefined ? "-" : ratio.toFixed(3),
    aimText(aim),
    verdict,
  ]);

/** Colours, and only where a person looks: none with NO_COLOR (no-color.org), TERM=dumb, or a pipe. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

export type Paint = (text: string) => string;

const paint =
  (open: number, close: number): Paint =>
  (text) =>
    text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`;

const COLOURED: Style = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  red: paint(31, 39),
  green: paint(32, 39),
  yellow: paint(33, 39),
  cyan: paint(36, 39),
};

const same: Paint = (text) => text;
const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

export function styleFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const coloured =
    stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return coloured ? COLOURED : PLAIN;
}

export const plainStyle: Style = PLAIN;

const ESCAPE = String.fromCharCode(27);
const PAINTED = new RegExp(`${ESCAPE}\\[\\d+m`, "g");

/** Columns a text takes on a terminal. */
export function widthOf(text: string): number {
  return [...text.replaceAll(PAINTED, "")].length;
}

const DANGEROUS = new RegExp(
  `(${ESCAPE}\\[\\d+m)|([\\n\\t])|[\\p{Cc}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]`,
  "gu",
);

/** Names and messages come from outside: what could move the cursor or rename the window is made visible instead. */
export function harmless(text: string): string {
  return text.replaceAll(
    DANGEROUS,
    (all: string, painted: string | undefined, space: string | undefined) =>
      painted === undefined && space === undefined ? "�" : all,
  );
}

/** The matrix as a document: one table for each driver, a row for attachment and verdict, a column for family and protocol. */
import { ATTACHMENTS, FAMILIES, PROTOCOLS, VERDICTS } from "./matrix.ts";
import type { FilledCell } from "./matrix.ts";

/** Stands where the other end is no process, whatever is sent: an echo, or SCTP on a kernel without it. */
export const NO_SUCH_END = "no process";

const COLUMNS = FAMILIES.flatMap((family) => PROTOCOLS.map((protocol) => ({ family, protocol })));

/** Whatever an answer came to has arrived, as the cell's being right says. */
const told = ({ seen, right }: FilledCell): string =>
  right ? seen.replace(", arrived", "") : `WRONG: ${seen}`;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const table = (cells: readonly FilledCell[]): string[] => [
  line([
    "decided at",
    "attachment",
    "verdict",
    ...COLUMNS.map(({ family, protocol }) => `IPv${family} ${protocol}`),
  ]),
  line(["---", "---", "---", ...COLUMNS.map(() => "---")]),
  ...ATTACHMENTS.flatMap((attachment) =>
    VERDICTS.map((verdict) =>
      line([
        attachment.direction,
        attachment.name,
        verdict,
        ...COLUMNS.map(({ family, protocol }) => {
          if (!attachment.protocols.includes(protocol)) return NO_SUCH_END;
          const cell = cells.find(
            (one) =>
              one.attachment === attachment &&
              one.verdict === verdict &&
              one.family === family &&
              one.protocol === protocol,
          );
          return cell === undefined ? "" : told(cell);
        }),
      ]),
    ),
  ),
];

export const matrixDocument = (
  found: readonly { readonly driver: string; readonly cells: readonly FilledCell[] }[],
  kernel: string,
): string =>
  [
    "# What each driver does, cell by cell",
    "",
    "Written by `make matrix`, which sends one real packet for each cell and looks at both ends; the tests run the same cells",
    "(`apps/agent/test/drivers/matrix.kernel.test.ts`). A cell says what the source saw: `passed`, the packet arrived and an answer came;",
    "`silent`, nothing came; else the error that the source was given, and then the packet did not arrive. What is audited passes, and is",
    "counted. Around each cell the opposite is permitted, so that none is right by a default.",
    `\`${NO_SUCH_END}\`: what receives this is the machine itself, and no process of it. Linux ${kernel}.`,
    ...found.flatMap(({ driver, cells }) => ["", `## ${driver}`, "", ...table(cells)]),
    "",
  ].join("\n");

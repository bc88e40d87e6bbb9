/** Exposures as text: netpol-analyzer's sections, Markdown, and JSON that holds everything. */
import { formatPorts, isEmptyPorts } from "@bulkhead/model";
import { connectionText } from "./connection-text.ts";
import type { Exposure, Exposures } from "./exposure.ts";
import { markdownHead, markdownLine } from "./pair-formats.ts";
import { portNamesText } from "./ports-by-name.ts";

export const EXPOSURE_FORMATS = ["txt", "json", "md"] as const;
export type ExposureFormat = (typeof EXPOSURE_FORMATS)[number];

/** What `exposure -o json` prints. */
export interface ExposureAnswer {
  readonly exposures: readonly {
    readonly workload: string;
    readonly direction: "egress" | "ingress";
    readonly peer: string;
    /** In netpol-analyzer's words, TCP, UDP and SCTP alone. */
    readonly conn: string;
    /** All that has a number; `none` where others may, and these may not. */
    readonly ports: string;
    /** `TCP http`: allowed by its name besides, and denied by its name whatever `ports` says. */
    readonly named?: string;
    readonly except?: string;
  }[];
  readonly unprotected: Exposures["unprotected"];
}

type Write = (found: Exposures) => string;

export const exposureFormats: Readonly<Record<ExposureFormat, Write>> = { txt, json, md };

const SECTIONS = [
  ["egress", "Egress", "=>"],
  ["ingress", "Ingress", "<="],
] as const;

function txt({ exposures, unprotected }: Exposures): string {
  const width = Math.max(0, ...exposures.map(({ workload }) => workload.length));
  const sections = SECTIONS.flatMap(([direction, title, arrow]) => {
    const lines = exposures
      .filter((one) => one.direction === direction)
      .map((one) => `${one.workload.padEnd(width)} \t${arrow} \t${one.peer} : ${text(one)}\n`);
    return lines.length === 0 ? [] : [`${title} Exposure:\n${lines.join("")}`];
  });
  const open = unprotected.map(
    ({ workload, direction }) => `${workload} is not protected on ${titled(direction)}\n`,
  );
  const more =
    open.length === 0 ? "" : `\nWorkloads not protected by network policies:\n${open.join("")}`;
  return `Exposure Analysis Result:\n${sections.join("\n")}${more}`;
}

function md({ exposures, unprotected }: Exposures): string {
  const sections = SECTIONS.map(([direction, title]) => {
    const columns = direction === "egress" ? ["src", "dst", "conn"] : ["dst", "src", "conn"];
    const rows = exposures
      .filter((one) => one.direction === direction)
      .map((one) => markdownLine([one.workload, one.peer, text(one)]));
    return `### ${title} Exposure:\n${markdownHead(columns)}${rows.join("")}`;
  });
  const open = unprotected.map(({ workload, direction }) =>
    markdownLine([workload, titled(direction)]),
  );
  const more =
    open.length === 0
      ? ""
      : `\n### Workloads not protected by network policies:\n${markdownHead(["workload", "direction"])}${open.join("")}`;
  return `## Exposure Analysis Result:\n${sections.join("\n")}${more}`;
}

function json(found: Exposures): string {
  return `${JSON.stringify(exposureAnswer(found), undefined, 2)}\n`;
}

export function exposureAnswer({ exposures, unprotected }: Exposures): ExposureAnswer {
  return {
    exposures: exposures.map((one) => ({
      workload: one.workload,
      direction: one.direction,
      peer: one.peer,
      conn: text(one),
      ports: formatPorts(one.ports),
      ...(isSome(one.named) ? { named: portNamesText(one.named) } : {}),
      ...(isSome(one.except) ? { except: portNamesText(one.except) } : {}),
    })),
    unprotected,
  };
}

/** `TCP 80`, `TCP http`, `TCP 80,TCP http`, `All Connections except TCP http`. */
function text({ ports, named, except }: Exposure): string {
  const names = isSome(named) ? [portNamesText(named)] : [];
  const numbers = isEmptyPorts(ports) && names.length > 0 ? [] : [connectionText(ports)];
  return (
    [...numbers, ...names].join(",") + (isSome(except) ? ` except ${portNamesText(except)}` : "")
  );
}

function isSome<T>(all: readonly T[] | undefined): all is readonly T[] {
  return all !== undefined && all.length > 0;
}

function titled(direction: Exposure["direction"]): string {
  return direction === "egress" ? "Egress" : "Ingress";
}

/** What a verb has of its surroundings: streams, environment, clock, where the state is, and how answers are to look. */
import type { ApiClient } from "@bulkhead/api";
import type { Reader } from "./closed-pipe.ts";
import { badInput } from "./failure.ts";
import { orInterrupted } from "./interruption.ts";
import { shellWord } from "./ui/shell.ts";
import { styleFor } from "./ui/style.ts";
import type { Ui } from "./ui/ui.ts";

/** `human` is what verbs print unless asked otherwise; `table` is the same, said aloud. */
export type Format = "human" | "wide" | "json" | "yaml";

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** False: what was written waits to be taken. */
  write(text: string): unknown;
  /** Tells when nobody reads it any more, where that can be told. */
  readonly watchReader?: () => Promise<Reader | undefined>;
  /** Of a pipe: tells when everything has been taken. */
  once?(event: "drain", listener: () => void): unknown;
}

export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Context extends Surroundings {
  readonly state: string;
  readonly format: Format;
  readonly ui: Ui;
  /** The line a person may type next, `bulkhead` and all, behind a leading `sudo `; where `--state` was given it is repeated. */
  hint(command: string): string;
  client(): Promise<ApiClient>;
}

export interface CommonOptions {
  readonly output?: string;
  readonly state?: string;
}

export const DEFAULT_STATE = "/var/lib/bulkhead";
/** What every verb knows. */
export const FORMATS = ["json", "yaml", "table", "wide"] as const;
/** Of `observe`: single flows as lines, as blocks, and in Hubble's JSON. */
export const FLOW_FORMATS = ["compact", "dict", "jsonpb"] as const;
/** Of `map`. */
export const MAP_FORMATS = ["text", "dot", "svg", "mermaid"] as const;

/** Of verbs over a folder. */
export const DIFF_FORMATS = ["txt", "json", "csv", "md", "dot"] as const;
export const EXPOSURE_FORMATS = ["txt", "json", "md"] as const;
export const LIST_FORMATS = [...DIFF_FORMATS, "svg"] as const;

/** Of verbs that find something in files: for people, programs, code scanning, annotations, test reports, pull requests. */
export const FINDING_FORMATS = ["text", "json", "sarif", "github", "junit", "md"] as const;

/** Of `convert`: what can be applied. */
export const MANIFEST_FORMATS = ["yaml", "json"] as const;

/** Of `suggest`: the text of a pull request. */
export const SUGGEST_FORMATS = ["markdown"] as const;

/** Of `test`. */
export const TEST_FORMATS = ["text", "junit"] as const;

/** Of `prove`, and of `blast`. */
export const PROOF_FORMATS = ["txt", "json", "yaml"] as const;
export const BLAST_FORMATS = [...PROOF_FORMATS, "dot"] as const;

const KINDS: Readonly<Record<string, Format>> = {
  json: "json",
  jsonpb: "json",
  yaml: "yaml",
  wide: "wide",
};
/** A terminal that does not tell its width. Files and pipes have none, and get names whole. */
const COLUMNS = 120;

/** `formats`: those of the verb. */
export function createContext(
  around: Surroundings,
  options: CommonOptions,
  formats: readonly string[] = FORMATS,
): Context {
  const format = formatOf(options.output, formats);
  const state = stateOf(options, around.env);
  const unasked = around.stdout.isTTY === true ? COLUMNS : Number.POSITIVE_INFINITY;
  const columns = around.stdout.columns || Number(around.env["COLUMNS"]) || unasked;
  return {
    ...around,
    state,
    format,
    ui: {
      style: styleFor(around.stdout, around.env),
      columns,
      wide: format === "wide",
      now: around.now(),
    },
    hint(command) {
      const program =
        options.state === undefined ? "bulkhead" : `bulkhead --state ${shellWord(options.state)}`;
      const sudo = /^sudo /.exec(command)?.[0] ?? "";
      // Also behind a pipe.
      const line = `bulkhead ${command.slice(sudo.length)}`.replaceAll(
        /(^|\| )bulkhead /g,
        (_, before) => `${before}${program} `,
      );
      return sudo + line;
    },
    async client() {
      const [{ createApiClient }, { socketOf }] = await Promise.all([
        import("@bulkhead/api"),
        import("./process/socket.ts"),
      ]);
      const client = createApiClient({ socketPath: socketOf(state) });
      return {
        ...client,
        call: (route, request, given) =>
          orInterrupted(around.signal, client.call(route, request, given)),
      };
    },
  };
}

export function stateOf(
  options: CommonOptions,
  env: Readonly<Record<string, string | undefined>>,
): string {
  return options.state ?? (env["BULKHEAD_STATE"] || DEFAULT_STATE);
}

/** A format that is some verb's own is for people, if it is not JSON: the verb knows it by name. */
function formatOf(text: string | undefined, formats: readonly string[]): Format {
  if (text === undefined) return "human";
  if (!formats.includes(text)) {
    throw badInput(`unknown output format \`${text}\``, `use one of ${formats.join(", ")}`);
  }
  return KINDS[text] ?? "human";
}

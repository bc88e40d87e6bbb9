/** Calls the command line in this process, with captured streams and a fixed clock. */
import { runCli } from "../src/run.ts";

export const NOW = Date.UTC(2026, 2, 31, 17, 0, 0);

export interface Called {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly state?: string;
  readonly stdin?: string | Promise<string>;
  readonly signal?: AbortSignal;
  /** `none`: a file or a pipe. */
  readonly columns?: number | "none";
  readonly tty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export async function call(args: readonly string[], options: CallOptions = {}): Promise<Called> {
  let stdout = "";
  let stderr = "";
  const tty = options.tty === true ? { isTTY: true } : {};
  const width = options.columns === "none" ? {} : { columns: options.columns ?? 120 };
  const code = await runCli(args, {
    stdout: { ...tty, ...width, write: (text) => (stdout += text) },
    stderr: { ...tty, write: (text) => (stderr += text) },
    stdin: inputOf(options.stdin ?? ""),
    env: {
      ...(options.state === undefined ? {} : { BULKHEAD_STATE: options.state }),
      ...options.env,
    },
    now: () => NOW,
    signal: options.signal ?? new AbortController().signal,
  });
  return { code, stdout, stderr };
}

async function* inputOf(text: string | Promise<string>): AsyncGenerator<string> {
  yield await text;
}

/** Running a command to its end: its output, or an error that quotes what it said on stderr. */
import { spawn } from "node:child_process";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Runs and reports; a non-zero exit is a result, not an error. */
export function tryRun(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [program, ...args] = command;
  if (program === undefined) return Promise.reject(new Error("an empty command"));
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      // Its own process group: Ctrl-C at a terminal is for us, who then end things in order.
      detached: true,
      timeout: options.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
      cwd: options.cwd,
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => undefined); // the command need not read its input; its exit code tells
    child.on("error", reject);
    child.on("close", (code, killedBy) => {
      if (killedBy !== null)
        stderr += `${program}: ended by ${killedBy} (time limit ${options.timeoutMs ?? 30_000} ms)\n`;
      resolve({ code: code ?? 128, stdout, stderr });
    });
    child.stdin.end(options.input ?? "");
  });
}

/** Runs and expects success; gives stdout. */
export async function run(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryRun(command, options);
  if (result.code !== 0) {
    throw new Error(
      `\`${command.join(" ")}\` failed (${result.code}): ${result.stderr.trim() || result.stdout.trim()}`,
    );
  }
  return result.stdout;
}

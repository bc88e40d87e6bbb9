/** Runs the agent once, for something that is over at once, and hands back what it answered and what it complained of. */
import { spawn } from "node:child_process";
import { cannotRun } from "../failure.ts";
import { compileCache, nodeFlags, programs } from "./layout.ts";
import { wordsOf } from "./last-words.ts";

export interface RanAgent {
  readonly code: number | null;
  /** The object it printed that has the key asked for. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;
  /** Warnings and errors, each once. */
  readonly words: readonly string[];
}

const PATIENCE_MS = 60_000;

export function runAgent(
  state: string,
  task: "--restore" | "--self-test" | "--measure-latency",
  key: string,
): Promise<RanAgent> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeFlags, programs.agent, task, "--state", state], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: "/",
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("error", (error) =>
      reject(cannotRun(`cannot run \`${process.execPath}\`: ${error.message}`)),
    );
    child.once("close", (code) => {
      const lines = said.split("\n");
      const answer = lines.map((line) => objectWith(line, key)).find((one) => one !== undefined);
      resolve({ code, answer, words: [...new Set(lines.flatMap(wordsIn))] });
    });
  });

  function wordsIn(line: string): readonly string[] {
    return objectWith(line, key) === undefined ? wordsOf(line) : [];
  }
}

function objectWith(line: string, key: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as Readonly<Record<string, unknown>>;
    return key in value ? value : undefined;
  } catch {
    return undefined; // cut short by the end of its writer
  }
}

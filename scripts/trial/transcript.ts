// What was typed and what came back, as Markdown. Nothing is written here that did not happen: outputs are those of the
// commands, only cut where it is said, and a command that ends otherwise than expected ends the trial.
import { stripVTControlCharacters } from "node:util";
import type { Machine } from "../../test/machine/machine.ts";

export interface Shown {
  /** Lines to keep from the start; the rest is told by a line with an ellipsis. */
  readonly head?: number;
  /** Only lines that match. */
  readonly only?: RegExp;
  /** What the command must end with; 0 unless told. */
  readonly code?: number;
  /** Run, but not shown. */
  readonly silent?: boolean;
}

export class Transcript {
  readonly #parts: string[] = [];
  readonly #machine: Machine;
  readonly #reader: string;

  constructor(machine: Machine, reader: string) {
    this.#machine = machine;
    this.#reader = reader;
  }

  say(text: string): void {
    this.#parts.push(text.trim());
    process.stderr.write(`\n${text.trim()}\n`);
  }

  /** As root. */
  root(command: string, shown: Shown = {}): Promise<string> {
    return this.#type("#", command, shown, ["sh", "-c", `cd /root; ${command}`]);
  }

  /** As a user who is in the group bulkhead and may do nothing else. */
  user(command: string, shown: Shown = {}): Promise<string> {
    const there = `cd /home/${this.#reader}; ${command}`;
    return this.#type("$", command, shown, [
      "runuser",
      "-u",
      this.#reader,
      "--",
      "sh",
      "-c",
      there,
    ]);
  }

  async #type(
    prompt: string,
    command: string,
    { head, only, code: expected = 0, silent }: Shown,
    words: readonly string[],
  ): Promise<string> {
    const { code, stdout, stderr } = await this.#machine.run(...words);
    const said = onScreen(stdout + stderr);
    if (code !== expected)
      throw new Error(`\`${command}\` ended with ${code}, not ${expected}:\n${stdout}${stderr}`);
    if (silent === true) return stdout;
    const all = said.split("\n").filter((line) => only === undefined || only.test(line));
    const lines = head === undefined || all.length <= head ? all : [...all.slice(0, head), "…"];
    const text = `${prompt} ${command}\n${lines.join("\n")}`.trimEnd();
    this.#parts.push(`\`\`\`\n${text}\n\`\`\``);
    process.stderr.write(`\n${text}\n`);
    return stdout;
  }

  get text(): string {
    return `${this.#parts.join("\n\n")}\n`;
  }
}

/** What a terminal shows in the end: progress is overwritten. */
const onScreen = (text: string): string =>
  text
    .split("\n")
    .map((line) => stripVTControlCharacters(line.slice(line.lastIndexOf("\r") + 1)))
    .filter((line) => !/^[a-z ]+ …/.test(line))
    .join("\n")
    .trimEnd();

// What was typed and what came back, as Markdown. Nothing is written here that did not happen: outputs are those of the
// commands, only cut where it is said, and a command that ends otherwise than expected ends the trial.
import { stripVTControlCharacters } from "node:util";
import type { Machine, Ran } from "../../test/machine/machine.ts";

export interface Shown {
  /** Only lines that match; what is between them is told by an ellipsis. */
  readonly only?: RegExp;
  /** What the command must end with; 0 unless told. */
  readonly code?: number;
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
    const ran = this.#machine.run("sh", "-c", `cd /root; ${command}`);
    return this.#type("#", command, shown, ran);
  }

  /** As a user who is in the group bulkhead and may do nothing else. */
  user(command: string, shown: Shown = {}): Promise<string> {
    const there = `cd /home/${this.#reader}; ${command}`;
    const ran = this.#machine.run("runuser", "-u", this.#reader, "--", "sh", "-c", there);
    return this.#type("$", command, shown, ran);
  }

  /** On another machine of its network. */
  outside(command: string, shown: Shown = {}): Promise<string> {
    return this.#type("outside$", command, shown, this.#machine.outside("sh", "-c", command));
  }

  async #type(
    prompt: string,
    command: string,
    { only, code: expected = 0 }: Shown,
    ran: Promise<Ran>,
  ): Promise<string> {
    const { code, stdout, stderr } = await ran;
    const said = onScreen(stdout + stderr);
    if (code !== expected)
      throw new Error(`\`${command}\` ended with ${code}, not ${expected}:\n${stdout}${stderr}`);
    const all = said.split("\n");
    const kept = all.map((line) => (only === undefined || only.test(line) ? line : "…"));
    const lines = kept.filter((line, index) => line !== "…" || kept[index - 1] !== "…");
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
    .map((line) => line.replace(/\r$/, ""))
    .map((line) => stripVTControlCharacters(line.slice(line.lastIndexOf("\r") + 1)))
    .filter((line) => !/^[a-z0-9 ]+ …/.test(line))
    .join("\n")
    .trimEnd();

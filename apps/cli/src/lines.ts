/** Text that comes in pieces, line by line, and lines that go out no faster than somebody takes them. */
import { createReadStream } from "node:fs";
import type { Output } from "./context.ts";
import { badInput } from "./failure.ts";

/** What is longer is cut off there: no line of ours is, and whoever reads it says that it makes no sense. */
const LONGEST = 1_000_000;

/** Larger pieces are fewer rounds. */
const PIECE = 262_144;

export async function* linesOf(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  for await (const lines of lineBatchesOf(source)) yield* lines;
}

/** As many lines as each piece ends: waiting once for all of them is much quicker. */
export async function* lineBatchesOf(
  source: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    lines[0] = rest + lines[0]!;
    rest = (lines.pop() ?? "").slice(0, LONGEST);
    if (lines.length > 0) yield lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield [rest];
}

/** Waits while the other side of the pipe has not read what was written. */
export async function writeOut(output: Output, text: string): Promise<void> {
  if (output.write(text) !== false || output.once === undefined) return;
  await new Promise<void>((resolve) => output.once?.("drain", resolve));
}

/** A file, piece by piece. */
export function readable(file: string): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* createReadStream(file, { highWaterMark: PIECE });
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        if (typeof code !== "string") throw error;
        const reason = code === "ENOENT" ? "no such file" : code;
        throw badInput(`cannot read \`${file}\`: ${reason}`);
      }
    },
  };
}

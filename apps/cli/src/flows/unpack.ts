/**
 * What gzip or zstd packed, unpacked as it comes. Which it is its first bytes tell. What breaks off or unpacks to far more
 * than any log does is told, and what came before it is kept.
 */
import { Readable, pipeline } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { badInput } from "../failure.ts";

/** Beyond so much, more than so many times what was packed is no log. */
const BOMB_BYTES = 1 << 28;
const BOMB_RATIO = 300;
/** Frames of zstd that hold nothing: each takes far longer to open than its few bytes are worth, and a log has few. */
const MOST_EMPTY = 1000;

interface Packing {
  readonly name: string;
  readonly magic: readonly number[];
  /** All of it, however many packed files lie behind one another. */
  readonly unpacked: (packed: AsyncIterable<Uint8Array>) => AsyncIterable<unknown>;
}

const PACKINGS: readonly Packing[] = [
  {
    name: "gzip",
    magic: [0x1f, 0x8b],
    // The error reaches whoever reads the other end.
    unpacked: (packed) => pipeline(Readable.from(packed), createGunzip(), () => undefined),
  },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], unpacked: frames },
];

export interface Unpacked {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** How unpacking ended before its time, if it did. */
  readonly broken: () => string | undefined;
}

/** `first`: the beginning of `rest`, which goes on behind it. */
export function unpack(first: Uint8Array, rest: AsyncIterable<Uint8Array>, file: string): Unpacked {
  const packing = PACKINGS.find(({ magic }) => magic.every((byte, at) => first[at] === byte));
  const whole = joined(first, rest);
  if (packing === undefined) return { bytes: whole, broken: () => undefined };
  let broken: string | undefined;
  return {
    bytes: (async function* () {
      let packed = 0;
      let plain = 0;
      let empty = 0;
      const counted = (async function* () {
        for await (const chunk of whole) {
          packed += chunk.length;
          yield chunk;
        }
      })();
      try {
        for await (const chunk of packing.unpacked(counted)) {
          const bytes = chunk as Uint8Array;
          plain += bytes.length;
          if (bytes.length === 0) {
            empty += 1;
            if (empty <= MOST_EMPTY) continue;
            throw badInput(
              `\`${file}\` has more than ${MOST_EMPTY} frames with nothing in them, which no log has`,
              `unpack it and look, if it is meant: ${packing.name} -d`,
            );
          }
          if (plain > BOMB_BYTES && plain > packed * BOMB_RATIO) {
            throw badInput(
              `\`${file}\` unpacks to more than ${BOMB_RATIO} times its size, which no log does`,
              `unpack it and look, if it is meant: ${packing.name} -d`,
            );
          }
          yield bytes;
        }
      } catch (error) {
        if (!isCodec(error)) throw error;
        broken = `${packing.name} ${isEarly(error) ? "ends too early" : "is damaged, so that some of what was read may be wrong"}`;
      }
    })(),
    broken: () => broken,
  };
}

/** Node's stream of zstd ends with the first frame and says nothing of those behind it: each gets a stream of its own. */
async function* frames(packed: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const pieces = packed[Symbol.asyncIterator]();
  let rest: Uint8Array | undefined;
  const refill = async (): Promise<boolean> => {
    const { value, done } = rest === undefined ? await pieces.next() : { value: rest, done: false };
    rest = done === true ? undefined : (value as Uint8Array);
    return rest !== undefined;
  };
  try {
    while (await refill()) {
      const frame = createZstdDecompress();
      let giveUp = (): void => undefined;
      frame.once("close", () => giveUp());
      const fed = (async () => {
        while (await refill()) {
          const piece = rest ?? new Uint8Array();
          const before = frame.bytesWritten;
          const isTaken = await new Promise<boolean>((resolve) => {
            giveUp = () => resolve(false);
            if (frame.closed) giveUp();
            else frame.write(piece, (error) => resolve(!error));
          });
          const left = piece.subarray(frame.bytesWritten - before);
          rest = left.length === 0 ? undefined : left;
          if (!isTaken) return;
        }
        frame.end();
      })();
      try {
        let isEmpty = true;
        for await (const piece of frame) {
          isEmpty = false;
          yield piece;
        }
        // Told, so that somebody counts them.
        if (isEmpty) yield new Uint8Array();
      } finally {
        frame.destroy();
        await fed;
      }
    }
  } finally {
    await pieces.return?.();
  }
}

/** Of zlib's own; what could not be read has the codes of the system. */
function isCodec(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_ZLIB_INITIALIZATION_FAILED"
  );
}

/** What came before an early end is right; before damage shows, what is damaged may have been read as something else. */
const isEarly = (error: unknown): boolean => codeOf(error) === "Z_BUF_ERROR";

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

async function* joined(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  yield* rest;
}

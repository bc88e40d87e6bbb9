/**
 * Objects of a JSON file that come in pieces: one a line, written over many lines, in one array, or in the list `records`
 * of one object, as clouds deliver them. Only the object that is being read is held.
 */
import { quoteOf } from "./values.ts";

/** One record of Azure's holds the flows of a minute. */
const LONGEST_RECORD = 16 * 1_048_576;

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, NEWLINE, COMMA] = [
  34, 92, 123, 125, 91, 93, 10, 44,
] as const;
const WRAPPER = /^\{\s*"records"\s*:\s*$/;

export interface RecordTaker {
  /** The text of one object. */
  record(text: string): void;
  malformed(problem: string, quote: string): void;
}

export interface JsonRecords {
  push(bytes: Uint8Array): void;
  end(): void;
  /** Of the record being read, from 1. */
  readonly place: number;
}

export function createJsonRecords(taker: RecordTaker, longest = LONGEST_RECORD): JsonRecords {
  const decoder = new TextDecoder();
  let held: Uint8Array = new Uint8Array(0);
  let length = 0;
  let place = 0;
  let depth = 0;
  /** Depth at which records lie: 1 in a list, 2 in a list in an object. */
  let base = 0;
  let inRecord = false;
  let inText = false;
  let isEscaped = false;
  let isTooLong = false;
  let isFirstOfLine = true;
  /** What is neither a record nor between records, until the end of its line. */
  let noise = "";

  function keep(bytes: Uint8Array, from: number, to: number): void {
    if (isTooLong || to <= from) return;
    const wanted = length + to - from;
    if (wanted > longest) {
      isTooLong = true;
      return;
    }
    if (wanted > held.length) {
      const larger = new Uint8Array(Math.min(longest, Math.max(4096, wanted * 2)));
      larger.set(held.subarray(0, length));
      held = larger;
    }
    held.set(bytes.subarray(from, to), length);
    length = wanted;
  }

  const heldText = (most = length): string =>
    decoder.decode(held.subarray(0, Math.min(length, most)));

  function drop(problem: string): void {
    taker.malformed(problem, quoteOf(heldText(512)));
    begin(false);
    depth = base;
  }

  function begin(isRecord: boolean): void {
    inRecord = isRecord;
    inText = false;
    isEscaped = false;
    isTooLong = false;
    length = 0;
    if (isRecord) place += 1;
  }

  function finish(): void {
    if (isTooLong) taker.malformed("longer than any record", quoteOf(heldText(512)));
    else taker.record(heldText());
    begin(false);
  }

  function tellNoise(): void {
    if (noise === "") return;
    place += 1;
    taker.malformed("not JSON", quoteOf(noise));
    noise = "";
  }

  /** Between records: which byte begins what. */
  function between(byte: number): void {
    if (byte === OPEN && noise === "") {
      begin(true);
      depth += 1;
      return;
    }
    if (byte === NEWLINE) return tellNoise();
    if (byte <= 32 || byte === COMMA || noise.length > 200) return;
    if (byte === OPEN_LIST && depth === 0 && noise === "") {
      base = 1;
      depth = 1;
    } else if ((byte === CLOSE_LIST || byte === CLOSE) && depth > 0 && noise === "") {
      depth -= 1;
      base = depth;
    } else {
      noise += String.fromCharCode(byte);
    }
  }

  return {
    get place() {
      return place;
    },
    push(bytes) {
      let from = 0;
      for (let at = 0; at < bytes.length; at += 1) {
        const byte = bytes[at]!;
        if (!inRecord) {
          between(byte);
          from = at;
        } else if (inText) {
          if (isEscaped) isEscaped = false;
          else if (byte === BACKSLASH) isEscaped = true;
          else if (byte === QUOTE) inText = false;
          else if (byte === NEWLINE) {
            keep(bytes, from, at);
            drop("a text that does not end");
          }
        } else if (byte === QUOTE) {
          inText = true;
        } else if (byte === OPEN || byte === OPEN_LIST) {
          if (byte === OPEN && base === 0 && isFirstOfLine) {
            // Nothing inside an object begins a line: the one before was broken off.
            keep(bytes, from, at);
            drop("broken off");
            between(byte);
            from = at;
          } else {
            if (byte === OPEN_LIST && base === 0 && depth === 1) {
              keep(bytes, from, at);
              from = at;
              if (length < 200 && WRAPPER.test(heldText())) {
                begin(false);
                place -= 1;
                base = 2;
              }
            }
            depth += 1;
          }
        } else if (byte === CLOSE || byte === CLOSE_LIST) {
          depth -= 1;
          if (depth <= base) {
            keep(bytes, from, at + 1);
            depth = base;
            finish();
          }
        }
        isFirstOfLine = byte === NEWLINE;
      }
      if (inRecord) keep(bytes, from, bytes.length);
    },
    end() {
      if (inRecord) drop("broken off");
      tellNoise();
    },
  };
}

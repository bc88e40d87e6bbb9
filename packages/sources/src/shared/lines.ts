/**
 * Lines of bytes that come in pieces, cut anywhere. A line that lies whole in a piece is handed out where it lies; only one
 * that is cut is copied. What is longer than any record can be is passed over and told.
 */

/** No record of any format is longer; more is another kind of file. */
export const LONGEST_LINE = 1_048_576;

const NEWLINE = 10;
const RETURN = 13;

export interface Lines {
  push(bytes: Uint8Array): void;
  end(): void;
  /** Of the line that is being read, or was read last; from 1. */
  readonly place: number;
}

export interface LineTaker {
  /** `bytes[from..to)`, without its end of line; valid only during the call. Never empty. */
  line(bytes: Uint8Array, from: number, to: number): void;
  tooLong(beginning: Uint8Array): void;
}

export function createLines(taker: LineTaker): Lines {
  let rest: Uint8Array = new Uint8Array(0);
  let length = 0;
  let isTooLong = false;
  let place = 0;

  function keep(bytes: Uint8Array, from: number, to: number): void {
    const wanted = length + to - from;
    if (isTooLong) return;
    if (wanted > LONGEST_LINE) {
      isTooLong = true;
      const beginning = length > 0 ? rest.subarray(0, length) : bytes.subarray(from, to);
      rest = beginning.slice(0, 512);
      length = rest.length;
      return;
    }
    if (wanted > rest.length) {
      const larger = new Uint8Array(Math.min(LONGEST_LINE, Math.max(4096, wanted * 2)));
      larger.set(rest.subarray(0, length));
      rest = larger;
    }
    rest.set(bytes.subarray(from, to), length);
    length = wanted;
  }

  function hand(bytes: Uint8Array, from: number, to: number): void {
    const end = to > from && bytes[to - 1] === RETURN ? to - 1 : to;
    if (end > from) taker.line(bytes, from, end);
  }

  function finish(): void {
    if (isTooLong) taker.tooLong(rest.subarray(0, length));
    else hand(rest, 0, length);
    isTooLong = false;
    length = 0;
  }

  return {
    get place() {
      return place;
    },
    push(bytes) {
      let from = 0;
      for (;;) {
        const at = bytes.indexOf(NEWLINE, from);
        if (at < 0) break;
        place += 1;
        if (length > 0 || isTooLong) {
          keep(bytes, from, at);
          finish();
        } else if (at - from > LONGEST_LINE) {
          taker.tooLong(bytes.subarray(from, from + 512));
        } else {
          hand(bytes, from, at);
        }
        from = at + 1;
      }
      if (from < bytes.length) keep(bytes, from, bytes.length);
    },
    end() {
      if (length === 0 && !isTooLong) return;
      place += 1;
      finish();
    },
  };
}

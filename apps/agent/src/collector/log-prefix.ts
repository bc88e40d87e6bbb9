/**
 * Reads the datapath's log prefix (`bh1 D e 0123abcd`, optionally ` r` for a reply, ` n` for a translated destination, ` l` for an arrival over loopback) from bytes, without making
 * strings.
 * The text form and its meaning belong to `@bulkhead/datapath`; a test holds both readers equal.
 */
import type { FlowVerdict } from "@bulkhead/model";

/** Verdicts by the number they have in the flow table. */
export const VERDICTS: readonly FlowVerdict[] = [
  "forwarded",
  "dropped",
  "rejected",
  "audit",
  "spoofed",
  "error",
];
export const FORWARDED = 0;
export const SPOOFED = 4;
/** Not a verdict: the message says whose socket is at an end, and `cookie` is that process's handle. */
export const PROCESS_NOTE = 7;

export interface PrefixFields {
  /** Index into `VERDICTS`, or `PROCESS_NOTE`. */
  verdict: number;
  /** 0 none, 1 egress, 2 ingress. */
  direction: number;
  cookie: number;
  /** The packet travels in the reply direction of its connection. */
  reply: boolean;
  translated: boolean;
  /** Where a connection over loopback arrives. */
  arrival: boolean;
}

export function emptyPrefixFields(): PrefixFields {
  return { verdict: 0, direction: 0, cookie: 0, reply: false, translated: false, arrival: false };
}

const SPACE = 0x20;

/** `[start, end)` may end in NUL bytes. False when the text is not ours. */
export function parsePrefixBytes(
  view: DataView,
  start: number,
  end: number,
  out: PrefixFields,
): boolean {
  // 'bh1 ' as one word, then single characters at fixed places.
  if (end - start < 16 || view.getUint32(start) !== 0x62683120) return false;
  switch (view.getUint8(start + 4)) {
    case 0x46: // F
      out.verdict = 0;
      break;
    case 0x44: // D
      out.verdict = 1;
      break;
    case 0x52: // R
      out.verdict = 2;
      break;
    case 0x41: // A
      out.verdict = 3;
      break;
    case 0x53: // S
      out.verdict = 4;
      break;
    case 0x50: // P
      out.verdict = PROCESS_NOTE;
      break;
    default:
      return false;
  }
  if (view.getUint8(start + 5) !== SPACE || view.getUint8(start + 7) !== SPACE) return false;
  switch (view.getUint8(start + 6)) {
    case 0x2d: // -
      out.direction = 0;
      break;
    case 0x65: // e
      out.direction = 1;
      break;
    case 0x69: // i
      out.direction = 2;
      break;
    default:
      return false;
  }
  let cookie = 0;
  for (let at = start + 8; at < start + 16; at++) {
    const digit = hexDigit(view.getUint8(at));
    if (digit < 0) return false;
    cookie = (cookie << 4) | digit;
  }
  out.cookie = cookie >>> 0;
  let marks = start + 16;
  out.reply = hasMark(view, marks, end, 0x72);
  if (out.reply) marks += 2;
  out.translated = hasMark(view, marks, end, 0x6e);
  if (out.translated) marks += 2;
  out.arrival = hasMark(view, marks, end, 0x6c);
  return true;
}

/** A space and this letter. */
function hasMark(view: DataView, at: number, end: number, letter: number): boolean {
  return end - at >= 2 && view.getUint8(at) === SPACE && view.getUint8(at + 1) === letter;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

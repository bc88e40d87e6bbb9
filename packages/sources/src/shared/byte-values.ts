/** Values that lie in a line of bytes, read where they lie: a text for each would cost more than all the rest of a record. */
const ZERO = 48;
const DOT = 46;

/** Are these the bytes from there on? `text` is ASCII. */
export function sameAs(text: string, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) !== bytes[from + at]) return false;
  }
  return true;
}

/** A whole number of at most 15 digits; -1: it is none. */
export function numberAt(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > 15) return -1;
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** A dotted quad as a number, or -1. */
export function quadAt(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > 15 || to - from < 7) return -1;
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at]!;
    if (byte === DOT) {
      if (digits === 0) return -1;
      value = value * 256 + octet;
      octet = 0;
      digits = 0;
      dots += 1;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return -1;
    octet = octet * 10 + digit;
    digits += 1;
    if (octet > 255) return -1;
  }
  return dots === 3 && digits > 0 ? value * 256 + octet : -1;
}

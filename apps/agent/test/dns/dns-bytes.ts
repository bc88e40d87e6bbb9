/** DNS messages by hand, for tests: names without compression unless it is written out. */

export type Part = readonly number[];

export const word = (value: number): Part => [(value >> 8) & 255, value & 255];
export const long = (value: number): Part => [...word(value >>> 16), ...word(value & 0xffff)];

export function wireName(name: string): Part {
  const labels = name
    .split(".")
    .filter((label) => label !== "")
    .flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return [...labels, 0];
}

/** Where a name was written before. */
export const pointer = (to: number): Part => word(0xc000 | to);
/** To the question's name. */
export const ASKED = pointer(12);

export const A = 1;
export const CNAME = 5;
export const AAAA = 28;

export interface Question {
  readonly name: string;
  readonly type?: number;
}

export function record(owner: Part, type: number, ttl: number, data: Part): Part {
  return [...owner, ...word(type), ...word(1), ...long(ttl), ...word(data.length), ...data];
}

export function message(
  { name, type = A }: Question,
  records: readonly Part[],
  { flags = 0x8180, questions = 1, answers = records.length } = {},
): Uint8Array {
  return Uint8Array.from([
    ...word(0x1234),
    ...word(flags),
    ...word(questions),
    ...word(answers),
    ...word(0),
    ...word(0),
    ...wireName(name),
    ...word(type),
    ...word(1),
    ...records.flat(),
  ]);
}

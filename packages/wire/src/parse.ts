/** Small parsers shared by both codecs: what protobuf leaves open (closed words, presence) is settled here, once. */

/** The other side sent something this version does not understand. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WireError";
  }
}

export function oneOf<T extends string | number>(
  allowed: readonly T[],
  value: string | number,
  field: string,
): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined)
    throw new WireError(`${field} is \`${value}\`, not one of ${allowed.join(", ")}`);
  return found;
}

export function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new WireError(`${field} is missing`);
  return value;
}

/** proto3's empty string as an absent property. */
export function optional<K extends string>(key: K, value: string): { readonly [P in K]?: string } {
  return value === "" ? {} : ({ [key]: value } as { readonly [P in K]?: string });
}

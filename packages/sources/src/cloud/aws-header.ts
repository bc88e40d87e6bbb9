/** Which fields the lines of an AWS flow log have, and in which order: by default, or as a header names them. */
const FIELDS = [
  "version",
  "account-id",
  "interface-id",
  "srcaddr",
  "dstaddr",
  "srcport",
  "dstport",
  "protocol",
  "packets",
  "bytes",
  "start",
  "end",
  "action",
  "log-status",
  "pkt-srcaddr",
  "pkt-dstaddr",
  "tcp-flags",
] as const;
export type AwsField = (typeof FIELDS)[number];
export const DEFAULT_FIELDS: readonly AwsField[] = FIELDS.slice(0, 14);
const NEEDED: readonly AwsField[] = ["protocol", "start"];

export interface AwsHeader {
  /** Undefined: a field that nobody reads. */
  readonly columns: readonly (AwsField | undefined)[];
  /** Why no line below it can be read. */
  readonly problem: string | undefined;
}

/** Undefined: the line is no header. */
export function readAwsHeader(text: string): AwsHeader | undefined {
  if (!isAwsHeader(text)) return undefined;
  const words = text.trim().split(/\s+/).map(fieldName);
  const columns = words.map((word) => FIELDS.find((field) => field === word));
  const has = (field: AwsField) => columns.includes(field);
  const missing = NEEDED.filter((field) => !has(field));
  if (!has("srcaddr") && !has("pkt-srcaddr")) missing.push("srcaddr");
  if (!has("dstaddr") && !has("pkt-dstaddr")) missing.push("dstaddr");
  const problem =
    missing.length === 0 ? undefined : `the header names no \`${missing.join("`, `")}\``;
  return { columns, problem };
}

export function isAwsHeader(line: string): boolean {
  const words = line.split(/\s+/).map(fieldName);
  return words.includes("srcaddr") || (words.includes("pkt-srcaddr") && words.includes("start"));
}

/** `${srcaddr}` and `SrcAddr`, as formats of flow logs are written, too. */
function fieldName(word: string): string {
  return word.replaceAll(/[${}]/g, "").replaceAll("_", "-").toLowerCase();
}

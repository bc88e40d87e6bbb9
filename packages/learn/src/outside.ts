/**
 * What stands for an outside address in a rule: the metadata service, a prefix that a person said, the name that DNS gave
 * for it, or the address itself. Nothing here is wider than what was seen, but for what was said.
 */
import {
  cidrRange,
  formatIp,
  parseIp,
  rangeContains,
  type Cidr,
  type Edge,
  type IpAddress,
  type NetworkSetBasis,
} from "@bulkhead/model";
import { compareText } from "./order.ts";
import { purposeOf } from "./purpose.ts";

export type Outside =
  | { readonly kind: "metadata" }
  | { readonly kind: "said"; readonly cidr: Cidr }
  | { readonly kind: "dns"; readonly name: string; readonly also: readonly string[] }
  | { readonly kind: "address" };

/** `outward`: what a workload of ours calls. Of callers nobody asked DNS, so whatever names they bear is by chance. */
export function outsideOf(
  address: IpAddress,
  edges: readonly Edge[],
  outward: boolean,
  said: readonly Cidr[],
): Outside {
  if (outward && edges.some((edge) => purposeOf(edge) === "metadata")) return { kind: "metadata" };
  const cidr = said.find((one) => within(address, one));
  if (cidr !== undefined) return { kind: "said", cidr };
  const names = outward ? edges.flatMap((edge) => edge.destination.names ?? []) : [];
  const [name, ...also] = [...new Set(names)].toSorted(compareText);
  return name === undefined ? { kind: "address" } : { kind: "dns", name, also };
}

export function basisOf(outside: Outside, also: readonly string[]): NetworkSetBasis {
  switch (outside.kind) {
    case "dns":
      return { kind: "dns", name: outside.name, also };
    case "said":
      return { kind: "said", cidr: outside.cidr };
    case "metadata":
    case "address":
      return { kind: "addresses" };
  }
}

/** Whether an address is one of a prefix. */
export function within(address: IpAddress, cidr: Cidr): boolean {
  const parsed = parseIp(address);
  const range = cidrRange(cidr);
  return parsed !== null && parsed.family === range.family && rangeContains(range, parsed);
}

/** A wider prefix says nothing of who is behind it. */
const NARROWEST = { 4: 16, 6: 48 } as const;
const BITS = { 4: 32, 6: 128 } as const;

/** The narrowest prefix that holds them all, if it tells anything: what a person may say, never what is proposed unasked. */
export function coveringPrefix(addresses: readonly IpAddress[]): Cidr | undefined {
  const parsed = addresses.flatMap((address) => parseIp(address) ?? []);
  const [first] = parsed;
  if (first === undefined || parsed.some(({ family }) => family !== first.family)) return undefined;
  const { family } = first;
  let differing = 0n;
  for (const { value } of parsed) differing |= value ^ first.value;
  const hostBits = differing.toString(2).replace(/^0$/, "").length;
  const length = BITS[family] - hostBits;
  if (length < NARROWEST[family]) return undefined;
  const network = (first.value >> BigInt(hostBits)) << BigInt(hostBits);
  return `${formatIp(family, network)}/${length}`;
}

/**
 * The few places where nftables wants an address as bits: raw payload compares, and the link-local address that
 * stateless configuration derives from a MAC (RFC 4291 appendix A, modified EUI-64).
 */
import { formatIp, parseIp } from "@bulkhead/model";
import type { IpAddress } from "@bulkhead/model";

/** `0x` and digits without leading zeros, as nft prints a constant of 32 or 128 bits. */
export const addressHex = (address: IpAddress): string => {
  const parsed = parseIp(address);
  if (parsed === null) throw new Error(`not an address: ${address}`);
  return `0x${parsed.value.toString(16)}`;
};

/** `aa:bb:cc:dd:ee:ff` → `fe80::a8bb:ccff:fedd:eeff`. */
export const linkLocalOf = (mac: string): IpAddress => {
  const bytes = mac.split(":").map((byte) => BigInt(`0x${byte}`));
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = bytes;
  const eui = [a ^ 2n, b, c, 0xffn, 0xfen, d, e, f].reduce((all, byte) => (all << 8n) | byte, 0n);
  return formatIp(6, (0xfe80n << 112n) | eui);
};

/** Fewest prefixes for what was seen, and no wider than is said. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cidrRange, formatIp, parseIp, rangeContains, type IpRange } from "@bulkhead/model";
import { coverAddresses, unitsIn } from "../src/prefix-cover.ts";

const cover = (
  addresses: readonly string[],
  more: Partial<Parameters<typeof coverAddresses>[1]> = {},
) => coverAddresses(addresses, { most: 8, times: 4, allowed: () => true, ...more });

describe("prefixes for addresses", () => {
  it("are the address alone for one", () => {
    expect(cover(["192.0.2.7"])).toEqual({ cidrs: ["192.0.2.7/32"], seen: 1, holds: 1 });
  });

  it("are one where little more is in it", () => {
    // .4 to .7 is four addresses for three.
    expect(cover(["192.0.2.4", "192.0.2.5", "192.0.2.7"])?.cidrs).toEqual(["192.0.2.4/30"]);
    // Two of .0 to .15 would be sixteen for two: eight is the most.
    expect(cover(["192.0.2.0", "192.0.2.15"])?.cidrs).toEqual(["192.0.2.0/32", "192.0.2.15/32"]);
    expect(cover(["192.0.2.0", "192.0.2.7"])?.cidrs).toEqual(["192.0.2.0/29"]);
  });

  it("are as few as may be, and of as many those that hold least", () => {
    // One prefix is a /24, 256 for four. Of two, .0/31 and .252/30 hold 6; four single ones would hold 4, and are more.
    const seen = ["192.0.2.0", "192.0.2.1", "192.0.2.252", "192.0.2.255"];
    expect(cover(seen)).toEqual({ cidrs: ["192.0.2.0/31", "192.0.2.252/30"], seen: 4, holds: 6 });
  });

  it("do not hold what may not be in them", () => {
    const other = parseIp("192.0.2.6")!;
    const allowed = (range: IpRange) => !rangeContains(range, other);
    expect(cover(["192.0.2.4", "192.0.2.5", "192.0.2.7"], { allowed })?.cidrs).toEqual([
      "192.0.2.4/31",
      "192.0.2.7/32",
    ]);
  });

  it("are none where it takes too many", () => {
    const apart = Array.from({ length: 9 }, (_, at) => `10.${at}.${at * 7}.1`);
    expect(cover(apart)).toBeUndefined();
    expect(cover(apart.slice(1))?.cidrs).toHaveLength(8);
  });

  it("tell no hosts of one IPv6 network apart, and keep families apart", () => {
    const seen = ["2001:db8:0:1::1", "2001:db8:0:1:a:b:c:d", "192.0.2.1"];
    expect(cover(seen)).toEqual({
      cidrs: ["192.0.2.1/32", "2001:db8:0:1::/64"],
      seen: 2,
      holds: 2,
    });
  });

  it("count what a prefix holds", () => {
    expect(unitsIn("10.0.0.0/8")).toBe(2 ** 24);
    expect(unitsIn("2001:db8::/48")).toBe(2 ** 16);
    expect(unitsIn("2001:db8::1/128")).toBe(1);
  });
});

it("always hold all that was seen, within the bounds", () => {
  const near = fc
    .integer({ min: 0, max: 4095 })
    .map((low) => formatIp(4, 0xc0_00_00_00n + BigInt(low)));
  fc.assert(
    fc.property(
      fc.uniqueArray(near, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 64 }),
      (seen, most, times) => {
        const found = cover(seen, { most, times });
        if (found === undefined) return;
        const ranges = found.cidrs.map(cidrRange);
        expect(found.cidrs.length).toBeLessThanOrEqual(most);
        expect(found.holds).toBeLessThanOrEqual(times * seen.length);
        expect(found.holds).toBe(found.cidrs.reduce((sum, one) => sum + unitsIn(one), 0));
        for (const one of seen) {
          expect(ranges.filter((range) => rangeContains(range, parseIp(one)!))).toHaveLength(1);
        }
        // With one prefix fewer, nothing holds to the bound.
        expect(
          found.cidrs.length > 1 && cover(seen, { most: found.cidrs.length - 1, times }),
        ).toBeFalsy();
      },
    ),
  );
});

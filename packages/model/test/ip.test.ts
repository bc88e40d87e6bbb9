import { readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalIp,
  cidrRange,
  compareIp,
  formatIp,
  parseCidr,
  parseIp,
  rangeContains,
  rangeCovers,
  rangeToCidrs,
  sortIps,
  wholeRange,
} from "../src/index.ts";
import type { Cidr, IpFamily, IpRange } from "../src/index.ts";

interface IpVectors {
  readonly valid: readonly (readonly [text: string, canonical: string])[];
  readonly invalid: readonly string[];
  readonly cidrs: readonly (readonly [text: string, canonical: Cidr, hostBits: boolean])[];
  readonly invalidCidrs: readonly string[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/parse/ip.json", import.meta.url), "utf8"),
) as IpVectors;

const value = (family: IpFamily) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n }),
    // Few bits set: zero runs, which RFC 5952 is about.
    fc
      .array(fc.integer({ min: 0, max: family === 4 ? 31 : 127 }), { maxLength: 4 })
      .map((bits) => bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)),
  );
const anyIp = fc
  .constantFrom<IpFamily>(4, 6)
  .chain((family) => value(family).map((v) => ({ family, value: v })))
  .filter(({ family, value: v }) => family === 4 || v >> 32n !== 0xffffn);

describe("vectors of RFC 4291 and RFC 5952", () => {
  test.each(vectors.valid)("%s is %s", (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical);
    const parsed = parseIp(text);
    expect(parsed && formatIp(parsed.family, parsed.value)).toBe(canonical);
  });
  test.each(vectors.invalid)("%s is refused", (text) => {
    expect(parseIp(text)).toBeNull();
    expect(canonicalIp(text)).toBeNull();
  });
  test.each(vectors.cidrs)("%s is %s (host bits: %s)", (text, cidr, hadHostBits) => {
    expect(parseCidr(text)).toMatchObject({ cidr, hadHostBits });
  });
  test.each(vectors.invalidCidrs)("prefix %s is refused", (text) => {
    expect(parseCidr(text)).toBeNull();
  });
});

describe("laws", () => {
  test("format then parse gives the same number, and the text is canonical", () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        const text = formatIp(ip.family, ip.value);
        expect(parseIp(text)).toEqual(ip);
        expect(canonicalIp(text)).toBe(text);
      }),
    );
  });

  test("accepts and refuses what node:net does, zones aside", () => {
    const soup = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(..."0159af:.:"), maxLength: 20 }),
    );
    fc.assert(
      fc.property(soup, (text) => {
        expect(parseIp(text) !== null).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("canonical text equals the platform's own (WHATWG URL host serializer)", () => {
    fc.assert(
      fc.property(
        fc.ipV6().filter((text) => parseIp(text)?.family === 6),
        (text) => {
          expect(`[${canonicalIp(text)}]`).toBe(new URL(`http://[${text}]/`).hostname);
        },
      ),
    );
  });

  test("compareIp orders by family, then number; sortIps agrees and drops duplicates", () => {
    fc.assert(
      fc.property(fc.array(anyIp, { maxLength: 30 }), (ips) => {
        const texts = ips.map(({ family, value: v }) => formatIp(family, v));
        const expected = [...new Set(texts)].toSorted((a, b) => {
          const [x, y] = [parseIp(a), parseIp(b)];
          if (x === null || y === null) throw new Error("unreachable");
          return x.family - y.family || (x.value < y.value ? -1 : x.value > y.value ? 1 : 0);
        });
        expect([...new Set(texts)].toSorted(compareIp)).toEqual(expected);
        expect(sortIps(texts)).toEqual(expected);
      }),
    );
  });

  test("a range is exactly the union of its prefixes, and they are as few as can be", () => {
    const range = fc
      .tuple(fc.constantFrom<IpFamily>(4, 6), fc.integer({ min: 0, max: 600 }))
      .chain(([family, span]) =>
        value(family).map((first): IpRange => {
          const max = wholeRange(family).last;
          const last = first + BigInt(span);
          return { family, first, last: last > max ? max : last };
        }),
      );
    fc.assert(
      fc.property(range, (whole) => {
        const parts = rangeToCidrs(whole).map(cidrRange);
        let next = whole.first;
        for (const part of parts) {
          expect(part.first).toBe(next);
          next = part.last + 1n;
        }
        expect(next).toBe(whole.last + 1n);
        for (const [i, part] of parts.entries()) {
          const following = parts[i + 1];
          if (following === undefined) continue;
          const size = part.last - part.first + 1n;
          const mergeable =
            following.last - following.first + 1n === size && part.first % (size * 2n) === 0n;
          expect(mergeable).toBe(false);
        }
      }),
    );
  });

  test("the whole of a family is one prefix", () => {
    expect(rangeToCidrs(wholeRange(4))).toEqual(["0.0.0.0/0"]);
    expect(rangeToCidrs(wholeRange(6))).toEqual(["::/0"]);
  });

  test("a prefix holds its ends and nothing beside them, and nothing of the other family", () => {
    fc.assert(
      fc.property(anyIp, fc.nat({ max: 128 }), ({ family, value: v }, rawLength) => {
        const length = rawLength % (family === 4 ? 33 : 129);
        const parsed = parseCidr(`${formatIp(family, v)}/${length}`);
        if (parsed === null) throw new Error("a formatted prefix must parse");
        const { range, cidr } = parsed;
        expect(rangeContains(range, { family, value: v })).toBe(true);
        expect(rangeContains(range, { family, value: range.first - 1n })).toBe(false);
        expect(rangeContains(range, { family, value: range.last + 1n })).toBe(false);
        expect(rangeContains(range, { family: family === 4 ? 6 : 4, value: v })).toBe(false);
        expect(range.last - range.first + 1n).toBe(
          1n << BigInt((family === 4 ? 32 : 128) - length),
        );
        expect(rangeCovers(wholeRange(family), range)).toBe(true);
        expect(cidrRange(cidr)).toEqual(range);
      }),
    );
  });

  test("refined types that were not refined are an exception, not a wrong answer", () => {
    expect(() => cidrRange("10.0.0.0/33")).toThrow(RangeError);
    expect(() => formatIp(4, 1n << 32n)).toThrow(RangeError);
    expect(() => compareIp("10.0.0.1", "10.0.0")).toThrow(RangeError);
    expect(() => sortIps(["::1", "::g"])).toThrow(RangeError);
  });
});

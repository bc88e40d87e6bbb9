import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allPorts,
  coversPorts,
  emptyPorts,
  equalPorts,
  formatPort,
  formatPortMatch,
  formatPorts,
  hasPort,
  ICMP,
  ICMPV6,
  intersect,
  isEmptyPorts,
  MAX_PORT,
  parsePort,
  parseProtocol,
  portsOf,
  SCTP,
  subtract,
  TCP,
  UDP,
  union,
} from "../src/index.ts";
import type { PortMatch, PortSet } from "../src/index.ts";

interface PortVectors {
  readonly valid: readonly { readonly text: string; readonly match: PortMatch }[];
  readonly invalid: readonly {
    readonly text: string;
    readonly offset: number;
    readonly error: string;
  }[];
  readonly flows: readonly (readonly [protocol: number, port: number, text: string])[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/parse/ports.json", import.meta.url), "utf8"),
) as PortVectors;

const resolve = (name: string): readonly number[] => (name === "http" ? [80, 8080] : []);
const protocol = fc.constantFrom(ICMP, TCP, UDP, 47, ICMPV6, SCTP);
const edge = fc.oneof(fc.constantFrom(0, 1, 2, 255, 256, 2047, 2048, MAX_PORT), fc.nat(MAX_PORT));
const match: fc.Arbitrary<PortMatch> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(protocol, edge, edge).map(([p, a, b]): PortMatch => ({
      kind: "range",
      protocol: p,
      first: Math.min(a, b),
      last: Math.max(a, b),
    })),
  },
  { weight: 1, arbitrary: protocol.map((p): PortMatch => ({ kind: "protocol", protocol: p })) },
  { weight: 1, arbitrary: fc.constant<PortMatch>({ kind: "named", protocol: TCP, name: "http" }) },
);
const set: fc.Arbitrary<PortSet> = fc
  .tuple(fc.array(match, { maxLength: 6 }), fc.boolean())
  .map(([matches, inverted]) => {
    const ports = portsOf(matches, resolve);
    return inverted ? subtract(allPorts, ports) : ports;
  });
const probe = fc.tuple(protocol, edge);

const portsFrom = (...texts: string[]): PortSet =>
  portsOf(
    texts.map((text) => {
      const parsed = parsePort(text);
      if (!("match" in parsed)) throw new Error(parsed.error);
      return parsed.match;
    }),
    resolve,
  );

const isCanonical = (ports: PortSet): boolean => {
  let previous = -1;
  for (const { protocol: number, intervals } of ports.byProtocol) {
    if (number <= previous) return false;
    previous = number;
    let next = -1;
    for (const { first, last } of intervals) {
      if (first <= next || first > last || last > MAX_PORT) return false;
      next = last + 1;
    }
    const full = intervals[0]?.first === 0 && intervals[0].last === MAX_PORT;
    if (ports.others ? full : intervals.length === 0) return false;
  }
  return true;
};

describe("set algebra", () => {
  test("union, intersect and subtract hold exactly what membership says, and stay canonical", () => {
    fc.assert(
      fc.property(set, set, fc.array(probe, { minLength: 20, maxLength: 20 }), (a, b, probes) => {
        const or = union(a, b);
        const and = intersect(a, b);
        const minus = subtract(a, b);
        for (const result of [or, and, minus]) expect(isCanonical(result)).toBe(true);
        for (const [number, port] of probes) {
          const inA = hasPort(a, number, port);
          const inB = hasPort(b, number, port);
          expect(hasPort(or, number, port)).toBe(inA || inB);
          expect(hasPort(and, number, port)).toBe(inA && inB);
          expect(hasPort(minus, number, port)).toBe(inA && !inB);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("equal sets are equal objects, however they were made", () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        expect(union(a, b)).toEqual(union(b, a));
        expect(union(subtract(a, b), intersect(a, b))).toEqual(a);
        expect(subtract(allPorts, subtract(allPorts, a))).toEqual(a);
        expect(equalPorts(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(coversPorts(union(a, b), b)).toBe(true);
        expect(isEmptyPorts(subtract(a, a))).toBe(true);
        expect(coversPorts(a, b)).toBe(equalPorts(union(a, b), a));
      }),
    );
  });

  test("most protocols in a list are the same set as all but the others", () => {
    const but = (...left: readonly number[]): PortMatch[] =>
      Array.from({ length: 256 }, (_, one) => one)
        .filter((one) => !left.includes(one))
        .map((one) => ({ kind: "protocol", protocol: one }));
    const tcp: PortMatch = { kind: "protocol", protocol: TCP };
    expect(portsOf(but(), resolve)).toEqual(allPorts);
    expect(portsOf(but(TCP), resolve)).toEqual(subtract(allPorts, portsOf([tcp], resolve)));
    expect(isEmptyPorts(subtract(allPorts, portsOf([...but(TCP), tcp], resolve)))).toBe(true);
    expect(subtract(portsOf(but(UDP), resolve), portsOf(but(TCP, UDP), resolve))).toEqual(
      portsOf([tcp], resolve),
    );
  });

  test("named ports are what the destination says", () => {
    const named: PortMatch[] = [{ kind: "named", protocol: TCP, name: "http" }];
    expect(formatPorts(portsOf(named, resolve))).toBe("80/tcp, 8080/tcp");
    expect(portsOf(named, () => [])).toEqual(emptyPorts);
    expect(portsOf([{ kind: "all" }, ...named], resolve)).toEqual(allPorts);
    expect(portsOf([], resolve)).toEqual(emptyPorts);
  });
});

describe("text", () => {
  test.each(vectors.valid)("$text", ({ text, match: expected }) => {
    expect(parsePort(text)).toEqual({ match: expected });
  });
  test.each(vectors.invalid)("`$text` fails at $offset", ({ text, offset, error }) => {
    expect(parsePort(text)).toEqual({ error, offset });
  });
  test.each(vectors.flows)("protocol %i port %i is written %s", (number, port, text) => {
    expect(formatPort(number, port)).toBe(text);
    const parsed = parsePort(text);
    if (!("match" in parsed)) throw new Error(parsed.error);
    expect(hasPort(portsOf([parsed.match], resolve), number, port)).toBe(true);
  });

  test("formatted matches read back as the same set", () => {
    fc.assert(
      fc.property(
        match.filter((one) => one.kind !== "range" || one.first > 0 || one.protocol === ICMP),
        (one) => {
          if (one.kind === "range" && ![ICMP, ICMPV6, TCP, UDP, SCTP].includes(one.protocol))
            return;
          const back = formatPortMatch(one).map((text) => {
            const parsed = parsePort(text);
            if (!("match" in parsed)) throw new Error(`${text}: ${parsed.error}`);
            return parsed.match;
          });
          expect(portsOf(back, resolve)).toEqual(portsOf([one], resolve));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("sets for people", () => {
    expect(formatPorts(emptyPorts)).toBe("none");
    expect(formatPorts(allPorts)).toBe("all");
    expect(formatPorts(portsFrom("5432", "53/udp", "8000-8100/tcp"))).toBe(
      "5432/tcp, 8000-8100/tcp, 53/udp",
    );
    expect(formatPorts(portsFrom("tcp", "icmp/echo-request"))).toBe("icmp/echo-request, tcp");
    expect(formatPorts(subtract(allPorts, portsFrom("22")))).toBe("all except 22/tcp");
    expect(formatPorts(portsFrom("icmp/3/1", "icmpv6"))).toBe("icmp/3/1, icmpv6");
  });

  test("protocols by number read back", () => {
    for (let number = 0; number < 256; number += 1) {
      const text = formatPortMatch({ kind: "protocol", protocol: number })[0] ?? "";
      expect(parseProtocol(text)).toBe(number);
    }
    expect(parseProtocol("proto-256")).toBeNull();
    expect(parseProtocol("TCP")).toBe(TCP);
    expect(parseProtocol("toString")).toBeNull();
  });
});

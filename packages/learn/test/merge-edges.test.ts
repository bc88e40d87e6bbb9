import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AGENT_ORIGIN } from "@bulkhead/model";
import { mergeEdges, readRange, spansOutside } from "../src/index.ts";
import { edge } from "./shop.ts";

describe("spans outside of windows", () => {
  it("are what is left, in order", () => {
    expect(spansOutside({}, [{ from: 10, to: 20 }])).toEqual([{ until: 10 }, { since: 20 }]);
    expect(spansOutside({ since: 12, until: 40 }, [{ from: 10, to: 20 }])).toEqual([
      { since: 20, until: 40 },
    ]);
    expect(spansOutside({ since: 12, until: 18 }, [{ from: 10, to: 20 }])).toEqual([]);
    expect(spansOutside({ since: 20 }, [{ from: 10, to: 20 }])).toEqual([{ since: 20 }]);
    expect(spansOutside({ until: 10 }, [{ from: 10, to: 20 }])).toEqual([{ until: 10 }]);
  });

  it("hold every moment that no window holds, once", () => {
    const window = fc
      .record({ from: fc.nat(50), length: fc.integer({ min: 1, max: 20 }) })
      .map(({ from, length }) => ({ from, to: from + length }));
    const some = fc.option(fc.nat(60), { nil: undefined });
    fc.assert(
      fc.property(fc.array(window, { maxLength: 5 }), some, some, (windows, since, until) => {
        const span = {
          ...(since === undefined ? {} : { since }),
          ...(until === undefined ? {} : { until }),
        };
        const holds = (one: { since?: number; until?: number }, time: number): boolean =>
          time >= (one.since ?? -Infinity) && time < (one.until ?? Infinity);
        const spans = spansOutside(span, windows);
        for (let time = -1; time < 80; time += 1) {
          const wanted = holds(span, time) && !windows.some((w) => time >= w.from && time < w.to);
          expect(spans.filter((one) => holds(one, time))).toHaveLength(wanted ? 1 : 0);
        }
      }),
    );
  });
});

it("edges of several spans are summed, with the ends of the latest and all their names", () => {
  const first = edge("web", "203.0.113.1", "443/tcp", { firstSeen: 1, lastSeen: 5 });
  const second = edge("web", "203.0.113.1", "443/tcp", { firstSeen: 10, lastSeen: 50 });
  const named = (names: string[], one: typeof first) => ({
    ...one,
    destination: { ...one.destination, names },
  });
  const other = edge("web", "db", "5432/tcp");
  const merged = mergeEdges([
    named(["b.example.com"], second),
    other,
    named(["a.example.com"], first),
  ]);
  expect(merged).toEqual([
    {
      ...second,
      destination: { ...second.destination, names: ["a.example.com", "b.example.com"] },
      connections: 80,
      established: 80,
      bytes: 160_000,
      packets: 800,
      windows: 60,
      firstSeen: 1,
    },
    other,
  ]);
});

it.each([
  ["203.0.113.0/24", { cidr: "203.0.113.0/24" }],
  ["203.0.113.7/24", { cidr: "203.0.113.0/24" }],
  ["10.0.0.0/8", { cidr: "10.0.0.0/8" }],
  ["2001:db8::/32", { cidr: "2001:db8::/32" }],
  ["0.0.0.0/0", { error: "`0.0.0.0/0` is nearly everybody" }],
  ["8.0.0.0/7", { error: "`8.0.0.0/7` is nearly everybody" }],
  ["::/0", { error: "`::/0` is nearly everybody" }],
  ["example.com", { error: "`example.com` is not a prefix" }],
])("a person may say %s, or not", (text, expected) => {
  expect(readRange(text)).toMatchObject(expected);
});

it("edges of several spans keep every way by which they came to be known", () => {
  const sampled = {
    format: "gcp-vpc",
    sampling: 30,
    aggregation: 5000,
    direction: "told",
  } as const;
  const early = edge("web", "db", "5432/tcp", { firstSeen: 1000, lastSeen: 2000 });
  const late = { ...early, firstSeen: 5000, lastSeen: 6000, origins: [sampled] };
  expect(mergeEdges([early, late])[0]?.origins).toEqual([AGENT_ORIGIN, sampled]);
  expect(mergeEdges([late, { ...late, lastSeen: 7000 }])[0]?.origins).toEqual([sampled]);
  expect(mergeEdges([early, { ...early, lastSeen: 7000 }])[0]).not.toHaveProperty("origins");
});

/** Buckets are those of the shared vectors, nest as the share grows, and are spread evenly. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  CANARY_BUCKETS,
  ICMP,
  TCP,
  UDP,
  canaryBucket,
  formatShare,
  parseShare,
  takesPart,
  type FlowQuery,
} from "../src/index.ts";

interface Vector extends FlowQuery {
  readonly seed: number;
  readonly bucket: number;
}

const { vectors } = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/canary-bucket.json", import.meta.url), "utf8"),
) as { readonly vectors: readonly Vector[] };

/** So many different flows, of both families. */
const flows = (count: number): FlowQuery[] =>
  Array.from({ length: count }, (_, at) => ({
    source: at % 2 === 0 ? `10.1.${(at >> 8) & 255}.${at & 255}` : `fd00:1::${at.toString(16)}`,
    destination: at % 2 === 0 ? "10.2.0.1" : "fd00:2::1",
    protocol: at % 3 === 0 ? UDP : TCP,
    port: 1 + ((at * 7919) % 60_000),
  }));

describe("the bucket of a flow", () => {
  it("is that of every shared vector", () => {
    expect(vectors.length).toBeGreaterThan(50);
    const wrong = vectors.filter(
      ({ seed, bucket, ...flow }) => canaryBucket(flow, seed) !== bucket,
    );
    expect(wrong).toEqual([]);
  });

  it("goes by what was addressed, and not by where translation led it", () => {
    const [first, second] = vectors.filter(({ protocol }) => protocol === TCP) as [Vector, Vector];
    const { source, destination, protocol, port, seed } = first;
    const led = { source, destination: second.destination, protocol, port: second.port };
    const query = { ...led, addressed: { destination, port } };
    expect(canaryBucket(query, seed)).toBe(first.bucket);
    expect(canaryBucket(led, seed)).not.toBe(first.bucket);
  });

  it("depends on every part of the flow and on the seed", () => {
    const flow = { source: "10.0.0.1", destination: "10.0.0.2", protocol: TCP, port: 443 };
    const others: readonly [FlowQuery, number][] = [
      [{ ...flow, source: "10.0.0.3" }, 9],
      [{ ...flow, destination: "10.0.0.3" }, 9],
      [{ ...flow, protocol: UDP }, 9],
      [{ ...flow, protocol: ICMP }, 9],
      [{ ...flow, port: 444 }, 9],
      [flow, 10],
    ];
    for (const [other, seed] of others)
      expect(canaryBucket(other, seed)).not.toBe(canaryBucket(flow, 9));
  });

  it("leaves the port out where a protocol has none", () => {
    const gre = { source: "10.0.0.1", destination: "10.0.0.2", protocol: 47, port: 0 };
    expect(canaryBucket(gre, 5)).toBe(canaryBucket({ ...gre, port: 9 }, 5));
  });

  it("nests: who takes part keeps taking part while the share grows", () => {
    const shares = [1, 100, 1000, 5000, 9999];
    let joined = 0;
    for (const flow of flows(2000)) {
      const part = shares.map((share) => takesPart(flow, { seed: 4242, share }));
      expect(part).toEqual(part.toSorted((a, b) => Number(a) - Number(b)));
      if (part.includes(true)) joined += 1;
    }
    expect(joined).toBeGreaterThan(1900);
  });

  it("takes in the share that was asked for, whatever the seed", () => {
    const many = flows(20_000);
    for (const seed of [1, 77, 0xffffffff]) {
      for (const share of [1000, 3000, 5000]) {
        const part = many.filter((flow) => takesPart(flow, { seed, share })).length;
        // Five standard deviations of a fair draw.
        const spread = 5 * Math.sqrt((many.length * share * (CANARY_BUCKETS - share)) / 1e8);
        expect(Math.abs(part - (many.length * share) / CANARY_BUCKETS)).toBeLessThan(spread);
      }
    }
  });
});

describe("a share as text", () => {
  it("is a percentage of at most two decimals, above nothing and up to all", () => {
    const texts = ["10%", "0.5%", "0.01%", "99.99%", "100%", "12.3%", "007%"];
    expect(texts.map(parseShare)).toEqual([1000, 50, 1, 9999, 10_000, 1230, 700]);
    for (const text of [
      "10",
      "%",
      "0%",
      "0.00%",
      "0.001%",
      "100.01%",
      "1000%",
      "-5%",
      "1e1%",
      " 5%",
    ])
      expect(parseShare(text), text).toBeNull();
  });

  it("is written the shortest way, and read back", () => {
    expect([1000, 50, 1, 9999, 1230].map(formatShare)).toEqual([
      "10%",
      "0.5%",
      "0.01%",
      "99.99%",
      "12.3%",
    ]);
    for (let share = 1; share <= CANARY_BUCKETS; share += 1)
      expect(parseShare(formatShare(share))).toBe(share);
  });
});

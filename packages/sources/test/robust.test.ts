/**
 * What holds of every format: bytes cut anywhere give the same flows, and damage is never fatal. Seeds are printed by the
 * library when one fails.
 */
import type { FlowFormat } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FORMAT_READERS, HEAD_BYTES, recogniseFormat } from "../src/index.ts";
import { readAs, type Told } from "./reading.ts";
import { SAMPLES } from "./samples.ts";

const bytesOf = (what: string | Uint8Array): Uint8Array =>
  typeof what === "string" ? new TextEncoder().encode(what) : what;
const OPTIONS = { at: 1_760_000_000_000 };

describe.each(SAMPLES)("$name", ({ format, text }) => {
  const bytes = bytesOf(text);
  const whole = readAs(format, bytes, [], OPTIONS);

  it("is recognised by its beginning, and gives flows", () => {
    expect(recogniseFormat(bytes.subarray(0, HEAD_BYTES))?.name).toBe(format);
    expect(whole.flows.length).toBeGreaterThan(0);
    expect(whole.malformed).toEqual([]);
  });

  it("gives the same flows wherever its bytes are cut", () => {
    const cuts = fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (places) => {
        expect(readAs(format, bytes, places, OPTIONS)).toEqual(whole);
      }),
      { numRuns: 25 },
    );
    const single = Array.from({ length: bytes.length }, (_, at) => at);
    expect(readAs(format, bytes, single, OPTIONS)).toEqual(whole);
  });

  it("is never fatal when damaged, and what it tells then is well-formed", () => {
    const damage = fc.array(
      fc.record({
        at: fc.nat({ max: bytes.length - 1 }),
        what: fc.constantFrom("flip", "cut", "double", "zero", "quote", "brace", "newline"),
        byte: fc.nat({ max: 255 }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(damage, (places) => {
        let damaged: number[] = [...bytes];
        for (const { at, what, byte } of places) damaged = damage1(damaged, at, what, byte);
        expect(faultsOf(readAs(format, Uint8Array.from(damaged), [], OPTIONS))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("every format", () => {
  it.each(FORMAT_READERS.map(({ name }) => [name] as const))(
    "%s reads any bytes without an end",
    (name) => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
          expect(faultsOf(readAs(name, noise, [], OPTIONS))).toEqual([]);
        }),
        { numRuns: 60 },
      );
    },
  );

  it.each(FORMAT_READERS.map(({ name }) => [name] as const))(
    "%s holds no line in memory that is longer than any record",
    (name) => {
      const flood = new Uint8Array(1_200_000).fill(0x7b);
      const told = readAs(name, flood, [400_000, 800_000], OPTIONS);
      expect(told.flows).toEqual([]);
      expect(told.malformed.length).toBeGreaterThan(0);
    },
  );

  // Three to seven seconds for 30 KB where a pattern tries all ways, and minutes for what is here; else milliseconds.
  it.each([
    "",
    "[1700000000.123456]\t",
    "[NEW] tcp 6 120 SYN_SENT src=",
    "ipv4 2 tcp 6 1 A src=10.0.0.1 dst=1 src=",
  ])("is not kept busy by one long line: %j", (front) => {
    for (const piece of [" ", "\t", "0", "a ", " dst=a", "src= ", "[", '"', "a=", "- "]) {
      const text = `${front}${piece.repeat(Math.ceil(150_000 / piece.length))}x\n`;
      recogniseFormat(bytesOf(text).subarray(0, HEAD_BYTES));
      expect(readAs("conntrack", text, [], OPTIONS).flows).toEqual([]);
    }
  });

  it("takes no name that the whole batch would be refused for", () => {
    const end = (more: object) => ({ address: "10.0.0.1", name: "a", labels: {}, ...more });
    const flow = { start: 1, end: 1, destination: end({}), protocol: 6, port: 1 };
    const lines = [
      end({ name: "n".repeat(1025) }),
      end({ labels: { app: "v".repeat(4097) } }),
      end({ labels: { ["k".repeat(1025)]: "v" } }),
      end({ workload: "w".repeat(1025) }),
      end({ names: Array.from({ length: 1001 }, (_, at) => `n${at}`) }),
      end({}),
    ].map((source) => JSON.stringify({ ...flow, source, verdict: "forwarded" }));
    const told = readAs("bulkhead", lines.join("\n"), [], OPTIONS);
    expect(told.flows).toHaveLength(1);
    expect(told.malformed).toHaveLength(5);
  });

  it.each(["{", "[", "1 "])("takes nothing for itself that is only %j", (text) => {
    expect(recogniseFormat(bytesOf(text.repeat(30)))).toBeUndefined();
  });

  it("is not led astray by keys that objects are born with", () => {
    const text =
      '{"__proto__":{"flow":1},"constructor":{"name":"x"},"verdict":"constructor","IP":{"source":"10.0.0.1","destination":"10.0.0.2"},"time":"2026-01-01T00:00:00Z"}\n';
    for (const { name } of FORMAT_READERS)
      expect(faultsOf(readAs(name, text, [], OPTIONS))).toEqual([]);
    expect(({} as Record<string, unknown>)["flow"]).toBeUndefined();
    expect(readAs("hubble", text).others).toEqual(["verdict constructor"]);
  });

  it("takes nesting without end for what it is", () => {
    const deep = `${'{"flow":'.repeat(50_000)}\n${"[".repeat(50_000)}\n`;
    for (const { name } of FORMAT_READERS)
      expect(faultsOf(readAs(name as FlowFormat, deep, [], OPTIONS))).toEqual([]);
  });
});

function damage1(bytes: number[], at: number, what: string, byte: number): number[] {
  if (bytes.length === 0) return bytes;
  const place = at % bytes.length;
  switch (what) {
    case "cut":
      return bytes.slice(0, place);
    case "double":
      return [...bytes.slice(0, place), ...bytes.slice(Math.max(0, place - 40))];
    case "flip":
      return bytes.with(place, (bytes[place] ?? 0) ^ (1 << (byte % 8)));
    default: {
      const marks: Readonly<Record<string, number>> = {
        zero: 0,
        quote: 34,
        brace: 125,
        newline: 10,
      };
      return bytes.with(place, marks[what] ?? byte);
    }
  }
}

/** What is wrong with what was told. */
function faultsOf({ flows, malformed, others }: Told): readonly string[] {
  const ofFlows = flows.flatMap((flow) => {
    const counts = [flow.start, flow.end, flow.connections, flow.bytes, flow.packets];
    const names = `${flow.source.name}${flow.destination.name}${flow.node ?? ""}`;
    return [
      ...(counts.every((count) => Number.isFinite(count) && count >= 0) ? [] : ["a count"]),
      ...(flow.port >= 0 && flow.port <= 65535 ? [] : ["a port"]),
      ...(flow.protocol >= 0 && flow.protocol <= 255 ? [] : ["a protocol"]),
      ...(STEERING.test(names) ? ["a name"] : []),
      ...(flow.request?.path.includes("?") === true ? ["a query"] : []),
    ];
  });
  const steering = malformed.some(({ quote, problem }) => STEERING.test(quote + problem));
  const wordy = others.some((what) => what.length > 60 || STEERING.test(what));
  return [...ofFlows, ...(steering ? ["a quote"] : []), ...(wordy ? ["a kind"] : [])];
}

const STEERING = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

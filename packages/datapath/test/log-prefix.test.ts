/** The text in front of a log message says what it was made from, and nothing else is taken for one. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatLogPrefix,
  formatProcessNote,
  parseLogPrefix,
  parseProcessNote,
} from "../src/index.ts";
import type { LogPrefix } from "../src/index.ts";

const prefix: fc.Arbitrary<LogPrefix> = fc
  .record({
    verdict: fc.constantFrom("forwarded", "dropped", "rejected", "audit", "spoofed"),
    direction: fc.constantFrom("egress", "ingress", undefined),
    number: fc.integer({ min: 0, max: 0xffff_ffff }),
    reply: fc.boolean(),
    translated: fc.boolean(),
    arrival: fc.boolean(),
  })
  .map(({ verdict, direction, number, reply, translated, arrival }) => ({
    verdict,
    ...(direction === undefined ? {} : { direction }),
    cookie: number.toString(16).padStart(8, "0"),
    reply,
    ...(translated ? { translated } : {}),
    ...(arrival ? { arrival } : {}),
  }));

test("what is written is read", () => {
  fc.assert(
    fc.property(prefix, (value) => {
      const text = formatLogPrefix(value);
      // The kernel cuts prefixes at 127 bytes; ours never come near.
      expect(text.length).toBeLessThan(23);
      expect(parseLogPrefix(text)).toEqual(value);
    }),
  );
});

test.each(["egress", "ingress"] as const)("a note of the process at the %s end", (direction) => {
  const text = formatProcessNote({ direction, process: "0123abcd" });
  expect(parseProcessNote(text)).toEqual({ direction, process: "0123abcd" });
  expect(parseLogPrefix(text)).toBeNull();
  expect(parseProcessNote("bh1 D e 0123abcd")).toBeNull();
});

test.each([
  "",
  "bh1",
  "bh1 X e 00000000",
  "bh2 D e 00000000",
  "bh1 D e 0000000g",
  "bh1 D e 00000000 x",
  "bh1 D e 00000000r",
  " bh1 D e 00000000",
  "[UFW BLOCK] ",
])("`%s` is not one of ours", (text) => {
  expect(parseLogPrefix(text)).toBeNull();
});

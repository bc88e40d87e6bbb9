import fc from "fast-check";
import {
  formatLogPrefix,
  formatProcessNote,
  parseLogPrefix,
  parseProcessNote,
} from "@bulkhead/datapath";
import { expect, test } from "vitest";
import {
  emptyPrefixFields,
  parsePrefixBytes,
  PROCESS_NOTE,
  VERDICTS,
} from "../../src/collector/log-prefix.ts";

const DIRECTIONS = [undefined, "egress", "ingress"] as const;

function parseBytes(text: string) {
  const bytes = Buffer.from(`..${text}\0`, "latin1");
  const fields = emptyPrefixFields();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!parsePrefixBytes(view, 2, bytes.length, fields)) return null;
  const direction = DIRECTIONS[fields.direction];
  const handle = fields.cookie.toString(16).padStart(8, "0");
  if (fields.verdict === PROCESS_NOTE) return { direction, process: handle };
  return {
    verdict: VERDICTS[fields.verdict],
    ...(direction === undefined ? {} : { direction }),
    cookie: handle,
    reply: fields.reply,
    ...(fields.translated ? { translated: true } : {}),
    ...(fields.arrival ? { arrival: true } : {}),
  };
}

test("every prefix that the datapath writes is read as the datapath reads it", () => {
  const prefix = fc.record({
    verdict: fc.constantFrom("forwarded", "dropped", "rejected", "audit", "spoofed"),
    direction: fc.constantFrom("egress", "ingress", undefined),
    cookie: fc.nat({ max: 0xffffffff }).map((value) => value.toString(16).padStart(8, "0")),
    reply: fc.boolean(),
    translated: fc.constantFrom(true, undefined),
    arrival: fc.constantFrom(true, undefined),
  } as const);
  fc.assert(
    fc.property(prefix, ({ direction, ...rest }) => {
      const text = formatLogPrefix({ ...rest, ...(direction === undefined ? {} : { direction }) });
      expect(parseBytes(text)).toEqual(parseLogPrefix(text));
      expect(parseBytes(text)).not.toBeNull();
    }),
  );
});

test.each(["egress", "ingress"] as const)("a note of the process at the %s end", (direction) => {
  const text = formatProcessNote({ direction, process: "fedcba98" });
  expect(parseBytes(text)).toEqual(parseProcessNote(text));
  expect(parseBytes(text)).not.toBeNull();
});

test.each([
  "",
  "bh1",
  "bh2 F - 00000000",
  "bh1 X - 00000000",
  "bh1 F x 00000000",
  "bh1 F - 0000000g",
  "bh1 F - 000000",
  "xbh1 F - 00000000",
  "bh1 F - ABCDEF00",
  "bh1F - 00000000",
])("%j is not ours, by both readers", (text) => {
  expect(parseBytes(text)).toBeNull();
  expect(parseLogPrefix(text)).toBeNull();
});

/** What an answer says, in the forms of RFC 1035 and RFC 3596; and that nothing a stranger sends gives a name, or does harm. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDnsAnswer } from "../../src/dns/dns-message.ts";
import {
  A,
  AAAA,
  ASKED,
  CNAME,
  message,
  pointer,
  record,
  wireName,
  word,
  type Part,
} from "./dns-bytes.ts";

const NOTHING = { kind: "nothing" };
const MALFORMED = { kind: "malformed" };
const four = (last: number): Part => [192, 0, 2, last];
const answered = (name: string, ...addresses: readonly (readonly [string, number])[]) => ({
  kind: "answer",
  name,
  addresses: addresses.map(([address, ttl]) => ({ address, ttl })),
});

describe("an answer", () => {
  it("gives addresses of both families, each with its time", () => {
    const two = [record(ASKED, A, 300, four(1)), record(ASKED, A, 60, four(2))];
    expect(readDnsAnswer(message({ name: "www.example.com" }, two))).toEqual(
      answered("www.example.com", ["192.0.2.1", 300], ["192.0.2.2", 60]),
    );
    // RFC 3596 §2.2: sixteen octets in network order.
    const six = record(ASKED, AAAA, 5, [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7]);
    expect(readDnsAnswer(message({ name: "v6.example", type: AAAA }, [six]))).toEqual(
      answered("v6.example", ["2001:db8::7", 5]),
    );
  });

  it("is told under the name that was asked for, whatever the aliases, in any order", () => {
    const records = [
      record(wireName("edge.cdn.example"), A, 20, four(1)),
      record(wireName("cdn.example"), CNAME, 600, wireName("edge.cdn.example")),
      record(ASKED, CNAME, 30, wireName("cdn.example")),
    ];
    expect(readDnsAnswer(message({ name: "shop.example" }, records))).toEqual(
      answered("shop.example", ["192.0.2.1", 20]),
    );
  });

  it("reads compression as RFC 1035 §4.1.4 draws it: a label, then a pointer into an earlier name", () => {
    // The question's name is at 12: 1 F 3 ISI 4 ARPA 0, so ISI.ARPA begins at 14.
    const records = [
      record(ASKED, CNAME, 9, [3, ...Buffer.from("FOO"), ...pointer(14)]),
      record([3, ...Buffer.from("foo"), ...pointer(14)], A, 9, four(4)),
    ];
    expect(readDnsAnswer(message({ name: "F.ISI.ARPA" }, records))).toEqual(
      answered("f.isi.arpa", ["192.0.2.4", 9]),
    );
  });

  it("has no time where the highest bit is set (RFC 2181)", () => {
    const reading = readDnsAnswer(
      message({ name: "a.example" }, [record(ASKED, A, 0x80000001, four(1))]),
    );
    expect(reading).toEqual(answered("a.example", ["192.0.2.1", 0]));
  });

  it("does not believe records of other names, nor of another class or type", () => {
    const records = [
      record(wireName("bank.example"), A, 60, four(1)),
      [...ASKED, ...word(A), ...word(3), 0, 0, 0, 9, ...word(4), ...four(2)],
      record(ASKED, AAAA, 60, [...Array<number>(15).fill(0), 9]),
    ];
    expect(readDnsAnswer(message({ name: "a.example" }, records))).toEqual(NOTHING);
  });

  it("leaves out addresses that are nowhere", () => {
    const records = [
      record(ASKED, A, 60, [0, 0, 0, 0]),
      record(ASKED, A, 60, [127, 0, 0, 1]),
      record(ASKED, A, 60, four(3)),
    ];
    expect(readDnsAnswer(message({ name: "blocked.example" }, records))).toEqual(
      answered("blocked.example", ["192.0.2.3", 60]),
    );
  });

  const one = [record(ASKED, A, 60, four(1))];
  it.each<readonly [string, Uint8Array]>([
    ["a question", message({ name: "a.example" }, [], { flags: 0x0100 })],
    ["no such name", message({ name: "a.example" }, [], { flags: 0x8183 })],
    ["one that is cut short by the server", message({ name: "a.example" }, one, { flags: 0x8380 })],
    ["another kind of query", message({ name: "a.example" }, one, { flags: 0xa180 })],
    ["about two questions", message({ name: "a.example" }, one, { questions: 2 })],
    ["about mail", message({ name: "a.example", type: 15 }, one)],
    ["without records", message({ name: "a.example" }, [])],
  ])("is none: %s", (_, bytes) => expect(readDnsAnswer(bytes)).toEqual(NOTHING));
});

describe("a hostile answer", () => {
  const loop = [
    record(ASKED, CNAME, 1, wireName("b.example")),
    record(wireName("b.example"), CNAME, 1, wireName("a.example")),
  ];
  it("of aliases in a circle gives nothing", () =>
    expect(readDnsAnswer(message({ name: "a.example" }, loop))).toEqual(NOTHING));

  const asked = { name: "a.example" };
  const behind = 12 + wireName(asked.name).length + 4;
  it.each<readonly [string, Uint8Array]>([
    ["nothing at all", new Uint8Array()],
    ["a header cut short", message(asked, []).subarray(0, 11)],
    ["a question cut short", message(asked, []).subarray(0, 20)],
    ["a pointer to itself", message(asked, [record(pointer(behind), A, 1, four(1))])],
    ["a pointer ahead", message(asked, [record(pointer(behind + 20), A, 1, four(1))])],
    [
      "two pointers at each other",
      message(asked, [record([1, 97, ...pointer(behind)], A, 1, four(1))]),
    ],
    [
      "a label of 64",
      message(asked, [record([64, ...Array<number>(64).fill(97), 0], A, 1, four(1))]),
    ],
    [
      "a name of 256",
      message(asked, [record(wireName(`${"a".repeat(63)}.`.repeat(4)), A, 1, four(1))]),
    ],
    ["the root", message({ name: "" }, [record(ASKED, A, 1, four(1))])],
    ["a name with an escape", message({ name: "a\u001b[31m.example" }, [])],
    ["a name with a space", message({ name: "a b.example" }, [])],
    ["an address of three bytes", message(asked, [record(ASKED, A, 1, [1, 2, 3])])],
    [
      "data longer than the message",
      message(asked, [record(ASKED, A, 1, four(1))]).subarray(0, -1),
    ],
    ["more records than there are", message(asked, [], { answers: 65_535 })],
    [
      "an alias that ends before its data",
      message(asked, [record(ASKED, CNAME, 1, [...wireName("b.example"), 0])]),
    ],
  ])("is not read: %s", (_, bytes) => expect(readDnsAnswer(bytes)).toEqual(MALFORMED));

  it("is read as far as the copy goes, where only the copy ends", () => {
    const whole = message(asked, [record(ASKED, A, 1, four(1)), record(ASKED, A, 1, four(2))]);
    expect(readDnsAnswer(whole.subarray(0, -2), true)).toEqual(
      answered("a.example", ["192.0.2.1", 1]),
    );
    expect(readDnsAnswer(whole.subarray(0, -2))).toEqual(MALFORMED);
  });

  it("takes no longer for many records", () => {
    const many = Array.from({ length: 3000 }, () => record(ASKED, A, 1, four(1)));
    const reading = readDnsAnswer(message(asked, many));
    expect(reading).toMatchObject({ kind: "answer" });
    expect(reading.kind === "answer" && reading.addresses.length).toBe(256);
  });
});

const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."));

it("never throws, and gives clean names only, whatever the bytes", () => {
  const start = message({ name: "a.example" }, []);
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 200 }).map((rest) => {
      const bytes = Uint8Array.from([...start, ...rest]);
      bytes[7] = 1 + (rest.length % 7);
      return bytes;
    }),
  );
  fc.assert(
    fc.property(anything, fc.boolean(), (bytes, cut) => {
      const reading = readDnsAnswer(bytes, cut);
      expect(reading.kind === "answer" ? reading.name : "none").toMatch(/^[a-z0-9_.-]{1,254}$/);
    }),
    { numRuns: 2000 },
  );
});

it("gives back any chain of aliases that leads to an address", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 86_400 }), { minLength: 12, maxLength: 12 }),
      (names, ttls) => {
        const last = names.length - 1;
        const records = names.map((owner, index) =>
          index === last
            ? record(wireName(owner), A, ttls[index] ?? 1, four(9))
            : record(wireName(owner), CNAME, ttls[index] ?? 1, wireName(names[index + 1] ?? "")),
        );
        const first = names[0] ?? "";
        expect(readDnsAnswer(message({ name: first.toUpperCase() }, records))).toEqual(
          answered(first, ["192.0.2.9", Math.min(...ttls.slice(0, names.length))]),
        );
      },
    ),
  );
});

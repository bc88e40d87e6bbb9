/**
 * AWS VPC flow logs. What fields there are and what they hold is told at
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html and in its page of examples; the rows are our own.
 */
import { describe, expect, it } from "vitest";
import { readAs, shown } from "./reading.ts";
import { recogniseFormat } from "../src/index.ts";

const AT = 1_760_000_000;
const ROW = (rest: string): string => `2 210987654321 eni-0a1b2c3d4e5f60718 ${rest}`;
const read = (text: string) => readAs("aws-vpc", text);

describe("AWS VPC flow logs", () => {
  it("tell who was called by the ports, where no flags are told, and count a connection once", () => {
    const told = read(
      [
        ROW(`10.0.1.5 10.0.2.6 40112 5432 6 12 3400 ${AT} ${AT + 58} ACCEPT OK`),
        ROW(`10.0.2.6 10.0.1.5 5432 40112 6 10 9100 ${AT} ${AT + 58} ACCEPT OK`),
        ROW(`10.0.1.5 10.0.2.6 40112 5432 6 7 900 ${AT + 60} ${AT + 118} ACCEPT OK`),
        // Hours later the same ports are another connection.
        ROW(`10.0.1.5 10.0.2.6 40112 5432 6 1 52 ${AT + 9000} ${AT + 9001} ACCEPT OK`),
      ].join("\n"),
    );
    expect(shown(told)).toEqual([
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/0/0 12p 3400b",
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 0/1/0 10p 9100b",
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 0/0/0 7p 900b",
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/0/0 1p 52b",
    ]);
    expect(told.flows[0]).toMatchObject({
      start: AT * 1000,
      end: (AT + 58) * 1000,
      node: "eni-0a1b2c3d4e5f60718",
      origin: { format: "aws-vpc", sampling: 1, aggregation: 60_000, direction: "guessed" },
    });
  });

  it("tell it by TCP's flags where a header names them, and refusals by the reset", () => {
    const header =
      "version srcaddr dstaddr srcport dstport protocol packets bytes start end tcp-flags action flow-direction";
    const row = (text: string) => `5 ${text}`;
    const told = read(
      [
        header,
        // A database that calls a high port: the flags know better than the ports.
        row(`10.0.2.6 10.0.1.5 1024 40112 6 5 300 ${AT} ${AT + 5} 3 ACCEPT egress`),
        row(`10.0.1.5 10.0.2.6 40112 1024 6 5 900 ${AT} ${AT + 5} 19 ACCEPT ingress`),
        row(`10.0.1.5 10.0.2.7 40113 81 6 1 40 ${AT} ${AT} 2 ACCEPT egress`),
        row(`10.0.2.7 10.0.1.5 81 40113 6 1 40 ${AT} ${AT} 4 ACCEPT ingress`),
        row(`10.0.1.5 10.0.2.8 53 3389 6 1 40 ${AT} ${AT} 2 REJECT ingress`),
      ].join("\r\n"),
    );
    expect(shown(told)).toEqual([
      "10.0.2.6:1024 → 10.0.1.5 40112/6 forwarded 1/0/0 5p 300b",
      "10.0.2.6:1024 → 10.0.1.5 40112/6 forwarded 0/1/0 5p 900b",
      "10.0.1.5:40113 → 10.0.2.7 81/6 forwarded 1/0/0 1p 40b",
      "10.0.1.5:40113 → 10.0.2.7 81/6 forwarded 0/0/1 1p 40b",
      "10.0.1.5:53 → 10.0.2.8 3389/6 dropped 1/0/1 1p 40b",
    ]);
    expect(told.flows[0]?.origin?.direction).toBe("told");
  });

  it("take the packet's own addresses where an interface's are a gateway's, in any order of fields", () => {
    const told = read(
      `end start protocol dstport srcport pkt-dstaddr pkt-srcaddr dstaddr srcaddr\n${AT + 1} ${AT} 17 53 40000 2001:DB8::1 - 10.0.0.2 10.0.0.9\n`,
    );
    expect(shown(told)).toEqual(["10.0.0.9:40000 → 2001:db8::1 53/17 forwarded 1/0/0 0p 0b"]);
  });

  it("are read with the times that CloudWatch writes before them", () => {
    const text = `2026-01-05T10:00:00.000Z ${ROW(`10.0.1.5 10.0.2.6 40112 443 6 1 60 ${AT} ${AT} ACCEPT OK`)}\n`;
    expect(shown(read(text))).toHaveLength(1);
    expect(recogniseFormat(new TextEncoder().encode(text))?.name).toBe("aws-vpc");
  });

  it("say what is no flow, what was lost, and what cannot be read", () => {
    const told = read(
      [
        ROW(`- - - - - - - ${AT} ${AT + 60} - NODATA`),
        ROW(`- - - - - - - ${AT} ${AT + 60} - SKIPDATA`),
        ROW(`10.0.1.5 10.0.2.6 0 0 1 4 336 ${AT} ${AT + 60} ACCEPT OK`),
        ROW(`10.0.1.5 10.0.2.999 1 2 6 4 336 ${AT} ${AT + 60} ACCEPT OK`),
        ROW(`10.0.1.5 10.0.2.9 1 70000 6 4 336 ${AT} ${AT + 60} ACCEPT OK`),
        ROW(`10.0.1.5 10.0.2.9 1 2 6 4`),
        ROW(`10.0.1.5 10.0.2.9 x 2 6 4 336 ${AT} ${AT + 60} ACCEPT OK`),
        ROW(`10.0.1.5 10.0.2.9 1 2 6 4 336 ${AT} ${AT + 60} PERHAPS OK`),
        "\u001b[31mred",
      ].join("\n"),
    );
    expect(told.flows).toEqual([]);
    expect(told.others).toEqual(["NODATA", "ICMP without its type"]);
    expect(told.lost).toBe(1);
    expect(told.malformed.map(({ place, problem }) => `${place} ${problem}`)).toEqual([
      "4 no destination address",
      "5 `dstport` is out of range",
      "6 9 fields, where 14 are expected",
      "7 `srcport` is not a number",
      "8 an action that is none",
      "9 1 fields, where 14 are expected",
    ]);
    expect(told.malformed.at(-1)?.quote).toBe("�[31mred");
  });

  it("are not read by a header that lacks what a flow needs", () => {
    const told = read(`version srcaddr dstport\n5 10.0.0.1 22\n`);
    expect(told.malformed.map(({ problem }) => problem)).toEqual([
      "the header names no `protocol`, `start`, `dstaddr`",
      "the header names no `protocol`, `start`, `dstaddr`",
    ]);
  });
});

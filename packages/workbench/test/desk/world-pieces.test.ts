/** Stretches of the world: united where they overlap, joined where neighbours permit the same, cut and compared. */
import { cidrRange, formatPorts, parseIp, portsOf, TCP, type Cidr } from "@bulkhead/model";
import { expect, test } from "vitest";
import { overlay } from "../../src/desk/differences.ts";
import { rangeName } from "../../src/desk/end-names.ts";
import { cutPieces, worldPieces, type WorldPiece } from "../../src/desk/world-pieces.ts";

const piece = (cidr: Cidr, port: number): WorldPiece => ({
  range: cidrRange(cidr),
  ports: portsOf([{ kind: "range", protocol: TCP, first: port, last: port }], () => []),
});
const told = (pieces: readonly WorldPiece[]): readonly string[] =>
  pieces.map(
    ({ range, ports }) => `${rangeName(range).replace("[External]", "")} ${formatPorts(ports)}`,
  );

test("overlaps are united, neighbours joined, families apart", () => {
  const found = [
    piece("10.1.0.0/16", 80),
    piece("10.0.0.0/16", 80),
    piece("10.1.128.0/17", 443),
    piece("::/1", 80),
  ];
  expect(told(worldPieces(found))).toEqual([
    "10.0.0.0-10.1.127.255 80/tcp",
    "10.1.128.0-10.1.255.255 80/tcp, 443/tcp",
    "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 80/tcp",
  ]);
});

test("cuts fall inside pieces of IPv4, and nowhere else", () => {
  const at = (address: string): bigint => parseIp(address)!.value;
  const pieces = [piece("10.0.0.0/8", 80), piece("::/0", 80)];
  const cuts = [at("9.0.0.0"), at("10.0.0.0"), at("10.128.0.0"), at("11.0.0.0")];
  expect(told(cutPieces(pieces, cuts))).toEqual([
    "10.0.0.0-10.127.255.255 80/tcp",
    "10.128.0.0-10.255.255.255 80/tcp",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 80/tcp",
  ]);
});

test.each<readonly [string, readonly WorldPiece[], readonly WorldPiece[], readonly string[]]>([
  ["the same", [piece("10.0.0.0/8", 80)], [piece("10.0.0.0/9", 80), piece("10.128.0.0/9", 80)], []],
  [
    "neighbours that were different",
    [piece("10.0.0.0/9", 80), piece("10.128.0.0/9", 443)],
    [piece("10.0.0.0/8", 22)],
    ["10.0.0.0-10.127.255.255: 80/tcp, 22/tcp", "10.128.0.0-10.255.255.255: 443/tcp, 22/tcp"],
  ],
  [
    "neighbours that are different",
    [piece("10.0.0.0/8", 22)],
    [piece("10.0.0.0/9", 80), piece("10.128.0.0/9", 443)],
    ["10.0.0.0-10.127.255.255: 22/tcp, 80/tcp", "10.128.0.0-10.255.255.255: 22/tcp, 443/tcp"],
  ],
  [
    "neighbours that change alike",
    [piece("10.0.0.0/9", 80), piece("10.128.0.0/9", 80)],
    [piece("10.0.0.0/8", 22)],
    ["10.0.0.0-10.255.255.255: 80/tcp, 22/tcp"],
  ],
  [
    "a hole",
    [piece("10.0.0.0/8", 80)],
    [piece("10.0.0.0/9", 80)],
    ["10.128.0.0-10.255.255.255: 80/tcp, none"],
  ],
])("differences end where either side changes: %s", (_, before, after, expected) => {
  const found = overlay(worldPieces(before), worldPieces(after)).map(
    ({ range, before: was, after: is }) =>
      `${rangeName(range).replace("[External]", "")}: ${formatPorts(was)}, ${formatPorts(is)}`,
  );
  expect(found).toEqual(expected);
});

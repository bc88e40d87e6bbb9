/** What counts as under way, read from a table of connections that the test itself filled. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openConnections } from "../../src/collector/index.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { createNamespaces, netnsPath, type Namespaces } from "../namespaces.ts";

let namespaces: Namespaces;
let netns = "";
let sourcePort = 40_000;

type Ends = readonly [source: string, destination: string, port: number];

function track(protocol: "tcp" | "udp", [source, destination, port]: Ends, ...more: string[]) {
  sourcePort += 1;
  const ports = ["--sport", String(sourcePort), "--dport", String(port)];
  const ends = ["-s", source, "-d", destination, ...ports];
  const what = ["-p", protocol, ...ends, "-t", "600", ...more];
  namespaces.run(netns, ["conntrack", "-I", ...what]);
}

beforeAll(() => {
  namespaces = createNamespaces("bcc");
  netns = namespaces.add("open");
  const answered = ["-u", "SEEN_REPLY,ASSURED"];
  const state = (name: string) => ["--state", name];
  const open = [...state("ESTABLISHED"), ...answered];
  for (let copy = 0; copy < 3; copy += 1) track("tcp", ["10.7.0.9", "10.7.0.1", 5432], ...open);
  track("tcp", ["fd07::1", "fd07::9", 443], ...open);
  track("tcp", ["10.7.0.8", "10.7.0.9", 82], ...open);
  track("tcp", ["10.7.0.1", "10.7.0.9", 80], ...state("TIME_WAIT"), ...answered);
  track("tcp", ["10.7.0.1", "10.7.0.9", 81], ...state("SYN_SENT"));
  track("udp", ["10.7.0.1", "10.7.0.9", 53], "-u", "SEEN_REPLY");
  track("udp", ["10.7.0.1", "10.7.0.9", 4789], ...answered);
});

afterAll(() => namespaces?.close());

const found = (room?: number) =>
  insideNetns(netnsPath(netns), () => openConnections(new Set(["10.7.0.1", "fd07::1"]), room));

it("is what lasts and has one of the addresses at an end, like ones together", () => {
  const { connections, leftOut } = found();
  const words = connections.map(({ source, destination, protocol, port, connections: count }) =>
    [source, destination, protocol, port, `×${count}`].join(" "),
  );
  expect(words.toSorted()).toEqual([
    "10.7.0.1 10.7.0.9 17 4789 ×1",
    "10.7.0.9 10.7.0.1 6 5432 ×3",
    "fd07::1 fd07::9 6 443 ×1",
  ]);
  expect(leftOut).toBe(0);
});

it("says how many kinds found no room", () => {
  const { connections, leftOut } = found(1);
  expect([connections.length, leftOut]).toEqual([1, 2]);
});

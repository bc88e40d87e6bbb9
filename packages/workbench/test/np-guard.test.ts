/**
 * Permitted connections of real clusters, as netpol-analyzer (np-guard) lists them, line by line and in its order. The
 * fixtures are not part of this repository; they lie beside it where they are available.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  connectivityOf,
  cutWorld,
  openDesk,
  pairFormats,
  pairsOf,
  workloadName,
  type Desk,
  type HostNetworkReading,
} from "../src/desk/index.ts";

const FIXTURES = fileURLToPath(new URL("../../../../shared/fixtures/np-guard", import.meta.url));
const present = existsSync(FIXTURES);
const ABSENT = `fixtures are absent: ${FIXTURES} does not exist, nothing was compared`;
const cases = present
  ? readdirSync(join(FIXTURES, "connlist")).map((file) => basename(file, ".txt"))
  : [];

/** Their policies select pods on the node's network, or hold them for peers by their labels. */
const HOST_NETWORK = new Set([
  "ipblockstest",
  "ipblockstest_2",
  "multiple_topology_resources_1",
  "semanticDiff-same-topologies-new1",
  "semanticDiff-same-topologies-new2",
  "semanticDiff-same-topologies-old1",
  "semanticDiff-same-topologies-old2",
]);

const desk = (name: string, hostNetwork: HostNetworkReading): Desk => {
  const folder = join(FIXTURES, "tests", name);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(?:ya?ml|json)$/.test(file))
    .map((file) => ({ name: file, text: readFileSync(join(folder, file), "utf8") }));
  const opened = openDesk(files, { now: 0, hostNetwork });
  expect(opened.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return opened;
};

const lines = (asked: Desk): readonly string[] => [
  ...pairFormats.txt(pairsOf(connectivityOf(asked, 0), cutWorld(asked.set))),
];

const oracle = (name: string): readonly string[] =>
  readFileSync(join(FIXTURES, "connlist", `${name}.txt`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `${line}\n`);

test.each(present ? cases : [ABSENT])("np-guard %s", (name) => {
  const expected = present ? oracle(name) : [];
  expect(present ? lines(desk(name, "pod")) : []).toEqual(expected);
  expect(expected.length > 0).toBe(present);
});

/**
 * Kubernetes leaves open what a policy does to pods on their node's network ("NetworkPolicy behaviour for hostNetwork
 * pods is undefined"), and calls it most common that selectors ignore them and their traffic is the node's (SEMANTICS
 * trap 6). So read, answers differ from the oracle's, which knows no host network, and only in lines with such a pod at
 * one end: no policy governs it, and the way from a node to the pods on it is always open.
 */
test.each(present ? cases : [ABSENT])("np-guard %s, pods on the node's network apart", (name) => {
  const expected = present ? oracle(name) : [];
  const asked = present ? desk(name, "node") : undefined;
  const found = asked === undefined ? [] : lines(asked);
  const onNode = [...(asked?.workloads.values() ?? [])].filter(({ hostNetwork }) => hostNetwork);
  const names = new Set(onNode.map(workloadName));
  const [theirs, ours] = [new Set(expected), new Set(found)];
  const differing = [...expected, ...found].filter((line) => !theirs.has(line) || !ours.has(line));
  const argued = ([source = "", destination = ""]: readonly string[]) =>
    names.has(source) || names.has(destination);
  expect(differing.filter((line) => !argued(line.split(/ => | : /)))).toEqual([]);
  expect(differing.length > 0).toBe(HOST_NETWORK.has(name));
});

test("the fixtures are all there, or none of them", () => {
  expect(cases.length >= 28).toBe(present);
});

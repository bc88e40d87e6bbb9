/**
 * Permitted connections of real clusters, as netpol-analyzer (np-guard) lists them, line by line. The fixtures are not
 * part of this repository; they lie beside it where they are available.
 *
 * Where the oracle is known to differ, the input is brought to its view and not the answer: it knows no host network
 * and takes pods for things without addresses, so both are taken away here. Its lines know TCP, UDP and SCTP only.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPolicySet, parseFiles, type BuiltPolicy } from "@bulkhead/dialects";
import { expandConnections, indexInventory, reach, type ReachEnd } from "@bulkhead/engine";
import {
  cidrRange,
  coversPorts,
  emptyPorts,
  formatIp,
  formatProtocol,
  intersect,
  isEmptyPorts,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  SCTP,
  TCP,
  UDP,
  union,
  type Direction,
  type Peer,
  type PortSet,
  type Workload,
} from "@bulkhead/model";
import { expect, test } from "vitest";

const FIXTURES = fileURLToPath(new URL("../../../../shared/fixtures/np-guard", import.meta.url));
const present = existsSync(FIXTURES);
const cases = present
  ? readdirSync(join(FIXTURES, "connlist"))
      .map((file) => basename(file, ".txt"))
      .toSorted()
  : [];

/** An answer of the oracle that lies among the manifests it read. */
const NO_MANIFESTS = new Set(["connlist_output.json"]);

const load = (name: string): BuiltPolicy => {
  const folder = join(FIXTURES, "tests", name);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(?:ya?ml|json)$/.test(file) && !NO_MANIFESTS.has(basename(file)))
    .toSorted()
    .map((file) => ({ name: file, text: readFileSync(join(folder, file), "utf8") }));
  const { resources, diagnostics } = parseFiles(files);
  // The oracle reads the policies alone; metadata addresses kept shut are ours.
  const built = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    metadataGuard: false,
  });
  const errors = [...diagnostics, ...built.diagnostics].filter(
    ({ severity }) => severity === "error",
  );
  expect(errors).toEqual([]);
  return built;
};

const PROTOCOLS = [SCTP, TCP, UDP];
const everything = portsOf(
  PROTOCOLS.map((protocol) => ({ kind: "range", protocol, first: 1, last: MAX_PORT })),
  () => [],
);

/** `All Connections`, or `SCTP 7070,TCP 8080-8081,UDP 9090`. */
const portText = (ports: PortSet): string =>
  coversPorts(ports, everything)
    ? "All Connections"
    : PROTOCOLS.flatMap((protocol) => {
        const intervals = portsOfProtocol(ports, protocol).map(({ first, last }) =>
          first === last ? `${first}` : `${first}-${last}`,
        );
        const name = formatProtocol(protocol).toUpperCase();
        return intervals.length === 0 ? [] : [`${name} ${intervals.join(",")}`];
      }).join(",");

/**
 * Where an ipBlock of this direction begins or has ended: the oracle lists each stretch between on its own, as a source
 * by the ingress rules, as a destination by the egress rules.
 */
const cuts = ({ set }: BuiltPolicy, direction: Direction): readonly bigint[] => {
  const blocks = set.stages
    .flatMap((stage) => stage.blocks)
    .filter((block) => block.direction === direction);
  const peers = blocks.flatMap(({ rules }) => rules.flatMap((rule): readonly Peer[] => rule.peers));
  const found = peers.flatMap((peer) =>
    peer.kind === "cidr"
      ? [peer.cidr, ...peer.except].map(cidrRange).filter(({ family }) => family === 4)
      : [],
  );
  const points = found.flatMap(({ first, last }) => [first, last + 1n]);
  return [...new Set([0n, ...points, 1n << 32n])].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
};

/** What the oracle calls an end; pods of one owner are one. Nothing for what it does not list (IPv6). */
const names = (
  end: ReachEnd,
  workloads: ReadonlyMap<string, Workload>,
  points: readonly bigint[],
): readonly string[] => {
  if (end.kind === "host") return [];
  if (end.kind === "workload") {
    const workload = workloads.get(end.workload);
    if (workload === undefined) throw new Error(`no workload ${end.workload}`);
    const { kind, name } = workload.owner ?? { kind: "Pod", name: workload.name };
    return [`${workload.namespace}/${name}[${kind}]`];
  }
  if (end.range.family !== 4) return [];
  const { first, last } = end.range;
  return points.flatMap((from, i) => {
    const next = points[i + 1];
    if (next === undefined || from < first || next - 1n > last) return [];
    return [`${formatIp(4, from)}-${formatIp(4, next - 1n)}[External]`];
  });
};

const connections = (built: BuiltPolicy): readonly string[] => {
  const workloads = built.inventory.workloads.map((one) => ({
    ...one,
    addresses: [],
    hostNetwork: false,
  }));
  const index = indexInventory({
    workloads,
    namespaces: built.inventory.namespaces,
    hostAddresses: [],
  });
  const byId = new Map(workloads.map((one) => [one.id, one]));
  const sources = cuts(built, "ingress");
  const destinations = cuts(built, "egress");
  const permitted = new Map<string, PortSet>();
  for (const { from, to, ports } of expandConnections(reach(built.set, index, 0))) {
    for (const source of names(from, byId, sources)) {
      for (const destination of names(to, byId, destinations)) {
        if (source === destination) continue;
        const line = `${source} => ${destination}`;
        permitted.set(line, union(permitted.get(line) ?? emptyPorts, intersect(ports, everything)));
      }
    }
  }
  return [...permitted]
    .filter(([, ports]) => !isEmptyPorts(ports))
    .map(([line, ports]) => `${line} : ${portText(ports)}`)
    .toSorted();
};

const oracle = (name: string): readonly string[] =>
  readFileSync(join(FIXTURES, "connlist", `${name}.txt`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();

const ABSENT = `fixtures are absent: ${FIXTURES} does not exist, nothing was compared`;

test.each(present ? cases : [ABSENT])("np-guard %s", (name) => {
  const expected = present ? oracle(name) : [];
  expect(present ? connections(load(name)) : []).toEqual(expected);
  expect(expected.length > 0).toBe(present);
});

test("the fixtures are all there, or none of them", () => {
  expect(cases.length >= 28).toBe(present);
});

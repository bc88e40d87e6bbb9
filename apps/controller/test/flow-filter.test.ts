/** Every filter of the API reaches the store, and what contradicts itself is refused. */
import { expect, it } from "vitest";
import { ApiFailure, routes } from "@bulkhead/api";
import { filterOf } from "../src/flows/flow-filter.ts";

const read = (query: object) => filterOf(routes.edges.request.parse(query));

it("hands every filter on", () => {
  const filter = read({
    since: 1,
    until: 2,
    verdict: "audit",
    workload: "a",
    from: "b",
    to: "c",
    label: "d",
    fromLabel: "e",
    toLabel: "f",
    ip: "10.0.0.1",
    fromIp: "10.0.0.2",
    toIp: "10.0.0.3",
    fqdn: "a.*",
    fromFqdn: "b.*",
    toFqdn: "c.*",
    protocol: "udp",
    port: "1/udp",
    limit: 4,
    probes: "true",
  });
  expect(Object.entries(filter).filter(([, value]) => value === undefined)).toEqual([]);
  const exists = (key: string) => [{ requirements: [{ key, operator: "Exists" }] }];
  const at = (value: bigint) => [{ family: 4, first: value, last: value }];
  expect(filter).toEqual({
    since: 1,
    until: 2,
    verdicts: ["audit"],
    either: ["a"],
    from: ["b"],
    to: ["c"],
    eitherLabels: exists("d"),
    fromLabels: exists("e"),
    toLabels: exists("f"),
    eitherIps: at(0x0a000001n),
    fromIps: at(0x0a000002n),
    toIps: at(0x0a000003n),
    eitherNames: ["a.*"],
    fromNames: ["b.*"],
    toNames: ["c.*"],
    protocols: [17],
    ports: [{ protocol: 17, first: 1, last: 1 }],
    limit: 4,
    first: 0,
    probes: true,
  });
});

it("refuses the newest and the oldest at once", () => {
  expect(() => read({ limit: 1, first: 1 })).toThrow(ApiFailure);
});

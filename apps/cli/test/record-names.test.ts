/** Names of records: the same in every file that holds them, and another for whatever says something else. */
import { expect, it } from "vitest";
import type { Flow, FlowFormat } from "@bulkhead/model";
import { awsRows, readRows } from "./record-rows.ts";
import { createRecordNames } from "../src/flows/record-names.ts";

const flow = (more: Partial<Flow> = {}): Flow => ({
  start: 1000,
  end: 2000,
  source: { address: "10.0.0.1", name: "10.0.0.1", labels: {} },
  destination: { address: "10.0.0.2", name: "10.0.0.2", labels: {} },
  protocol: 17,
  port: 123,
  sourcePort: 123,
  verdict: "forwarded",
  connections: 1,
  established: 0,
  failed: 0,
  bytes: 76,
  packets: 1,
  origin: told("aws-vpc"),
  ...more,
});
const told = (format: FlowFormat) => ({
  format,
  sampling: 1,
  aggregation: 0,
  direction: "told" as const,
});
const nameOf = (one: Flow, turned?: boolean): string => createRecordNames("")(one, turned);

it("does not heed what a reader makes of what stood before, nor what an export adds", () => {
  const { source, destination } = flow();
  const turned = flow({ source: destination, destination: source, connections: 0, established: 1 });
  expect(nameOf(turned, true)).toBe(nameOf(flow(), false));
  expect(nameOf(turned, false)).toBe(nameOf(flow(), true));
  expect(nameOf(flow(), true)).not.toBe(nameOf(flow()));
  const named = { ...source, name: "shop/web", workload: "shop/web", labels: { app: "web" } };
  expect(nameOf(flow({ source: named, rule: "default/web", probe: false }))).toBe(nameOf(flow()));
  const guessed = { ...told("aws-vpc"), aggregation: 60_000, direction: "guessed" as const };
  expect(nameOf(flow({ origin: guessed }))).toBe(nameOf(flow()));
});

it("is another for each thing that a record says by itself", () => {
  const others: readonly Partial<Flow>[] = [
    { start: 1001 },
    { end: 2001 },
    { bytes: 77 },
    { packets: 2 },
    { verdict: "dropped" },
    { protocol: 6 },
    { port: 124 },
    { sourcePort: 124 },
    { node: "eni-1" },
    { destination: { address: "10.0.0.3", name: "10.0.0.3", labels: {} } },
    { origin: told("zeek") },
    { request: { method: "GET", path: "/a" } },
    { request: { method: "GET", path: "/b" } },
    { request: { method: "GET", path: "/a", status: 200 } },
  ];
  const names = [flow(), ...others.map(flow)].map((one) => nameOf(one));
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^[0-9a-f]{16}$/.test(name))).toBe(true);
  // A record of ours tells its connections by itself.
  const own = { origin: told("bulkhead") };
  expect(nameOf(flow({ ...own, connections: 2 }))).not.toBe(nameOf(flow(own)));
});

it("counts through what is said the very same way, as far back as it remembers", () => {
  const name = createRecordNames("", 2);
  const [first, second, third] = [name(flow()), name(flow()), name(flow())];
  expect(new Set([first, second, third]).size).toBe(3);
  const again = createRecordNames("", 2);
  expect([again(flow()), again(flow())]).toEqual([first, second]);
  for (let at = 0; at < 5; at += 1) again(flow({ start: at, end: 5000 }));
  expect(again(flow())).toBe(first);
});

it("knows rows of a log again wherever the file begins, with and without flags", () => {
  for (const flags of [false, true]) {
    const rows = awsRows(flags);
    const whole = readRows(rows);
    for (let from = 0; from < rows.length; from += 1) {
      const part = readRows(rows.slice(from));
      expect(part.filter((one) => !whole.includes(one))).toEqual([]);
    }
    expect(new Set(whole).size).toBe(whole.length);
  }
});

it("is another in each store, so that nobody can look for two records of one name beforehand", () => {
  const [here, there] = [createRecordNames("a"), createRecordNames("b")];
  expect(here(flow())).not.toBe(there(flow()));
  expect(createRecordNames("a")(flow())).toBe(createRecordNames("a")(flow()));
});

/** What every flow store owes, whatever is beneath it. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import fc from "fast-check";
import {
  AGENT_ORIGIN,
  DAY_MS,
  HOUR_MS,
  parseCidr,
  parseDomainPattern,
  parseSelector,
  type DomainPattern,
  type Edge,
  type EdgeHistory,
  type Flow,
  type FlowOrigin,
  type IpRange,
  type Selector,
} from "@bulkhead/model";
import { flowFits, flowPages, type FlowFilter, type FlowStore } from "../src/index.ts";

export function flow(more: Partial<Flow> = {}): Flow {
  return {
    start: 1000,
    end: 1500,
    source: { address: "10.0.0.2", workload: "shop/web", name: "shop/web", labels: { app: "web" } },
    destination: {
      address: "10.0.0.3",
      workload: "shop/db",
      name: "shop/db",
      labels: { app: "db" },
    },
    protocol: 6,
    port: 5432,
    sourcePort: 40000,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 100,
    packets: 4,
    ...more,
  };
}

const world = { address: "192.0.2.7", name: "world", labels: {} };

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.selector;
}

function prefix(text: string): IpRange {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(`${text} is no prefix`);
  return parsed.range;
}

function domain(text: string): DomainPattern {
  const pattern = parseDomainPattern(text);
  if (pattern === null) throw new Error(`${text} is no pattern`);
  return pattern;
}

/** Every end to every end, by two protocols, one a second. */
export function everyKind(): readonly Flow[] {
  const ends = [
    flow().source,
    { ...flow().source, labels: { app: "web", tier: "front" } },
    flow().destination,
    { ...world, address: "fd00::7", names: ["a.example.com", "b.example.org"] },
    { ...world, names: ["www.example.com"] },
    world,
  ];
  const verdicts = ["forwarded", "dropped", "audit"] as const;
  return ends
    .flatMap((source) => ends.map((destination) => ({ source, destination })))
    .flatMap((pair) => [
      { ...pair, protocol: 6, port: 5432 },
      { ...pair, protocol: 17, port: 53 },
    ])
    .map((one, index) =>
      flow({
        ...one,
        start: 1000 * index,
        verdict: verdicts[index % 3] ?? "error",
        ...(index % 7 === 0 ? { probe: true } : {}),
      }),
    );
}

/** What is compared of an edge's history: all but order, where first sights are the same. */
function factsOf({ edge, days }: EdgeHistory) {
  const { source, destination, protocol, port, verdict, probe = false } = edge;
  const { connections, established, failed, bytes, packets, firstSeen, lastSeen, windows } = edge;
  const key = [source.address, source.name, destination.address, destination.name];
  return {
    key: [firstSeen, ...key, protocol, port, verdict, probe].join(" "),
    labels: [source.labels, destination.labels],
    names: [source.names ?? [], destination.names ?? []],
    sums: [connections, established, failed, bytes, packets, firstSeen, lastSeen, windows],
    days,
  };
}

/** The law of edges, without a store. */
function historiesOf(flows: readonly Flow[]) {
  const groups = new Map<string, Flow[]>();
  for (const one of flows.toSorted((a, b) => a.start - b.start)) {
    const { source, destination, protocol, port, verdict, probe = false } = one;
    const ends = [source.address, source.name, destination.address, destination.name];
    const key = [...ends, protocol, port, verdict, probe].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sum = (group: readonly Flow[], of: (one: Flow) => number) =>
    group.reduce((total, one) => total + of(one), 0);
  const namesOf = (group: readonly Flow[], end: "source" | "destination") =>
    [...new Set(group.flatMap((one) => one[end].names ?? []))].toSorted();
  return [...groups].map(([key, group]) => {
    const [first, last] = [group[0] ?? flow(), group.at(-1) ?? flow()];
    const began = group.filter(({ connections }) => connections > 0);
    const days = [...new Set(group.map(({ start }) => Math.floor(start / DAY_MS)))];
    return {
      key: `${first.start} ${key}`,
      labels: [last.source.labels, last.destination.labels],
      names: [namesOf(group, "source"), namesOf(group, "destination")],
      sums: [
        sum(group, (one) => one.connections),
        sum(group, (one) => one.established),
        sum(group, (one) => one.failed),
        sum(group, (one) => one.bytes),
        sum(group, (one) => one.packets),
        first.start,
        Math.max(...group.map(({ end }) => end)),
        new Set(began.map(({ start }) => Math.floor(start / 1000))).size,
      ],
      days: days.map((day) => {
        const within = group.filter(({ start }) => Math.floor(start / DAY_MS) === day);
        return {
          day,
          hours: within
            .filter(({ connections }) => connections > 0)
            .reduce((mask, { start }) => mask | (1 << Math.floor((start % DAY_MS) / HOUR_MS)), 0),
          connections: sum(within, (one) => one.connections),
        };
      }),
    };
  });
}

const some = <T>(...values: readonly T[]) => fc.subarray([...values], { minLength: 1 });
const texts = ["app=web", "app in (web,db)", "!tier", "tier", "app!=web", "app=web,tier=front"];
const selectors = () => some(...texts.map(selector));
const prefixes = () => some(...["10.0.0.0/30", "10.0.0.2/32", "fd00::/16", "::/0"].map(prefix));
const domains = () => some(...["*.example.com", "b.example.org", "*", "nothing"].map(domain));
const names = () => some("shop/web", "shop/db", "world", "nobody");
/** Most fields absent most of the time, or next to nothing would fit. */
const rarely = <T>(values: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

const anyFilter: fc.Arbitrary<FlowFilter> = fc.record({
  since: rarely(fc.integer({ min: 0, max: 50_000 })),
  until: rarely(fc.integer({ min: 0, max: 50_000 })),
  verdicts: rarely(some("forwarded", "dropped", "audit", "error" as const)),
  either: rarely(names()),
  from: rarely(names()),
  to: rarely(names()),
  eitherLabels: rarely(selectors()),
  fromLabels: rarely(selectors()),
  toLabels: rarely(selectors()),
  eitherIps: rarely(prefixes()),
  fromIps: rarely(prefixes()),
  toIps: rarely(prefixes()),
  eitherNames: rarely(domains()),
  fromNames: rarely(domains()),
  toNames: rarely(domains()),
  protocols: rarely(some(6, 17, 1)),
  ports: rarely(
    some({ protocol: 6, first: 5000, last: 6000 }, { protocol: 17, first: 53, last: 53 }),
  ),
  probes: fc.boolean(),
});

/** By DuckDB, which is not ours. */
async function parquet(file: string): Promise<readonly object[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const read = await connection.runAndReadAll("SELECT * FROM read_parquet($1)", [file]);
    // Some write times of UTC with that zone, and some without one.
    return read
      .getRowObjectsJson()
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === "string" ? value.replace(/\+00$/, "") : value,
          ]),
        ),
      );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

interface Thoroughness {
  /** Of the runs of random tests: some stores take their time. */
  readonly share?: number;
  /** Is it the store itself that sums days when it is told to compact? */
  readonly sums?: boolean;
}

export function flowStoreConformance(
  open: () => FlowStore,
  reopen: () => Promise<FlowStore>,
  /** A folder for files, empty at each test. */
  folder: () => string,
  { share = 1, sums = true }: Thoroughness = {},
): void {
  const every = { probes: true };
  /** In an order that is the same whatever order they came in. */
  const alike = (edges: readonly Edge[]) =>
    edges.map((edge) => JSON.stringify(Object.entries(edge).toSorted())).toSorted();
  const inParts = async (filter: FlowFilter) => {
    const edges: Edge[] = [];
    for await (const part of open().edgeParts(filter)) edges.push(...part);
    return alike(edges);
  };

  it("gives back what was appended, oldest first, after reopening", async () => {
    const late = flow({
      start: 3000,
      verdict: "dropped",
      cookie: "0badcafe",
      direction: "ingress",
      rule: "Policy/shop/db#ingress",
      destination: { ...world, names: ["a.example", "b.example"] },
      node: "n1",
    });
    const process = { name: "nginx", pid: 7, uid: 33, user: "www-data", unit: "nginx.service" };
    const early = flow({ probe: true, source: { ...flow().source, process } });
    await open().append([{ boot: "b", sequence: 1, flows: [late, early] }]);
    expect(await (await reopen()).flows(every)).toEqual([early, late]);
  });

  it("tells of an edge every name that its ends ever had, and no process", async () => {
    const called = (start: number, names?: readonly string[]) =>
      flow({
        start,
        source: { ...flow().source, process: { uid: 0 } },
        destination: { ...world, ...(names === undefined ? {} : { names }) },
      });
    const flows = [called(1, ["b.example"]), called(2), called(3, ["a.example", "b.example"])];
    await open().append([{ boot: "b", sequence: 1, flows }]);
    const edges = await open().edges(every);
    expect(edges.map(({ destination }) => destination.names)).toEqual([["a.example", "b.example"]]);
    expect(edges[0]?.source).not.toHaveProperty("process");
    const pattern = domain("a.*");
    expect((await open().edges({ ...every, toNames: [pattern] }))[0]?.connections).toBe(1);
  });

  it("ignores a batch it has, also after reopening and within one call", async () => {
    const batch = { boot: "b", sequence: 1, flows: [flow()] };
    await open().append([batch, batch]);
    const again = await reopen();
    expect(await again.lastSequence("b")).toBe(1);
    await again.append([
      batch,
      { boot: "b", sequence: 2, flows: [flow({ start: 2000 })] },
      { ...batch, boot: "c" },
    ]);
    expect(await again.flows(every)).toHaveLength(3);
    expect([
      await again.lastSequence("b"),
      await again.lastSequence("c"),
      await again.lastSequence("d"),
    ]).toEqual([2, 1, 0]);
  });

  it("leaves out what was told before, by the digests of records, also after reopening", async () => {
    const at = (hour: number) => flow({ start: hour * HOUR_MS, end: hour * HOUR_MS + 5 });
    const told = (boot: string, hours: readonly number[], digests: readonly bigint[]) => ({
      boot,
      sequence: 1,
      flows: hours.map(at),
      digests,
    });
    const startsOf = (flows: Iterable<Flow>) => [...flows].map(({ start }) => start / HOUR_MS);
    const [low, high] = [-(2n ** 63n), 2n ** 63n - 1n];
    const first = await open().append([told("a", [1, 2, 3], [low, -5n, 0n])]);
    expect([...first.leftOut]).toEqual([]);
    const again = await reopen();
    // The same record, and the same digest at another time; twice in one batch, and in two of one call.
    const second = await again.append([
      told("b", [2, 3, 4, 4], [-5n, 0n, high, high]),
      told("c", [4, 5], [high, 7n]),
      { boot: "d", sequence: 1, flows: [at(2)] },
    ]);
    expect(startsOf(second.leftOut)).toEqual([2, 3, 4, 4]);
    expect(startsOf(await again.flows(every))).toEqual([1, 2, 2, 3, 4, 5]);
    expect((await again.histories(every)).flatMap(({ days }) => days)).toMatchObject([
      { hours: 0b111110, connections: 6 },
    ]);
    // A batch sent again is there with all that is in it; one without digests says nothing of records.
    const repeated = told("c", [4, 5], [high, 7n]);
    const agents = { boot: "d", sequence: 1, flows: [at(2)] };
    expect(startsOf((await again.append([repeated, agents])).leftOut)).toEqual([4, 5]);
    const whole = await again.append([told("e", [1, 5], [low, 7n])]);
    expect(startsOf(whole.leftOut)).toEqual([1, 5]);
    expect(await again.lastSequence("e")).toBe(1);
  });

  it("forgets digests with the days that they are of", async () => {
    const one = (boot: string, day: number, digest: bigint) => ({
      boot,
      sequence: 1,
      flows: [flow({ start: day * DAY_MS, end: day * DAY_MS })],
      digests: [digest],
    });
    await open().append([one("a", 10, 1n), one("b", 40, 2n)]);
    await open().prune({ before: 20 * DAY_MS, maxRecords: 100, daysBefore: 20 * DAY_MS });
    const { leftOut } = await open().append([one("c", 10, 1n), one("d", 40, 2n)]);
    expect([...leftOut].map(({ start }) => start / DAY_MS)).toEqual([40]);
  });

  it("has a name of its own, for as long as it lasts", async () => {
    const { store } = await open().stats();
    expect(store).toMatch(/^[0-9a-f-]{36}$/);
    await open().append([{ boot: "b", sequence: 1, flows: [flow()] }]);
    expect((await (await reopen()).stats()).store).toBe(store);
  });

  it("filters", async () => {
    const records = [
      flow({ start: 1000 }),
      flow({ start: 2000, verdict: "audit" }),
      flow({ start: 3000, destination: world, port: 443 }),
      flow({ start: 4000, probe: true }),
      flow({ start: 5000, protocol: 17, port: 53, source: { ...world, name: "o'brien" } }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    const starts = async (filter: object) =>
      (await open().flows({ probes: false, ...filter })).map((found) => found.start);
    expect(await starts({})).toEqual([1000, 2000, 3000, 5000]);
    expect(await starts({ probes: true })).toEqual([1000, 2000, 3000, 4000, 5000]);
    expect(await starts({ since: 2000, until: 5000 })).toEqual([2000, 3000]);
    expect(await starts({ verdicts: ["audit", "dropped"] })).toEqual([2000]);
    expect(await starts({ verdicts: [] })).toEqual([]);
    expect(await starts({ either: ["world", "o'brien"] })).toEqual([3000, 5000]);
    expect(await starts({ from: ["shop/web"], to: ["shop/db"] })).toEqual([1000, 2000]);
    const domain = { protocol: 17, first: 53, last: 53 };
    expect(await starts({ ports: [domain] })).toEqual([5000]);
    expect(await starts({ ports: [domain, { protocol: 6, first: 1, last: 1023 }] })).toEqual([
      3000, 5000,
    ]);
    expect(await starts({ protocols: [17, 1] })).toEqual([5000]);
    expect(await starts({ protocols: [] })).toEqual([]);
    expect(await starts({ limit: 2 })).toEqual([3000, 5000]);
    expect(await starts({ first: 2 })).toEqual([1000, 2000]);
    expect(await starts({ protocols: [6], limit: 1 })).toEqual([3000]);
  });

  it("selects by the labels that an end had then, not by those it got later", async () => {
    const web = flow().source;
    const canary = { ...web, labels: { app: "web", track: "canary" } };
    const records = [
      flow({ start: 1000, source: web }),
      flow({ start: 2000, source: canary }),
      flow({ start: 3000, source: world, destination: web }),
      flow({ start: 4000, source: world, destination: world }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    const starts = async (filter: object) =>
      (await open().flows({ probes: false, ...filter })).map((found) => found.start);
    expect(await starts({ fromLabels: [selector("app=web")] })).toEqual([1000, 2000]);
    expect(await starts({ fromLabels: [selector("app=web,!track")] })).toEqual([1000]);
    expect(await starts({ toLabels: [selector("app=web")] })).toEqual([3000]);
    expect(await starts({ eitherLabels: [selector("app=web")] })).toEqual([1000, 2000, 3000]);
    expect(
      await starts({ eitherLabels: [selector("app=db"), selector("track in (canary,test)")] }),
    ).toEqual([1000, 2000]);
    // What has no labels at all is without this one, too.
    expect(await starts({ fromLabels: [selector("app!=web")] })).toEqual([3000, 4000]);
    expect(await starts({ fromLabels: [selector("app=nobody")] })).toEqual([]);
    expect(await starts({ fromLabels: [] })).toEqual([]);
    // Labels that are no selector of SQL's, nor of JSON's.
    expect(await starts({ toLabels: [selector("app.kubernetes.io/name=web")] })).toEqual([]);
    const [edge, ...others] = await open().edges({
      probes: false,
      fromLabels: [selector("!track")],
      toLabels: [selector("app=db")],
    });
    expect([edge?.connections, edge?.source.labels, others]).toEqual([1, { app: "web" }, []]);
  });

  it("selects by addresses and prefixes of both families", async () => {
    const at = (address: string) => ({ ...world, address });
    const records = [
      flow({ start: 1000, source: at("10.1.2.3"), destination: at("192.0.2.1") }),
      flow({ start: 2000, source: at("10.2.0.1"), destination: at("fd00::2") }),
      flow({ start: 3000, source: at("fd00::1"), destination: at("10.1.255.255") }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    const starts = async (filter: object) =>
      (await open().flows({ probes: false, ...filter })).map((found) => found.start);
    expect(await starts({ fromIps: [prefix("10.1.0.0/16")] })).toEqual([1000]);
    expect(await starts({ fromIps: [prefix("10.2.0.1/32"), prefix("fd00::/64")] })).toEqual([
      2000, 3000,
    ]);
    expect(await starts({ toIps: [prefix("fd00::/8")] })).toEqual([2000]);
    expect(await starts({ eitherIps: [prefix("10.1.0.0/16")] })).toEqual([1000, 3000]);
    expect(await starts({ fromIps: [prefix("0.0.0.0/0")] })).toEqual([1000, 2000]);
    expect(await starts({ fromIps: [prefix("10.3.0.0/16")] })).toEqual([]);
  });

  it("hands out all flows a page at a time, each once, also where many began together", async () => {
    const records = [1, 2, 2, 2, 2, 3, 3, 4].map((start, index) => flow({ start, port: index }));
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    for (const page of [1, 2, 3, 8, 99]) {
      const found: Flow[] = [];
      for await (const some of flowPages(open(), { ...every, since: 1 }, page)) {
        expect(some.length).toBeLessThanOrEqual(page);
        found.push(...some);
      }
      expect(found).toEqual(records);
    }
  });

  it("takes the newest or the oldest edges, in the order of their first sight", async () => {
    const records = [53, 80, 443].map((port, index) =>
      flow({ port, start: 1000 * (index + 1), end: 9000 - 1000 * index }),
    );
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    const ports = async (filter: object) =>
      (await open().edges({ probes: false, ...filter })).map((edge) => edge.port);
    expect(await ports({})).toEqual([53, 80, 443]);
    expect(await ports({ limit: 2 })).toEqual([53, 80]);
    expect(await ports({ first: 1 })).toEqual([53]);
  });

  it("answers any filter as `flowFits` would", async () => {
    const records = everyKind();
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    let told = 0;
    await fc.assert(
      fc.asyncProperty(anyFilter, async (filter) => {
        const wanted = records.filter((record) => flowFits(filter, record));
        if (wanted.length > 0 && wanted.length < records.length) told += 1;
        const found = await open().flows(filter);
        expect(found.map(({ start }) => start)).toEqual(wanted.map(({ start }) => start));
        const edges = await open().edges(filter);
        expect(edges.reduce((sum, edge) => sum + edge.connections, 0)).toBe(wanted.length);
        expect(await inParts(filter)).toEqual(alike(edges));
      }),
      { numRuns: Math.ceil(100 * share) },
    );
    // Filters that let all or nothing through tell little.
    expect(told).toBeGreaterThan(20 * share);
    // Hundreds of questions to a real engine, on a machine that may have other things to do.
  }, 120_000);

  it("aggregates edges, keeps verdicts, addresses and probes apart, and labels them as last seen", async () => {
    const relabelled = { ...flow().source, labels: { app: "web", tier: "front" } };
    await open().append([
      {
        boot: "b",
        sequence: 1,
        flows: [
          flow({ start: 1000, end: 1100 }),
          flow({ start: 1900, end: 1950, connections: 2, established: 1, failed: 1 }),
          flow({ start: 7000, end: 7500, source: relabelled }),
          // Later news of a connection: no new window.
          flow({
            start: 9000,
            end: 9500,
            connections: 0,
            established: 0,
            bytes: 900,
            source: relabelled,
          }),
          flow({ start: 2000, verdict: "dropped" }),
          flow({ start: 3000, probe: true }),
          flow({ start: 4000, source: { ...flow().source, address: "fd00::2" } }),
        ],
      },
    ]);
    const edges = await open().edges(every);
    expect(edges.map((edge) => [edge.source.address, edge.verdict, edge.probe ?? false])).toEqual([
      ["10.0.0.2", "forwarded", false],
      ["10.0.0.2", "dropped", false],
      ["10.0.0.2", "forwarded", true],
      ["fd00::2", "forwarded", false],
    ]);
    expect(edges[0]).toEqual({
      source: relabelled,
      destination: flow().destination,
      protocol: 6,
      port: 5432,
      verdict: "forwarded",
      connections: 4,
      established: 3,
      failed: 1,
      bytes: 1200,
      packets: 16,
      firstSeen: 1000,
      lastSeen: 9500,
      windows: 2,
    });
    expect(await open().edges({ probes: false })).toHaveLength(3);
    // The first to be seen is also the last; what was refused in between is older than either.
    const newest = await open().edges({ probes: false, limit: 2 });
    expect(newest.map((edge) => [edge.source.address, edge.firstSeen])).toEqual([
      ["10.0.0.2", 1000],
      ["fd00::2", 4000],
    ]);
  });

  it("forgets by age and by number, oldest first, and says how many", async () => {
    const flows = [1000, 2000, 3000, 4000].map((start) => flow({ start, end: start }));
    await open().append([{ boot: "b", sequence: 1, flows }]);
    expect(await open().stats()).toMatchObject({ stored: 4, oldest: 1000, newest: 4000 });
    const kept = { maxRecords: 2, daysBefore: 0 };
    expect((await open().prune({ ...kept, before: 1500 })).flows).toBe(2);
    expect((await open().flows(every)).map((found) => found.start)).toEqual([3000, 4000]);
    expect((await open().prune({ ...kept, before: 9999 })).flows).toBe(2);
    const stats = await open().stats();
    expect(stats).toMatchObject({ stored: 0 });
    expect(stats).not.toHaveProperty("oldest");
  });

  it("keeps how a flow came to be known, and its request; an edge has every way once", async () => {
    const hubble: FlowOrigin = {
      format: "hubble",
      sampling: 1,
      aggregation: 0,
      direction: "told",
    };
    const request = { method: "GET", host: "db.example", path: "/a", status: 200 };
    const flows = [
      flow({ start: 1000 }),
      flow({ start: 2000, origin: hubble, request }),
      flow({ start: 3000, origin: hubble }),
      flow({ start: 4000, port: 1, origin: hubble }),
      flow({ start: 5000, port: 2 }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows }]);
    expect(await (await reopen()).flows(every)).toEqual(flows);
    const edges = await open().edges(every);
    expect(edges.map(({ origins }) => origins)).toEqual([
      [AGENT_ORIGIN, hubble],
      [hubble],
      undefined,
    ]);
  });

  it("tells of each edge on which days it was seen, and in which of their hours it began", async () => {
    const at = (day: number, hour: number, more: Partial<Flow> = {}) => {
      const start = day * DAY_MS + hour * HOUR_MS;
      return flow({ start, end: start + 10, ...more });
    };
    const batch = (sequence: number, flows: readonly Flow[]) => ({ boot: "b", sequence, flows });
    await open().append([
      batch(1, [at(3, 23), at(2, 0, { connections: 2 }), at(2, 0), at(3, 1, { port: 1 })]),
      // Late, and out of order.
      batch(2, [at(2, 5), at(4, 7, { connections: 0, established: 0 })]),
    ]);
    const told = async (filter: FlowFilter) =>
      (await open().histories(filter)).map(({ edge, days }) => [
        edge.port,
        ...days.map(({ day, hours, connections }) => [day, hours, connections]),
      ]);
    const whole = [
      [5432, [2, (1 << 0) | (1 << 5), 4], [3, 1 << 23, 1], [4, 0, 0]],
      [1, [3, 1 << 1, 1]],
    ];
    expect(await told(every)).toEqual(whole);
    expect((await open().histories(every)).map(({ edge }) => edge)).toEqual(
      await open().edges(every),
    );
    expect(await told({ ...every, since: 2 * DAY_MS + HOUR_MS, until: 3 * DAY_MS })).toEqual([
      [5432, [2, 1 << 5, 1]],
    ]);
    expect(await told({ ...every, limit: 1 })).toEqual(whole.slice(0, 1));
    expect(await told({ ...every, verdicts: [] })).toEqual([]);
    await open().compact(5 * DAY_MS);
    expect(await told(every)).toEqual(whole);
    const again = await reopen();
    await again.append([batch(3, [at(2, 6)])]);
    expect(await told({ ...every, until: 3 * DAY_MS })).toEqual([
      [5432, [2, (1 << 0) | (1 << 5) | (1 << 6), 5]],
    ]);
  });

  it("knows in which hours records came in, for longer than it has the records", async () => {
    const start = (day: number, hour: number) => flow({ start: day * DAY_MS + hour * HOUR_MS });
    await open().append([
      { boot: "b", sequence: 1, flows: [start(3, 23), start(2, 0), start(2, 0)] },
    ]);
    const origin = { format: "zeek", sampling: 1, aggregation: 0, direction: "told" } as const;
    const imported = [start(2, 4), start(2, 5)].map((one) => ({ ...one, origin }));
    await open().append([{ boot: "b", sequence: 2, flows: [start(2, 4), ...imported] }]);
    const last = { day: 3, hours: 1 << 23, by: { agent: 1 << 23 } };
    const all = [{ day: 2, hours: 49, by: { agent: 17, zeek: 48 } }, last];
    expect(await (await reopen()).watch()).toEqual(all);
    expect(await open().watch(2 * DAY_MS + HOUR_MS, 2 * DAY_MS + 5 * HOUR_MS)).toEqual([
      { day: 2, hours: 16, by: { agent: 16, zeek: 16 } },
    ]);
    // A part of an hour is enough, and who told of none of them is not there.
    expect(await open().watch(2 * DAY_MS + 5.5 * HOUR_MS)).toEqual([
      { day: 2, hours: 32, by: { zeek: 32 } },
      last,
    ]);
    expect(await open().stats()).toMatchObject({ firstDay: 2, lastDay: 3 });
    await open().prune({ before: 9 * DAY_MS, maxRecords: 0, daysBefore: 0 });
    expect(await open().watch()).toEqual(all);
    await open().prune({ before: 9 * DAY_MS, maxRecords: 0, daysBefore: 3 * DAY_MS });
    expect(await open().watch()).toEqual([last]);
  });

  it("writes flows and edges to Parquet, filtered as they are read", async () => {
    const file = join(folder(), "out'put.parquet");
    const records = [
      flow(),
      flow({ start: 2000, port: 443, rule: "r" }),
      flow({ start: 3000, probe: true }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    expect(await open().exportTo(file, { probes: false }, "flows")).toEqual({ rows: 2 });
    expect(await parquet(file)).toMatchObject([
      {
        start: "1970-01-01 00:00:01",
        source_name: "shop/web",
        source_labels: '{"app":"web"}',
        port: 5432,
        rule: null,
        bytes: "100",
      },
      { start: "1970-01-01 00:00:02", port: 443, rule: "r" },
    ]);
    const asked = { ...every, ports: [{ protocol: 6, first: 5432, last: 5432 }] };
    expect(await open().exportTo(file, asked, "edges")).toEqual({ rows: 2 });
    expect(await parquet(file)).toMatchObject([
      { first_seen: "1970-01-01 00:00:01", probe: false, connections: "1", origins: null },
      { probe: true, windows: "1" },
    ]);
    expect(await open().exportTo(file, { ...every, verdicts: [] }, "edges")).toEqual({ rows: 0 });
    expect(await parquet(file)).toEqual([]);
  });

  it("answers the same before and after days are summed, whatever comes when", async () => {
    const kinds = everyKind();
    // So many days that a block of them is over, or two, with some that are cut by what is asked.
    const when = fc.integer({ min: 0, max: 45 * 24 }).map((hour) => hour * HOUR_MS + hour * 700);
    const record = fc
      .tuple(fc.nat(kinds.length - 1), when, fc.nat(2))
      .map(([kind, start, connections]) =>
        flow({ ...kinds[kind], start, end: start, connections }),
      );
    const step = fc.oneof(
      fc.array(record, { minLength: 1, maxLength: 12 }).map((flows) => ({ flows })),
      fc.integer({ min: 0, max: 75 }).map((day) => ({ compact: day * DAY_MS })),
    );
    const first = { flows: [flow({ start: 1000 })] };
    const next = { flows: [flow({ start: DAY_MS })] };
    const then = { flows: [flow({ start: 40 * DAY_MS })] };
    const span = fc.record({ since: rarely(when), until: rarely(when), probes: fc.boolean() });
    let run = 0;
    let summed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 6 }),
        fc.array(span, { minLength: 2, maxLength: 2 }),
        async (steps, spans) => {
          run += 1;
          // One file for all runs: it begins with nothing.
          await open().prune({ before: 0, maxRecords: 0, daysBefore: 99 * DAY_MS });
          expect(await open().histories(every)).toEqual([]);
          const flows: Flow[] = [];
          for (const [index, one] of steps.entries()) {
            if ("flows" in one) {
              // Which of two labels of the same moment is the later, nobody can tell.
              const apart = one.flows.map((each, at) => {
                const start = each.start + flows.length + at;
                return { ...each, start, end: start };
              });
              await open().append([{ boot: `run ${run}`, sequence: index + 1, flows: apart }]);
              flows.push(...apart);
            } else summed += (await open().compact(one.compact)).days;
          }
          for (const filter of [every, ...spans]) {
            const wanted = flows.filter((one) => flowFits(filter, one));
            const found = await open().histories(filter);
            expect(found.map(factsOf)).toEqual(historiesOf(wanted));
            const edges = await open().edges(filter);
            expect(edges).toEqual(found.map(({ edge }) => edge));
            expect(await inParts(filter)).toEqual(alike(edges));
          }
        },
      ),
      // A day that comes when its neighbours are summed together, and a block after another.
      {
        numRuns: Math.ceil(12 * share),
        examples: [
          [[first, { compact: 45 * DAY_MS }, next, { compact: 45 * DAY_MS }], [every]],
          [[first, { compact: 45 * DAY_MS }, then, { compact: 70 * DAY_MS }], [every]],
        ],
      },
    );
    if (sums) expect(summed).toBeGreaterThan(20);
  });

  it("tells by whole days of what it has no single flows of, and adds what comes late", async () => {
    const at = (day: number, hour: number, more: Partial<Flow> = {}) => {
      const start = day * DAY_MS + hour * HOUR_MS;
      return flow({ start, end: start + 10, ...more });
    };
    const batch = (sequence: number, flows: readonly Flow[]) => ({ boot: "b", sequence, flows });
    const canary = { ...flow().source, labels: { track: "canary" } };
    await open().append([batch(1, [at(1, 1), at(1, 5, { source: canary }), at(2, 1), at(2, 9)])]);
    const forgotten = { before: 2 * DAY_MS + 2 * HOUR_MS, maxRecords: 99, daysBefore: 0 };
    expect(await open().prune(forgotten)).toEqual({ flows: 3, days: 0 });
    const told = async (filter: FlowFilter) =>
      (await (await reopen()).histories(filter)).map(({ edge, days }) => [
        edge.connections,
        edge.windows,
        edge.source.labels,
        ...days.map(({ day, hours, connections }) => [day, hours, connections]),
      ]);
    const second = [2, (1 << 1) | (1 << 9), 2];
    expect(await told(every)).toEqual([[4, 4, { app: "web" }, [1, 34, 2], second]]);
    expect(await told({ ...every, since: 2 * DAY_MS + 8 * HOUR_MS })).toEqual([
      [2, 2, { app: "web" }, second],
    ]);
    expect(await told({ ...every, until: 2 * DAY_MS, fromLabels: [selector("track")] })).toEqual([
      [1, 1, { track: "canary" }, [1, 32, 1]],
    ]);
    await open().append([batch(2, [at(1, 6), at(2, 10)])]);
    const whole = [[6, 6, { app: "web" }, [1, 98, 3], [2, 2 | 512 | 1024, 3]]];
    expect(await told(every)).toEqual(whole);
    // The time of what came late is known.
    expect(await told({ ...every, since: 2 * DAY_MS + 11 * HOUR_MS })).toEqual([
      [2, 2, { app: "web" }, second],
    ]);
    await open().compact(9 * DAY_MS);
    expect(await told(every)).toEqual(whole);
    expect(await open().prune({ ...forgotten, before: 9 * DAY_MS })).toEqual({ flows: 3, days: 0 });
    expect(await told(every)).toEqual(whole);
    await open().compact(90 * DAY_MS);
    expect(await told(every)).toEqual(whole);
    const pruned = await open().prune({ before: 0, maxRecords: 0, daysBefore: 2 * DAY_MS });
    expect(pruned.days).toBeGreaterThan(0);
    expect(await told(every)).toEqual([[3, 3, { app: "web" }, [2, 2 | 512 | 1024, 3]]]);
    await open().compact(90 * DAY_MS);
    expect(await told(every)).toHaveLength(1);
    await open().prune({ before: 0, maxRecords: 0, daysBefore: 9 * DAY_MS });
    await open().compact(90 * DAY_MS);
    expect(await told(every)).toEqual([]);
    expect(await open().stats()).toMatchObject({ stored: 0 });
    // What it had forgotten comes back as new.
    await open().append([batch(3, [at(3, 6)])]);
    expect(await told(every)).toEqual([[1, 1, { app: "web" }, [3, 64, 1]]]);
  });

  it("hands out edges in parts, of what was there, until nobody wants more", async () => {
    const batch = (sequence: number) => ({ boot: "b", sequence, flows: everyKind() });
    await open().append([batch(1)]);
    const before = await open().edges(every);
    const parts = open().edgeParts(every)[Symbol.asyncIterator]();
    const first = await parts.next();
    await open().append([batch(2)]);
    const seen = first.done === true ? [] : [...first.value];
    for (let part = await parts.next(); part.done !== true; part = await parts.next())
      seen.push(...part.value);
    expect(alike(seen)).toEqual(alike(before));
    for await (const part of open().edgeParts(every)) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    await open().compact(2 * DAY_MS);
    expect(await inParts(every)).toEqual(alike(await open().edges(every)));
  });

  it("takes appends and queries at the same time", async () => {
    const work: Promise<unknown>[] = [];
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      work.push(open().append([{ boot: "b", sequence, flows: [flow({ start: sequence })] }]));
      work.push(open().edges(every));
    }
    await Promise.all(work);
    expect(await open().stats()).toMatchObject({ stored: 20 });
  });
}

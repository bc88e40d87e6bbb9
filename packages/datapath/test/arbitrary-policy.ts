/**
 * Random but sound HostPolicies for property tests: disjoint ranges, canonical rows, overlays that do not overlap, names
 * and interfaces of awkward shapes. Everything is small, so that shrinking ends quickly and the kernel keeps up.
 */
import fc from "fast-check";
import { compareIp, formatIp, sortIps } from "@bulkhead/model";
import type {
  BridgePort,
  CanaryMaps,
  ConfinedEndpoint,
  ConfinedProcess,
  Direction,
  HostPolicy,
  IpAddress,
  IpFamily,
  MapSet,
  OverlayEntry,
  PolicyMap,
  ProcessOverlayEntry,
  ProcessSocket,
  Row,
  RowDecision,
  RowInterval,
} from "@bulkhead/model";

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length })
    .map((digits) => digits.join(""));

const decision: fc.Arbitrary<RowDecision> = fc.record({
  verdict: fc.constantFrom("allow", "drop", "reject"),
  cookie: fc.constantFrom("00000000", "0000000a", "deadbeef", "ffffffff"),
});

const FIRST: Readonly<Record<IpFamily, bigint>> = { 4: 0x0a000000n, 6: 0xfd00n << 112n };

/** A few hundred addresses in two neighbourhoods, so that collisions and adjacency happen, and the edges of all space. */
const addressValue = (family: IpFamily): fc.Arbitrary<bigint> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.integer({ min: 1, max: 400 }).map((n) => FIRST[family] + BigInt(n)),
    },
    { weight: 1, arbitrary: fc.constantFrom(1n, (1n << (family === 4 ? 32n : 128n)) - 1n) },
  );

const family: fc.Arbitrary<IpFamily> = fc.constantFrom(4, 6);

const addressOf = (f: IpFamily): fc.Arbitrary<IpAddress> =>
  addressValue(f).map((value) => formatIp(f, value));

const address: fc.Arbitrary<IpAddress> = family.chain(addressOf);

/** Disjoint closed ranges of one family from a list of cut points. */
const ranges = (f: IpFamily): fc.Arbitrary<(readonly [IpAddress, IpAddress])[]> =>
  fc.uniqueArray(addressValue(f), { maxLength: 10 }).map((points) => {
    const sorted = points.toSorted((a, b) => (a < b ? -1 : 1));
    const found: [IpAddress, IpAddress][] = [];
    for (let at = 0; at + 1 < sorted.length; at += 2)
      found.push([formatIp(f, sorted[at] as bigint), formatIp(f, sorted[at + 1] as bigint)]);
    return found;
  });

const same = (a: RowDecision, b: RowDecision): boolean =>
  a.verdict === b.verdict && a.cookie === b.cookie;

const intervals: fc.Arbitrary<RowInterval[]> = fc
  .uniqueArray(
    fc.oneof(
      fc.constantFrom(1, 53, 54, 80, 443, 2048, 2049, 32_768, 32_769, 65_535),
      fc.integer({ min: 1, max: 65_535 }),
    ),
    { maxLength: 6 },
  )
  .chain((cuts) =>
    fc
      .array(decision, { minLength: cuts.length + 1, maxLength: cuts.length + 1 })
      .map((decisions) => {
        const starts = [0, ...cuts.toSorted((a, b) => a - b)];
        const merged: RowInterval[] = [];
        starts.forEach((first, index) => {
          const last = (starts[index + 1] ?? 65_536) - 1;
          const chosen = decisions[index] as RowDecision;
          const previous = merged.at(-1);
          if (previous !== undefined && same(previous.decision, chosen))
            merged[merged.length - 1] = { ...previous, last };
          else merged.push({ first, last, decision: chosen });
        });
        return merged;
      }),
  );

const PROTOCOLS = [1, 6, 17, 47, 50, 58, 132, 136, 255];

const rowBody: fc.Arbitrary<Omit<Row, "id">> = fc
  .record({
    others: decision,
    protocols: fc.uniqueArray(fc.record({ protocol: fc.constantFrom(...PROTOCOLS), intervals }), {
      selector: ({ protocol }) => protocol,
      maxLength: 4,
    }),
  })
  .map(({ others, protocols }) => ({
    others,
    protocols: protocols
      .filter(({ intervals: list }) => list.some(({ decision: d }) => !same(d, others)))
      .toSorted((a, b) => a.protocol - b.protocol),
  }));

interface Shape {
  readonly rows: readonly Row[];
  readonly now: number;
  readonly processes: readonly ConfinedProcess[];
}

/** Of several levels, with names such as systemd, containers and mischief make them. */
const processes: fc.Arbitrary<ConfinedProcess[]> = fc
  .uniqueArray(
    fc.record({
      cgroup: fc.constantFrom(
        "/init.scope",
        "/system.slice/nginx.service",
        "/system.slice/dev-disk-by\\x2duuid.service",
        "/system.slice/odd . name, {x} : y #",
        "/user.slice/user-1000.slice/session-1.scope",
        `/machine.slice/${"m".repeat(200)}`,
      ),
      mode: fc.constantFrom("observe" as const, "audit" as const, "enforce" as const),
    }),
    { selector: ({ cgroup }) => cgroup, maxLength: 4 },
  )
  .map((list) =>
    list.map(({ cgroup, mode }, index) => ({
      workload: `host/u${index} %"`,
      cgroup,
      handle: `a000000${index}`,
      mode,
    })),
  );

const someOf = <T>(list: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...list]);

const socketsOf = (list: readonly ConfinedProcess[]): fc.Arbitrary<ProcessSocket[]> =>
  list.length === 0
    ? fc.constant([])
    : fc.uniqueArray(
        fc
          .record({
            workload: fc.constantFrom(...list.map(({ workload }) => workload)),
            at: fc.option(
              family.chain((f) => fc.tuple(fc.constant(f), addressOf(f))),
              {
                nil: undefined,
              },
            ),
            open: family,
            protocol: fc.constantFrom(6, 17, 132),
            port: fc.constantFrom(1, 53, 65_535),
          })
          .map(({ workload, at, open, protocol, port }) => ({
            workload,
            ...(at === undefined ? {} : { address: at[1] }),
            family: at === undefined ? open : at[0],
            protocol,
            port,
          })),
        {
          selector: (one) => `${one.address} ${one.family} ${one.protocol} ${one.port}`,
          maxLength: 6,
        },
      );

const peerOverlayOf = (
  classId: string,
  { processes: list, now }: Shape,
): fc.Arbitrary<ProcessOverlayEntry[]> =>
  list.length === 0
    ? fc.constant([])
    : fc
        .uniqueArray(
          fc.record({
            process: fc.constantFrom(...list.map(({ workload }) => workload)),
            protocol: fc.constantFrom(...PROTOCOLS),
            ports: fc.constantFrom(
              [80, 80] as const,
              [1000, 2000] as const,
              [0, 65_535] as const,
              [0, 0] as const,
            ),
            decision,
            life: fc.integer({ min: 3_600_000, max: 7_200_000 }),
          }),
          { selector: ({ process, protocol }) => `${process} ${protocol}`, maxLength: 3 },
        )
        .map((entries) =>
          entries.map(({ life, decision: chosen, ...entry }) => ({
            classId,
            direction: "ingress" as const,
            ...entry,
            decision: chosen,
            deadline: now + life,
          })),
        );

const overlayOf = (
  classId: string,
  direction: Direction,
  now: number,
): fc.Arbitrary<OverlayEntry[]> =>
  fc
    .uniqueArray(
      fc.record({
        peers: family.chain((f) =>
          fc.tuple(addressValue(f), fc.integer({ min: 0, max: 3 })).map(([first, more]) => {
            const top = (1n << (f === 4 ? 32n : 128n)) - 1n;
            const last = first + BigInt(more) > top ? first : first + BigInt(more);
            return [formatIp(f, first), formatIp(f, last)] as const;
          }),
        ),
        protocol: fc.constantFrom(...PROTOCOLS),
        ports: fc.constantFrom(
          [80, 80] as const,
          [1000, 2000] as const,
          [0, 65_535] as const,
          [0, 0] as const,
        ),
        decision,
        life: fc.integer({ min: 3_600_000, max: 7_200_000 }),
      }),
      // One entry a protocol and neighbourhood keeps them disjoint.
      { selector: ({ peers, protocol }) => `${protocol} ${peers[0].includes(":")}`, maxLength: 4 },
    )
    .map((entries) =>
      entries.map(({ peers, protocol, ports, decision: chosen, life }) => ({
        classId,
        direction,
        peer: peers,
        protocol,
        ports,
        decision: chosen,
        deadline: now + life,
      })),
    );

const mapOf = (classId: string, direction: Direction, shape: Shape): fc.Arbitrary<PolicyMap> => {
  const rowId = fc.constantFrom(...shape.rows.map(({ id }) => id));
  const peers = shape.processes.map(({ workload }) => workload);
  return fc
    .record({
      exact: fc.uniqueArray(fc.tuple(address, rowId), { selector: ([a]) => a, maxLength: 12 }),
      ranges4: ranges(4),
      ranges6: ranges(6),
      rangeRows: fc.array(rowId, { minLength: 12, maxLength: 12 }),
      defaultRow: rowId,
      peers: someOf(direction === "egress" ? [] : peers),
      peerRows: fc.array(rowId, { minLength: 4, maxLength: 4 }),
    })
    .map(({ exact, ranges4, ranges6, rangeRows, defaultRow, peers: told, peerRows }) => ({
      classId,
      direction,
      exact: exact.toSorted((a, b) => compareIp(a[0], b[0])),
      ranges: [...ranges4, ...ranges6].map(
        ([first, last], index) => [first, last, rangeRows[index] as string] as const,
      ),
      defaultRow,
      ...(told.length === 0
        ? {}
        : { processes: told.map((name, index) => [name, peerRows[index] as string] as const) }),
    }));
};

const mapSet = (shape: Shape): fc.Arbitrary<MapSet> =>
  fc
    .record({
      egress: fc.uniqueArray(hex(8), { maxLength: 2 }),
      ingress: fc.uniqueArray(hex(12), { maxLength: 2 }),
    })
    .chain((ids) => {
      const classes = (["egress", "ingress"] as const).flatMap((direction) =>
        ids[direction].toSorted().map((id) => [id, direction] as const),
      );
      const subjectsOf = (direction: Direction): fc.Arbitrary<[IpAddress, string][]> =>
        ids[direction].length === 0
          ? fc.constant([])
          : fc.uniqueArray(fc.tuple(address, fc.constantFrom(...ids[direction])), {
              selector: ([a]) => a,
              maxLength: 6,
            });
      return fc.record({
        subjects: fc.record({
          egress: subjectsOf("egress").map((list) =>
            list.toSorted((a, b) => compareIp(a[0], b[0])),
          ),
          ingress: subjectsOf("ingress").map((list) =>
            list.toSorted((a, b) => compareIp(a[0], b[0])),
          ),
        }),
        maps: fc.tuple(...classes.map(([id, direction]) => mapOf(id, direction, shape))),
        overlay: fc
          .tuple(...classes.map(([id, direction]) => overlayOf(id, direction, shape.now)))
          .map((lists) => lists.flat()),
        judged: fc.record({
          egress: judgedBy(shape.processes, ids.egress),
          ingress: judgedBy(shape.processes, ids.ingress),
        }),
        processOverlay: fc
          .tuple(...ids.ingress.map((id) => peerOverlayOf(id, shape)))
          .map((lists) => lists.flat()),
      });
    })
    .map(({ judged, processOverlay, ...set }) => ({
      ...set,
      ...(judged.egress.length + judged.ingress.length === 0 ? {} : { processes: judged }),
      ...(processOverlay.length === 0 ? {} : { processOverlay }),
    }));

const judgedBy = (
  list: readonly ConfinedProcess[],
  ids: readonly string[],
): fc.Arbitrary<(readonly [string, string])[]> =>
  ids.length === 0
    ? fc.constant([])
    : fc
        .tuple(someOf(list), fc.array(fc.constantFrom(...ids), { minLength: 4, maxLength: 4 }))
        .map(([some, classes]) =>
          some.map(({ workload }, index) => [workload, classes[index] as string] as const),
        );

/** No two links of a machine have one number. */
const numbered = <T extends BridgePort>(list: readonly T[], from: number): T[] =>
  list.map((port, index) => ({ ...port, ifindex: port.ifindex * 16 + from + index }));

const endpoints: fc.Arbitrary<ConfinedEndpoint[]> = fc
  .uniqueArray(
    fc.record({
      workload: fc.constantFrom(
        "shop/web",
        "shop/db",
        `${"n".repeat(63)}/${"x".repeat(200)}`,
        'odd/ü "%\\',
      ),
      interface: fc.constantFrom(
        "eth0",
        "veth1a2b3c",
        "br-1.100",
        "v:x@y",
        "a_b",
        "cali0123456789a",
      ),
      ifindex: fc.integer({ min: 100, max: 100_000_000 }),
      mac: hex(10).map((rest) => `02:${(rest.match(/../g) ?? []).join(":")}`),
      addresses: fc.uniqueArray(address, { maxLength: 4 }).map(sortIps),
      mode: fc.constantFrom("observe", "audit", "enforce"),
      dhcp: fc.constantFrom(undefined, undefined, true),
    }),
    { selector: (endpoint) => endpoint.interface, maxLength: 5 },
  )
  .map((list) => numbered(list, 0));

const ports: fc.Arbitrary<BridgePort[]> = fc
  .uniqueArray(
    fc.record({
      interface: fc.constantFrom("enp3s0", "tap.1", "bond0:1", "17", "v-up@x"),
      ifindex: fc.integer({ min: 100, max: 100_000_000 }),
    }),
    { selector: (port) => port.interface, maxLength: 3 },
  )
  .map((list) => numbered(list, 8).toSorted((a, b) => (a.interface < b.interface ? -1 : 1)));

const usedRows = (sets: readonly MapSet[]): ReadonlySet<string> =>
  new Set(
    sets.flatMap(({ maps }) =>
      maps.flatMap((map) => [
        ...map.exact.map(([, id]) => id),
        ...map.ranges.map(([, , id]) => id),
        ...(map.processes ?? []).map(([, id]) => id),
        map.defaultRow,
      ]),
    ),
  );

const canary = (shape: Shape): fc.Arbitrary<CanaryMaps> =>
  fc.record({
    seed: fc.integer({ min: 1, max: 0xffffffff }),
    share: fc.integer({ min: 1, max: 9999 }),
    maps: mapSet(shape),
  });

/** `now`: overlay deadlines lie one to two hours after it. */
export const arbitraryHostPolicy = (now: number): fc.Arbitrary<HostPolicy> =>
  fc
    .array(rowBody, { minLength: 1, maxLength: 5 })
    .map((bodies) => bodies.map((body, index) => ({ id: `0000000${index}`, ...body })))
    .chain((rows) => fc.tuple(fc.constant(rows), fc.oneof(fc.constant([]), processes)))
    .chain(([rows, known]) =>
      fc
        .record({
          revision: fc.nat(),
          endpoints,
          ports,
          hostAddresses: fc.uniqueArray(address, { maxLength: 4 }).map(sortIps),
          managed: known.length === 0 ? fc.constant([]) : someOf(["/system.slice", "/x y"]),
          sockets: socketsOf(known),
          live: mapSet({ rows, now, processes: known }),
          shadow: mapSet({ rows, now, processes: known }),
          canary: fc.option(canary({ rows, now, processes: known }), { nil: undefined }),
          profile: fc.record({
            nodeExempt: fc.boolean(),
            hairpinExempt: fc.boolean(),
            dns: fc
              .uniqueArray(fc.record({ address, port: fc.constantFrom(53, 5353, 65_535) }), {
                selector: (one) => `${one.address} ${one.port}`,
                maxLength: 3,
              })
              .map((list) =>
                list.toSorted((a, b) => compareIp(a.address, b.address) || a.port - b.port),
              ),
          }),
          contested: fc.uniqueArray(address, { maxLength: 2 }).map(sortIps),
        })
        .map(({ canary: rollout, ...policy }) => {
          const part = rollout === undefined ? {} : { canary: rollout };
          const used = usedRows([policy.live, policy.shadow, ...(rollout ? [rollout.maps] : [])]);
          return {
            ...policy,
            ...part,
            processes: known,
            rows: rows.filter(({ id }) => used.has(id)),
          };
        }),
    );

/** The same policy for workloads' addresses alone. */
export const withoutProcesses = (policy: HostPolicy): HostPolicy => {
  const plain = ({ subjects, maps, overlay }: MapSet): MapSet => ({
    subjects,
    maps: maps.map(({ classId, direction, exact, ranges, defaultRow }) => ({
      classId,
      direction,
      exact,
      ranges,
      defaultRow,
    })),
    overlay,
  });
  const { canary } = policy;
  return {
    ...policy,
    processes: [],
    managed: [],
    sockets: [],
    live: plain(policy.live),
    shadow: plain(policy.shadow),
    ...(canary ? { canary: { ...canary, maps: plain(canary.maps) } } : {}),
  };
};

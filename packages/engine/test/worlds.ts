/**
 * Small random worlds for property tests: few labels, few addresses, many overlaps, so that every clause of a policy is
 * hit often. Everything is drawn from fast-check, so a failing world shrinks and its seed replays it.
 */
import fc from "fast-check";
import {
  familyOf,
  ICMP,
  SCTP,
  TCP,
  UDP,
  type Block,
  type Cidr,
  type Endpoint,
  type FlowQuery,
  type Inventory,
  type IpAddress,
  type Labels,
  type LocalProcess,
  type NamespaceScope,
  type OwnedSocket,
  type Peer,
  type PolicySet,
  type PortMatch,
  type Profile,
  type Requirement,
  type Rule,
  type Selector,
  type Stage,
  type Workload,
} from "@bulkhead/model";

export const NOW = 1_700_000_000_000;
/** Moments around which things expire in these worlds. */
export const MOMENTS = [NOW - 1, NOW, NOW + 1, NOW + 1000, NOW + 2000] as const;

const POOL: readonly IpAddress[] = [
  "10.0.0.1",
  "10.0.0.3",
  "10.0.0.4",
  "10.0.0.5",
  "10.0.0.7",
  "10.0.0.8",
  "10.0.1.1",
  "192.0.2.9",
  "fd00::1",
  "fd00::3",
  "fd00::4",
  "fd00::8",
];
const WORLD_ONLY: readonly IpAddress[] = [
  "0.0.0.0",
  "9.255.255.255",
  "10.0.0.6",
  "10.0.0.255",
  "10.255.255.255",
  "11.0.0.0",
  "255.255.255.255",
  "::",
  "fd00::5",
  "fd00::7",
  "ff02::1:2",
  "223.255.255.255",
  "224.0.0.251",
  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
export const HOST: readonly IpAddress[] = ["10.0.0.254", "fd00::fe"];
export const ADDRESSES: readonly IpAddress[] = [...POOL, ...WORLD_ONLY, ...HOST];
export const PREFIXES: readonly Cidr[] = [
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/24",
  "10.0.0.4/30",
  "10.0.0.5/32",
  "10.0.0.254/32",
  "192.0.2.0/24",
  "255.255.255.255/32",
  "224.0.0.0/4",
  "ff00::/8",
  "::/0",
  "fd00::/64",
  "fd00::4/126",
  "fd00::fe/128",
  "127.0.0.0/8",
  "127.0.0.0/30",
  "127.0.0.53/32",
  "::1/128",
];

export interface World {
  readonly set: PolicySet;
  readonly inventory: Inventory;
  /** Workloads attached to the machine that is compiled for. */
  readonly endpoints: readonly Endpoint[];
  /** Those that are its own processes. */
  readonly processes: readonly LocalProcess[];
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);

/** An empty list matches nothing: worth a try now and then. */
const mostlySome = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.array(one, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant<T[]>([]) },
  );
const labelValue = pick(["web", "db", "cache"]);

const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key: pick(["app", "tier"]),
    operator: pick(["In", "NotIn"] as const),
    values: fc.uniqueArray(labelValue, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key: pick(["app", "tier"]), operator: pick(["Exists", "DoesNotExist"] as const) }),
);
const selector: fc.Arbitrary<Selector> = fc.record({
  requirements: fc.array(requirement, { maxLength: 2 }),
});
const namespaceSelector: fc.Arbitrary<Selector> = fc.record({
  requirements: fc.array(
    fc.oneof(
      fc.record({
        key: fc.constant("team"),
        operator: pick(["In", "NotIn"] as const),
        values: fc.uniqueArray(pick(["x", "y"]), { minLength: 1 }),
      }),
      fc.record({
        key: fc.constant("kubernetes.io/metadata.name"),
        operator: fc.constant("In" as const),
        values: fc.uniqueArray(pick(["a", "b"]), { minLength: 1 }),
      }),
    ),
    { maxLength: 1 },
  ),
});
const scope: fc.Arbitrary<NamespaceScope> = fc.oneof(
  fc.constant<NamespaceScope>({ kind: "all" }),
  pick(["a", "b", "c"]).map((name): NamespaceScope => ({ kind: "named", name })),
  namespaceSelector.map((chosen): NamespaceScope => ({ kind: "selected", selector: chosen })),
);
const workloadPeer = fc.record({
  kind: fc.constant("workloads" as const),
  namespaces: scope,
  selector,
});

const peer: fc.Arbitrary<Peer> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Peer>({ kind: "any" }) },
  { weight: 4, arbitrary: workloadPeer },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("cidr" as const),
      cidr: pick(PREFIXES),
      except: fc.uniqueArray(pick(PREFIXES), { maxLength: 2 }),
      matchesWorkloads: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("entity" as const),
      entity: pick(["host", "world"] as const),
    }),
  },
);

const GRE = 47;
const EDGES = [0, 1, 53, 79, 80, 81, 443, 8080, 0x0800, 65534, 65535];
const port: fc.Arbitrary<PortMatch> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<PortMatch>({ kind: "all" }) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(pick([TCP, TCP, UDP, SCTP, ICMP]), pick(EDGES), pick(EDGES))
      .map(([protocol, a, b]): PortMatch => ({
        kind: "range",
        protocol,
        first: Math.min(a, b),
        last: Math.max(a, b),
      })),
  },
  {
    weight: 1,
    arbitrary: pick([TCP, UDP, ICMP, GRE]).map((protocol): PortMatch => ({
      kind: "protocol",
      protocol,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("named" as const),
      protocol: pick([TCP, UDP]),
      name: pick(["http", "dns"]),
    }),
  },
);

const expiry = fc.option(pick(MOMENTS), { nil: undefined, freq: 3 });
const enforce = fc.oneof(
  { weight: 4, arbitrary: fc.constant("on" as const) },
  { weight: 1, arbitrary: fc.constant("staged" as const) },
);
const source = { file: "world.yaml", line: 1, column: 1 };

type Draft<T> = Omit<T, "id" | "source" | "policy">;

const rule: fc.Arbitrary<Draft<Rule>> = fc.record({
  action: fc.oneof(
    { weight: 5, arbitrary: fc.constant("allow" as const) },
    { weight: 3, arbitrary: fc.constant("deny" as const) },
    { weight: 4, arbitrary: pick(["reject", "reject", "pass"] as const) },
    { weight: 1, arbitrary: pick(["log", "audit"] as const) },
  ),
  peers: mostlySome(peer),
  ports: mostlySome(port),
  enforce,
  expiresAt: expiry,
});
const block = fc.record({
  subject: fc.oneof(
    { weight: 1, arbitrary: fc.constant({ kind: "all-workloads" as const }) },
    { weight: 4, arbitrary: workloadPeer },
  ),
  direction: pick(["egress", "ingress"] as const),
  order: pick([[0], [1], [1, 2], [1, 2]]),
  isolates: fc.boolean(),
  enforce,
  expiresAt: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: expiry },
  ),
  rules: fc.array(rule, { maxLength: 4 }),
});
const stage = fc.record({
  plane: fc.oneof(
    { weight: 9, arbitrary: fc.constant("net" as const) },
    { weight: 1, arbitrary: fc.constant("mesh" as const) },
  ),
  mode: pick(["firstMatch", "anyAllow", "denyOverrides"] as const),
  endIfApplied: pick(["deny", "deny", "pass"] as const),
  /** How many stages of its plane to jump over; null = to the end. */
  jump: fc.option(pick([1, 2]), { nil: null, freq: 4 }),
  blocks: fc.array(block, { maxLength: 4 }),
});

export const profileArbitrary: fc.Arbitrary<Profile> = fc.record({
  nodeExempt: fc.boolean(),
  hairpinExempt: fc.boolean(),
  // The second one is no address of the machine.
  dns: fc.subarray([
    { address: "10.0.0.254", port: 53 },
    { address: "192.0.2.9", port: 53 },
    { address: "fd00::fe", port: 8080 },
  ]),
  dhcp: fc.subarray(["br0", "veth-w1"]),
  default: fc.oneof(
    { weight: 4, arbitrary: fc.constant("allow" as const) },
    { weight: 1, arbitrary: fc.constant("deny" as const) },
  ),
});

export const policySetArbitrary: fc.Arbitrary<PolicySet> = fc
  .tuple(profileArbitrary, fc.array(stage, { minLength: 1, maxLength: 4 }))
  .map(([profile, drafts]) => ({
    profile,
    stages: drafts.map(({ jump, blocks, ...draft }, s): Stage => {
      const later = drafts.flatMap(({ plane }, i) => (i > s && plane === draft.plane ? [i] : []));
      const target = jump === null ? undefined : later[jump - 1];
      return {
        ...draft,
        id: `stage${s}`,
        onPass: target === undefined ? null : `stage${target}`,
        blocks: blocks.map(({ rules, ...rest }, b): Block => {
          const id = `Policy/s${s}/b${b}#${rest.direction}`;
          return {
            ...rest,
            id,
            source,
            policy: { kind: "Policy", namespace: `s${s}`, name: `b${b}` },
            rules: rules.map((one, r): Rule => ({ ...one, id: `${id}/r${r}`, source })),
          };
        }),
      };
    }),
  }));

const labels = fc
  .record({
    app: fc.option(labelValue, { nil: undefined, freq: 4 }),
    tier: fc.option(labelValue, { nil: undefined }),
  })
  .map((all) =>
    Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  );

const namedPorts = fc.subarray([
  { name: "http", protocol: TCP, port: 80 },
  { name: "http", protocol: TCP, port: 8080 },
  { name: "dns", protocol: UDP, port: 53 },
  { name: "dns", protocol: TCP, port: 53 },
]);

/** Workloads here may claim each other's addresses. */
const anyInventory: fc.Arbitrary<Inventory> = fc
  .record({
    workloads: fc.array(
      fc.record({
        namespace: pick(["a", "b", "c"]),
        labels,
        addresses: fc.uniqueArray(pick(POOL), { minLength: 1, maxLength: 2 }),
        namedPorts,
        hostNetwork: fc.oneof(
          { weight: 9, arbitrary: fc.constant(false) },
          { weight: 1, arbitrary: fc.constant(true) },
        ),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    teams: fc.record({ a: pick(["x", "y"]), b: fc.option(pick(["x", "y"]), { nil: undefined }) }),
  })
  .map(({ workloads, teams }): Inventory => ({
    hostAddresses: HOST,
    namespaces: [
      { name: "a", labels: { team: teams.a } },
      { name: "b", labels: teams.b === undefined ? ({} as Labels) : { team: teams.b } },
    ],
    workloads: workloads.map((draft, i): Workload => ({
      ...draft,
      id: `${draft.namespace}/w${i}`,
      name: `w${i}`,
      kind: "netns",
    })),
  }));

/** Loopback as processes meet it: in every stretch that the prefixes here cut it into. */
export const LOOPBACKS: readonly IpAddress[] = [
  "127.0.0.1",
  "127.0.0.2",
  "127.0.0.53",
  "127.9.9.9",
  "::1",
];

const socket: fc.Arbitrary<OwnedSocket> = fc
  .record({
    bound: fc.option(pick([...HOST, "127.0.0.1", "127.0.0.53", "::1"]), { nil: undefined }),
    otherwise: pick([4, 6] as const),
    protocol: pick([TCP, TCP, UDP]),
    port: pick([80, 80, 53, 443, 8080]),
  })
  .map(({ bound, otherwise, protocol, port: number }) => ({
    ...(bound === undefined ? { family: otherwise } : { address: bound, family: familyOf(bound) }),
    protocol,
    port: number,
  }));

/** Processes claim each other's sockets. Whoever comes after has other names. */
const processes: fc.Arbitrary<Workload[]> = fc
  .array(
    fc.record({
      // Fewer policies speak of the last one.
      namespace: pick(["a", "b", "d", "d"]),
      labels,
      namedPorts,
      sockets: fc.array(socket, { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((drafts) =>
    drafts.map((draft, i) => ({
      ...draft,
      id: `${draft.namespace}/p${i}`,
      name: `p${i}`,
      kind: "process" as const,
      addresses: [],
      hostNetwork: false,
      cgroup: `/${draft.namespace}.slice/p${i}.service`,
    })),
  );

export function localProcess({ id, cgroup }: Workload): LocalProcess[] {
  return cgroup === undefined ? [] : [{ workload: id, cgroup }];
}

/** Every address has one owner. */
export const inventoryArbitrary = anyInventory.map((inventory) => ({
  ...inventory,
  workloads: distinctAddresses(inventory.workloads),
}));

/** The first workload to name an address keeps it. */
function distinctAddresses(workloads: readonly Workload[]): Workload[] {
  const taken = new Set<IpAddress>();
  return workloads.map((workload) => {
    const addresses = workload.addresses.filter((address) => !taken.has(address));
    for (const address of addresses) taken.add(address);
    return { ...workload, addresses };
  });
}

export function endpointOf(workload: Workload): Endpoint {
  return {
    workload: workload.id,
    kind: "netns",
    interface: `veth-${workload.name}`,
    ...(workload.namespace === "a" ? { bridge: "br0" } : {}),
    ifindex: 1,
    mac: "02:00:00:00:00:01",
    addresses: workload.addresses,
    netnsPath: `/run/netns/${workload.name}`,
  };
}

const worldOf = (inventories: fc.Arbitrary<Inventory>): fc.Arbitrary<World> =>
  fc
    .tuple(policySetArbitrary, inventories, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }))
    .map(([set, inventory, local]): World => {
      const endpoints = inventory.workloads
        .filter((workload, i) => local[i] && !workload.hostNetwork && workload.kind !== "process")
        .map(endpointOf);
      return {
        set,
        inventory: { ...inventory, attachments: endpoints },
        endpoints,
        processes: inventory.workloads.flatMap(localProcess),
      };
    });

/** Some workloads are nodes, and others run on these. */
const withNodes = (inventories: fc.Arbitrary<Inventory>): fc.Arbitrary<Inventory> =>
  fc
    .tuple(inventories, fc.array(fc.nat(8), { minLength: 6, maxLength: 6 }))
    .map(([inventory, draws]) => {
      const nodes = inventory.workloads.filter((_, i) => draws[i] === 0);
      const workloads = inventory.workloads.map((workload, i): Workload => {
        if (nodes.includes(workload)) return { ...workload, kind: "node" };
        const node = nodes[draws[i]! % 2];
        return node === undefined ? workload : { ...workload, node: node.id };
      });
      return { ...inventory, workloads };
    });

export const worldArbitrary = worldOf(withNodes(inventoryArbitrary));
/** Addresses may have several claimants. */
export const contestedWorldArbitrary = worldOf(withNodes(anyInventory));
/** The machine has processes; a workload may claim one of its addresses. */
export const processWorldArbitrary: fc.Arbitrary<World> = worldOf(
  fc
    .tuple(anyInventory, processes, fc.option(pick(HOST), { nil: undefined, freq: 4 }))
    .map(([inventory, own, claimed]) => {
      const [first, ...others] = inventory.workloads;
      const greedy = { ...first!, addresses: [...first!.addresses, ...(claimed ? [claimed] : [])] };
      return { ...inventory, workloads: [greedy, ...others, ...own] };
    }),
);

/** Every address has one owner, and the processes wait nowhere. */
export const quietWorldArbitrary = worldOf(
  fc.tuple(inventoryArbitrary, processes).map(([inventory, own]) => ({
    ...inventory,
    workloads: [...inventory.workloads, ...own.map((process) => ({ ...process, sockets: [] }))],
  })),
);

export const flowArbitrary: fc.Arbitrary<FlowQuery> = fc.record({
  source: pick(ADDRESSES),
  destination: pick(ADDRESSES),
  protocol: pick([TCP, TCP, UDP, SCTP, ICMP, GRE, 255, 0]),
  port: pick([...EDGES, 2, 52, 54, 7999]),
});

/** Many flows of one world, before they are aimed at it. */
export const flowsArbitrary = fc.array(fc.tuple(flowArbitrary, fc.nat(), fc.nat()), {
  minLength: 25,
  maxLength: 25,
});

/** Most flows start or end at a workload: the rest of the world is judged by nobody. */
export function aimed(
  inventory: Inventory,
  samples: readonly (readonly [FlowQuery, number, number])[],
): FlowQuery[] {
  const owned = inventory.workloads.flatMap(({ addresses }) => addresses);
  const end = (n: number, otherwise: string) =>
    n % 3 === 0 ? otherwise : (owned[n % owned.length] ?? otherwise);
  return samples.map(([flow, a, b]) => ({
    ...flow,
    source: end(a, flow.source),
    destination: end(b, flow.destination),
  }));
}

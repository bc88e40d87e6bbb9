/**
 * Random policies about processes, on real packets: what the kernel lets through is what `lookup` says of the same policy, which
 * the engine's own tests hold to the reference.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { lookup } from "@bulkhead/engine";
import type { FlowQuery, HostPolicy, ProcessSocket, Row, WorkloadId } from "@bulkhead/model";
import { ALLOW, DROP, canonical, portRow, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { OPEN, REFUSED, SHUT, host, onEveryDriverInProcessesLab } from "./processes-lab.ts";

const UDP = 17;
const PORTS = [OPEN, SHUT, REFUSED];
const NAMES = ["host/client", "host/server", "host/unrelated"] as const;
/** By number, so that a policy that fails can be read. */
const row = (kind: number): Row =>
  [rowOf(ALLOW), rowOf(DROP), portRow(UDP, [[OPEN, OPEN]], ALLOW, DROP)][kind] as Row;

const kind = fc.nat({ max: 2 });
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(one, { nil: undefined });

const shape = fc.record({
  egress: fc.tuple(maybe(kind), maybe(kind), maybe(kind)),
  ingress: fc.tuple(maybe(kind), maybe(kind)),
  box: fc.record({ egress: maybe(kind), ingress: maybe(kind) }),
  /** Rows by process, of the server's class and of the box's. */
  peers: fc.array(fc.tuple(fc.boolean(), fc.constantFrom(...NAMES), kind), { maxLength: 4 }),
  /** Who is told to own each of the server's ports. */
  owners: fc.tuple(...PORTS.map(() => maybe(fc.constantFrom(...NAMES)))),
  bound: fc.boolean(),
  nodeExempt: fc.boolean(),
  hairpinExempt: fc.boolean(),
  managed: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

const policyOfShape = (text: Shape): HostPolicy => {
  const { v4 } = host.lab.workload("box");
  const peers = (ofBox: boolean): [WorkloadId, Row][] => [
    ...new Map(
      text.peers.filter(([box]) => box === ofBox).map(([, name, k]) => [name, row(k)] as const),
    ),
  ];
  const classes: (ClassText | undefined)[] = [
    ...text.egress.map(
      (k, index) =>
        k !== undefined && {
          direction: "egress" as const,
          subjects: [],
          processes: [NAMES[index] as string],
          defaultRow: row(k),
        },
    ),
    ...text.ingress.map(
      (k, index) =>
        k !== undefined && {
          direction: "ingress" as const,
          subjects: [],
          processes: [NAMES[index] as string],
          peers: index === 1 ? peers(false) : [],
          defaultRow: row(k),
        },
    ),
    text.box.egress !== undefined && {
      direction: "egress" as const,
      subjects: [v4],
      defaultRow: row(text.box.egress),
    },
    text.box.ingress !== undefined && {
      direction: "ingress" as const,
      subjects: [v4],
      peers: peers(true),
      defaultRow: row(text.box.ingress),
    },
  ].map((one) => (one === false ? undefined : one));
  const sockets = text.owners.flatMap((workload, index): ProcessSocket[] => {
    if (workload === undefined) return [];
    const socket = { workload, family: 4, protocol: UDP, port: PORTS[index] as number } as const;
    return text.bound ? [{ ...socket, address: "127.0.0.1" }] : [socket];
  });
  return host.policy(
    classes.filter((one) => one !== undefined),
    {
      sockets,
      nodeExempt: text.nodeExempt,
      hairpinExempt: text.hairpinExempt,
      managed: text.managed ? [host.groups.root] : [],
    },
  );
};

interface Attempt {
  readonly query: FlowQuery;
  /** Where the source's socket is made; absent in the box. */
  readonly from?: string;
}

const attempts = (): Attempt[] => {
  const { v4 } = host.lab.workload("box");
  const own = host.lab.hostAddresses[0] as string;
  const groups = [host.client, host.server, host.other];
  return PORTS.flatMap((port) => [
    ...groups.flatMap((from, index) => {
      const sourceProcess = NAMES[index] as string;
      const flow = { protocol: UDP, port, sourceProcess };
      const here = { ...flow, destinationProcess: "host/server" };
      return [
        { from, query: { ...flow, source: own, destination: v4 } },
        { from, query: { ...here, source: "127.0.0.1", destination: "127.0.0.1" } },
        { from, query: { ...here, source: own, destination: own } },
      ];
    }),
    {
      query: {
        source: canonical(v4),
        destination: canonical(own),
        protocol: UDP,
        port,
        destinationProcess: "host/server",
      },
    },
  ]);
};

onEveryDriverInProcessesLab(() => {
  test("the kernel does what the look-up says", async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (text) => {
        const policy = policyOfShape(text);
        await host.driver.apply(policy);
        const flows = attempts();
        const outcomes = await Promise.all(
          flows.map(async ({ from, query: { destination, port } }) => {
            const flow = { destination, protocol: "udp", port } as const;
            const outcome = await (from === undefined
              ? host.traffic.attempt({ ...flow, from: host.lab.workload("box").path }, 200)
              : host.attempt(from, flow, 200));
            return outcome.arrived;
          }),
        );
        const said = flows.map(({ query }) => lookup(policy, "live", query, 0).verdict === "allow");
        // Who is wrongly believed to own a port has its ingress asked as well: then less passes, and never more.
        const isTold = (port: number): boolean =>
          text.owners[PORTS.indexOf(port)] === undefined ||
          text.owners[PORTS.indexOf(port)] === "host/server";
        const differing = flows.filter(
          ({ query: { port } }, index) =>
            outcomes[index] !== said[index] && (outcomes[index] === true || isTold(port)),
        );
        expect(differing).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });
});

/** The reference against the kernel: agreement is silent, every disagreement is told, and exemptions are not disagreements. */
import { describe, expect, it } from "vitest";
import { takesPart, TCP, type Canary, type Flow, type FlowVerdict } from "@bulkhead/model";
import { Referee } from "../src/flows/referee.ts";
import { createNamer } from "../src/world/naming.ts";
import { POLICY } from "./lab.ts";
import { buildWorld } from "../src/world/world.ts";
import { NOW, reading, service, shop, surroundings } from "./fixtures.ts";

const since = NOW;
const later = NOW + 60_000;

function judged(mode: "audit" | "enforce", canary?: Canary) {
  const { reading, world } = shop([POLICY], mode, canary);
  const referee = new Referee();
  referee.adopt({ set: reading.set, index: world.index, since });
  const name = createNamer(world, []);
  return (
    source: string,
    destination: string,
    port: number,
    verdict: FlowVerdict,
    more: Partial<Flow> = {},
  ) =>
    referee.judge(
      {
        source: name(source),
        destination: name(destination),
        protocol: 6,
        port,
        sourcePort: 1,
        verdict,
        start: later,
        end: later,
        connections: 1,
        established: 0,
        failed: 0,
        bytes: 0,
        packets: 1,
        ...(verdict === "dropped" ? { direction: "ingress" as const } : {}),
        ...more,
      },
      later,
    );
}

describe("a machine whose processes are known", () => {
  const policy = {
    name: "units.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: cron, namespace: host }
spec: { subject: app=cron, egress: [] }
`,
  };
  const read = reading([policy], "enforce");
  const processes = [
    service("/system.slice/cron.service"),
    service("/system.slice/nginx.service", {
      sockets: [{ family: 4, protocol: TCP, port: 80 }],
    }),
  ];
  const world = buildWorld(read.declared, surroundings([], { processes }));
  const referee = new Referee();
  referee.adopt({ set: read.set, index: world.index, since });
  const name = createNamer(world, []);
  const judge = (cgroup: string | undefined, verdict: FlowVerdict) =>
    referee.judge(
      {
        source: name("127.0.0.1", cgroup === undefined ? {} : { cgroup }),
        destination: name("127.0.0.1", { socket: { protocol: TCP, port: 80 } }),
        protocol: TCP,
        port: 80,
        sourcePort: 1,
        verdict,
        start: later,
        end: later,
        connections: 1,
        established: 0,
        failed: 0,
        bytes: 0,
        packets: 1,
        ...(verdict === "dropped" ? { direction: "egress" as const } : {}),
      },
      later,
    );

  it("is judged by who it was, where that is on record", () => {
    expect(judge("/system.slice/cron.service", "dropped")).toBeNull();
    expect(judge("/system.slice/cron.service", "forwarded")).toBe(
      "the kernel says `forwarded` for host/cron.service (127.0.0.1) → host/nginx.service (127.0.0.1) 80/tcp, the reference `dropped`",
    );
    expect(judge("/system.slice/nginx.service", "forwarded")).toBeNull();
    expect(judge("/system.slice/nginx.service", "dropped")).toContain("the reference `forwarded`");
  });

  it("may be right where nobody knows who it was, if anybody could have been", () => {
    expect(judge(undefined, "dropped")).toBeNull();
    expect(judge(undefined, "forwarded")).toBeNull();
    expect(judge(undefined, "rejected")).toContain("the reference `forwarded`");
  });
});

describe("enforced", () => {
  const judge = judged("enforce");
  it("agrees with what should be", () => {
    expect(judge("10.9.0.10", "10.9.0.11", 5432, "forwarded")).toBeNull();
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "dropped")).toBeNull();
  });

  it("tells what should not be, both ways", () => {
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "forwarded")).toContain("the reference `dropped`");
    expect(judge("fd99::10", "fd99::11", 5432, "dropped")).toContain("shop/web");
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "audit")).not.toBeNull();
  });

  it("is silent about what began before, later news, spoofing and neighbour discovery", () => {
    const forbidden = ["10.9.0.12", "10.9.0.11", 5432] as const;
    expect(judge(...forbidden, "forwarded", { start: since + 10 })).toBeNull();
    expect(judge(...forbidden, "forwarded", { connections: 0 })).toBeNull();
    expect(judge(...forbidden, "spoofed")).toBeNull();
    // Held back before anybody knew the link that it came by.
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "dropped", { direction: undefined })).toBeNull();
    expect(judge("fd99::12", "fd99::11", 135 * 256, "forwarded", { protocol: 58 })).toBeNull();
    expect(judge("fd99::12", "ff02::1", 143 * 256, "forwarded", { protocol: 58 })).toBeNull();
    // Other packets to groups are judged like everything else.
    const said = { protocol: 17, direction: "egress" } as const;
    expect(judge("10.9.0.12", "224.0.0.251", 5353, "forwarded", said)).toContain("multicast");
    expect(judge("10.9.0.12", "224.0.0.251", 5353, "dropped", said)).toBeNull();
  });
});

describe("audited", () => {
  const judge = judged("audit");
  it("expects an audit verdict where enforcing would deny", () => {
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "audit")).toBeNull();
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "forwarded")).toBeNull();
    expect(judge("10.9.0.10", "10.9.0.11", 5432, "audit")).not.toBeNull();
    expect(judge("10.9.0.10", "10.9.0.11", 5432, "forwarded")).toBeNull();
    expect(judge("10.9.0.12", "10.9.0.11", 5432, "dropped")).not.toBeNull();
  });
});

it("says nothing while a change is under way", () => {
  const { reading, world } = shop([POLICY]);
  const referee = new Referee();
  referee.adopt({ set: reading.set, index: world.index, since });
  referee.suspend();
  const name = createNamer(world, []);
  const flow: Flow = {
    source: name("10.9.0.12"),
    destination: name("10.9.0.11"),
    protocol: 6,
    port: 5432,
    sourcePort: 1,
    verdict: "forwarded",
    start: later,
    end: later,
    connections: 1,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 1,
  };
  expect(referee.judge(flow, later)).toBeNull();
});

describe("later news of a connection", () => {
  const { reading, world } = shop([POLICY]);
  const name = createNamer(world, []);
  const referee = new Referee();
  const news: Flow = {
    source: name("10.9.0.12"),
    destination: name("10.9.0.11"),
    protocol: 6,
    port: 5432,
    sourcePort: 1,
    verdict: "forwarded",
    start: later,
    end: later,
    connections: 0,
    established: 0,
    failed: 0,
    bytes: 60,
    packets: 1,
  };
  const denial = (more: Partial<Flow> = {}, held: Referee = referee) =>
    held.denial({ ...news, ...more }, later);
  referee.adopt({ set: reading.set, index: world.index, since });

  it("is dropped where the policy in force denies it, with the rule", () => {
    const dropped = { verdict: "dropped", direction: "egress", rule: "Policy/shop/shut#egress" };
    expect(denial()).toEqual(dropped);
    expect(denial({ start: since - 10 })).toEqual(dropped);
  });

  it("stays as it is where the policy allows it, or only audits", () => {
    expect(denial({ source: name("10.9.0.10") })).toBeNull();
    const audited = shop([POLICY], "audit");
    const only = new Referee();
    only.adopt({ set: audited.reading.set, index: audited.world.index, since });
    expect(denial({}, only)).toBeNull();
  });

  it("stays as it is when it may be of the time before the policy, or while that changes", () => {
    expect(denial({ end: since - 1 })).toBeNull();
    expect(denial({ end: since + 1000 })).toBeNull();
    const changing = new Referee();
    changing.adopt({ set: reading.set, index: world.index, since });
    changing.suspend();
    expect(denial({}, changing)).toBeNull();
  });

  it("is dropped all along when it was denied before, and the policy only came anew", () => {
    const again = new Referee();
    const held = { set: reading.set, index: world.index };
    again.adopt({ ...held, since });
    for (const after of [10_000, 10_500, 11_000]) again.adopt({ ...held, since: since + after });
    const dropped = { verdict: "dropped", rule: "Policy/shop/shut#egress" };
    expect(denial({ end: since + 11_100 }, again)).toMatchObject(dropped);
    expect(denial({ end: since + 20_000 }, again)).toMatchObject(dropped);
  });

  it("stays as it is when one in between allowed it", () => {
    const audited = shop([POLICY], "audit");
    const between = new Referee();
    const held = { set: reading.set, index: world.index };
    between.adopt({ ...held, since });
    const open = { set: audited.reading.set, index: audited.world.index };
    between.adopt({ ...open, since: since + 10_000 });
    between.adopt({ ...held, since: since + 10_500 });
    expect(denial({ end: since + 11_000 }, between)).toBeNull();
    expect(denial({ end: since + 13_400 }, between)).toBeNull();
    expect(denial({ end: since + 13_500 }, between)).toMatchObject({ verdict: "dropped" });
  });

  it("stays as it is when it tells a beginning, an answer, or an end alone", () => {
    expect(denial({ connections: 1 })).toBeNull();
    expect(denial({ established: 1 })).toBeNull();
    expect(denial({ failed: 1, packets: 0, bytes: 0 })).toBeNull();
  });
});

describe("while a rollout is under way", () => {
  const canary = { seed: 5, share: 5000 };
  const judge = judged("enforce", canary);
  const [source, destination] = ["10.9.0.12", "10.9.0.11"];
  const ports = Array.from({ length: 60 }, (_, at) => 1000 + at);
  const portThat = (part: boolean): number =>
    ports.find(
      (port) => takesPart({ source, destination, protocol: TCP, port }, canary) === part,
    ) ?? 0;

  it("expects of each flow what its bucket says, and nothing else", () => {
    expect(judge(source, destination, portThat(true), "dropped")).toBeNull();
    expect(judge(source, destination, portThat(true), "audit")).toContain("`dropped`");
    expect(judge(source, destination, portThat(true), "forwarded")).toContain("`dropped`");
    for (const verdict of ["audit", "forwarded"] as const)
      expect(judge(source, destination, portThat(false), verdict)).toBeNull();
    expect(judge(source, destination, portThat(false), "dropped")).toContain("`audit`");
  });

  it("accepts both where the destination was translated, and still not what neither allows", () => {
    const translated = { translated: true } as const;
    for (const port of [portThat(true), portThat(false)])
      for (const verdict of ["dropped", "audit", "forwarded"] as const)
        expect(judge(source, destination, port, verdict, translated)).toBeNull();
    expect(judge(source, destination, portThat(true), "rejected", translated)).not.toBeNull();
    expect(judge("10.9.0.10", destination, 5432, "dropped", translated)).not.toBeNull();
    expect(judged("enforce")(source, destination, 1000, "forwarded", translated)).not.toBeNull();
  });

  it("calls later news of a connection denied only where that is certain", () => {
    const { reading, world } = shop([POLICY], "enforce", canary);
    const referee = new Referee();
    referee.adopt({ set: reading.set, index: world.index, since });
    const name = createNamer(world, []);
    const denial = (port: number, more: Partial<Flow> = {}) =>
      referee.denial(
        {
          source: name(source),
          destination: name(destination),
          protocol: TCP,
          port,
          sourcePort: 1,
          verdict: "forwarded",
          start: later,
          end: later,
          connections: 0,
          established: 0,
          failed: 0,
          bytes: 9,
          packets: 1,
          ...more,
        },
        later,
      );
    expect(denial(portThat(true))).toMatchObject({ verdict: "dropped" });
    expect(denial(portThat(false))).toBeNull();
    expect(denial(portThat(true), { translated: true })).toBeNull();
  });
});

/** The reference against the kernel: agreement is silent, every disagreement is told, and exemptions are not disagreements. */
import { describe, expect, it } from "vitest";
import type { Flow, FlowVerdict } from "@bulkhead/model";
import { Referee } from "../src/flows/referee.ts";
import { createNamer } from "../src/world/naming.ts";
import { POLICY } from "./lab.ts";
import { NOW, shop } from "./fixtures.ts";

const since = NOW;
const later = NOW + 60_000;

function judged(mode: "audit" | "enforce") {
  const { reading, world } = shop([POLICY], mode);
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
        ...more,
      },
      later,
    );
}

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
    expect(judge("fd99::12", "fd99::11", 135 * 256, "forwarded", { protocol: 58 })).toBeNull();
    expect(judge("fd99::12", "ff02::1", 143 * 256, "forwarded", { protocol: 58 })).toBeNull();
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

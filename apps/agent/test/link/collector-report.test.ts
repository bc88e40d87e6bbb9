import { describe, expect, it } from "vitest";
import type { CollectorStats } from "../../src/collector/index.ts";
import { collectorReport, dnsCounters } from "../../src/link/collector-report.ts";

const QUIET: CollectorStats = {
  received: 10,
  delivered: 8,
  lost: 0,
  overruns: 0,
  overflowed: 0,
  malformed: 0,
  foreign: 4,
  abandoned: 0,
  queueDepth: 2,
  alive: true,
  restarts: 0,
  fault: null,
  dns: { available: true, read: 5, answers: 4, malformed: 1, lost: 2 },
  connections: {
    available: true,
    events: 9,
    matched: 9,
    lost: 0,
    overflowed: 0,
    untracked: 0,
    orphaned: 0,
    tracked: 3,
    dumps: 1,
    lastDumpMs: 1,
    refusedSettings: [],
  },
};

describe("what the controller is told of the collector", () => {
  it("is nothing lost when nothing was", () => {
    expect(collectorReport(QUIET)).toEqual({
      alive: true,
      received: 10,
      delivered: 8,
      lost: 0,
      queueDepth: 2,
    });
    expect(collectorReport({ ...QUIET, lastEventAt: 5 }).lastEventAt).toBe(5);
  });

  it("is what became of copies of DNS answers, apart from the flows", () => {
    expect(dnsCounters(QUIET)).toEqual({
      dns_read: 5,
      dns_answers: 4,
      dns_malformed: 1,
      dns_lost: 2,
    });
    expect(dnsCounters({ ...QUIET, dns: { ...QUIET.dns, available: false } })).toEqual({});
  });

  it.each(["lost", "overflowed", "malformed", "abandoned"] as const)(
    "counts a message that is %s",
    (kind) => expect(collectorReport({ ...QUIET, [kind]: 7 }).lost).toBe(7),
  );

  it.each(["lost", "overflowed"] as const)("counts a connection's end that is %s", (kind) => {
    const connections = { ...QUIET.connections, [kind]: 7 };
    expect(collectorReport({ ...QUIET, connections }).lost).toBe(7);
  });
});

/** Which rules recorded flows needed: by deciding them again, never for longer than anything was recorded or in force. */
import { describe, expect, it } from "vitest";
import type { Edge } from "@bulkhead/model";
import type { Revision } from "@bulkhead/store";
import { firstSeenByUs, usageOf } from "../src/queries/unused.ts";
import { buildWorld } from "../src/world/world.ts";
import { INVENTORY, NOW, reading, SHOP } from "./fixtures.ts";

const DAY = 86_400_000;
const POLICY = {
  name: "db.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec:
  subject: app=db
  ingress:
    - { from: [app=web], ports: [5432/tcp] }
    - { from: [app=evil], ports: [22/tcp] }
`,
};

const read = reading([INVENTORY, POLICY]);
const { index } = buildWorld(read.declared, SHOP);

const edge = (source: string, name: string, port: number, verdict: Edge["verdict"]): Edge => ({
  source: { address: source, workload: `shop/${name}`, name: `shop/${name}`, labels: {} },
  destination: { address: "10.9.0.11", workload: "shop/db", name: "shop/db", labels: {} },
  protocol: 6,
  port,
  verdict,
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: NOW - 5 * DAY,
  lastSeen: NOW - DAY,
  windows: 1,
});

const revision = (time: number): Revision =>
  ({
    time,
    changes: { added: ["Policy/shop/db"], changed: [], removed: [], unchanged: [], kept: [] },
  }) as unknown as Revision;

/** In the order of the file. */
async function usage(more: Partial<Parameters<typeof usageOf>[0]> = {}) {
  const found = await usageOf({
    set: read.set,
    index,
    edges: [edge("10.9.0.10", "web", 5432, "forwarded"), edge("10.9.0.12", "evil", 22, "dropped")],
    revisions: [revision(NOW - 40 * DAY)],
    since: NOW - 30 * DAY,
    oldest: NOW - 60 * DAY,
    now: NOW,
    ...more,
  });
  return { ...found, rules: found.rules.toSorted((a, b) => (a.place < b.place ? -1 : 1)) };
}

const [WEB, EVIL] = [7, 8].map((line) => expect.stringMatching(`^db.yaml:${line}:`) as string);

describe("a rule", () => {
  it("is used when it decides what passed, and not when what it allows was denied", async () => {
    const { rules } = await usage();
    expect(rules.map(({ place, lastUsed, unused }) => [place, lastUsed, unused])).toEqual([
      [WEB, NOW - DAY, false],
      [EVIL, undefined, true],
    ]);
    expect(rules[1]).toMatchObject({ inForceSince: NOW - 40 * DAY });
    expect(rules[1]?.rule).toMatch(/^Policy\/shop\/db#ingress\//);
  });

  it("is needed by what audit would deny elsewhere, too", async () => {
    const { rules } = await usage({ edges: [edge("10.9.0.12", "evil", 22, "audit")] });
    expect(rules.map(({ unused }) => unused)).toEqual([true, false]);
  });

  it.each([
    ["is in force for less than that", { revisions: [revision(NOW - 10 * DAY)] }],
    ["nothing was recorded for so long", { oldest: NOW - 20 * DAY }],
    ["nothing was recorded at all", { oldest: undefined, edges: [] }],
  ])("is not called unused when it %s", async (_why, more) => {
    expect((await usage(more)).rules.filter(({ unused }) => unused)).toEqual([]);
  });
});

it("takes what others recorded for no sign that the rules were watched", () => {
  const own = edge("10.9.0.10", "web", 5432, "forwarded");
  const origin = { format: "pcap", sampling: 1, aggregation: 0, direction: "told" } as const;
  const ancient = { ...own, firstSeen: NOW - 400 * DAY, origins: [origin] };
  expect(firstSeenByUs([ancient, own])).toBe(NOW - 5 * DAY);
  expect(firstSeenByUs([ancient])).toBeUndefined();
});

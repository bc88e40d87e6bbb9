/** Narrower peers hold everybody who was seen, and nobody whom the former ones did not. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { indexInventory, peerHolds, type Place } from "@bulkhead/engine";
import {
  DAY_MS,
  selectorOf,
  type Edge,
  type Inventory,
  type Peer,
  type Requirement,
  type Workload,
} from "@bulkhead/model";
import { findNarrower, groupEstate, type SeenPeer } from "../../src/hygiene/index.ts";

const NOW = 20_000 * DAY_MS;
const SINCE = NOW - 30 * DAY_MS;

const word = (...values: readonly string[]) => fc.constantFrom(...values);
const worker = fc.record({
  namespace: word("shop", "bank"),
  app: fc.option(word("web", "api", "db"), { nil: undefined }),
  tier: fc.option(word("front", "back"), { nil: undefined }),
  low: fc.integer({ min: 1, max: 60 }),
});
const estate = fc.uniqueArray(worker, { minLength: 1, maxLength: 10, selector: ({ low }) => low });
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.constant<Requirement>({ key: "app", operator: "Exists" }),
  fc.constant<Requirement>({ key: "app", operator: "In", values: ["api", "web"] }),
  fc.constant<Requirement>({ key: "tier", operator: "NotIn", values: ["back"] }),
);
const peer: fc.Arbitrary<Peer> = fc.oneof(
  fc.constant<Peer>({ kind: "any" }),
  fc.constant<Peer>({ kind: "entity", entity: "world" }),
  fc.record({
    kind: fc.constant("workloads" as const),
    namespaces: fc.constantFrom({ kind: "all" as const }, { kind: "named" as const, name: "shop" }),
    selector: fc.array(requirement, { maxLength: 2 }).map(selectorOf),
  }),
  fc.record({
    kind: fc.constant("cidr" as const),
    cidr: fc.constantFrom("10.0.0.0/24" as const, "10.0.0.0/26" as const, "10.0.0.0/8" as const),
    except: fc.constantFrom([], ["10.0.0.8/29" as const]),
    matchesWorkloads: fc.constant(true),
  }),
);

function inventoryOf(
  workers: readonly {
    namespace: string;
    app: string | undefined;
    tier: string | undefined;
    low: number;
  }[],
): Inventory {
  const workloads = workers.map(({ namespace, app, tier, low }): Workload => {
    const name = `w${low}`;
    return {
      id: `${namespace}/${name}`,
      namespace,
      name,
      kind: "pod",
      labels: { ...(app && { app }), ...(tier && { tier }) },
      addresses: [`10.0.0.${low}`],
      namedPorts: [],
      hostNetwork: false,
    };
  });
  return { workloads, namespaces: [], hostAddresses: ["10.0.0.250"] };
}

const edgeOf = ({ address, workload }: Place, firstSeen: number): Edge => {
  const { id, labels } = workload ?? {};
  const source = {
    address,
    name: id ?? "world",
    labels: labels ?? {},
    ...(id && { workload: id }),
  };
  const destination = { address: "203.0.113.1", name: "world", labels: {} };
  const counts = { connections: 1, established: 1, failed: 0, bytes: 1, packets: 1, windows: 1 };
  return {
    source,
    destination,
    protocol: 6,
    port: 5432,
    verdict: "forwarded",
    ...counts,
    firstSeen,
    lastSeen: NOW,
  };
};

it("holds for whatever peer, whoever there is and whoever was seen", () => {
  let narrower = 0;
  fc.assert(
    fc.property(
      estate,
      peer,
      fc.uniqueArray(fc.integer({ min: 1, max: 90 }), { maxLength: 8 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
      (workers, former, lows, young) => {
        const index = indexInventory(inventoryOf(workers));
        const places = Array.from({ length: 100 }, (_, low) => index.at(`10.0.0.${low}`));
        const seen = lows
          .map((low) => places[low]!)
          .filter((place) => peerHolds(former, place, index))
          .map((place): SeenPeer => ({
            place,
            workload: place.workload,
            firstSeen: NOW - 40 * DAY_MS,
            lastSeen: NOW,
            protocol: 6,
            port: 5432,
          }));
        const since = (low: number): number =>
          young.includes(low) ? NOW - DAY_MS : NOW - 40 * DAY_MS;
        const edges = workers.map(({ low }) => edgeOf(places[low]!, since(low)));
        const groups = groupEstate({ index, edges, since: SINCE, learning: new Set() });
        const found = findNarrower(
          0,
          { peers: [former] },
          { self: undefined, lately: seen, ever: seen },
          { groups, known: index.known },
        );
        if (found?.outcome.kind !== "narrower") return;
        narrower++;
        const now = found.outcome.peers;
        const holds = (place: Place): boolean => now.some((one) => peerHolds(one, place, index));
        for (const { place } of seen) expect(holds(place)).toBe(true);
        for (const place of [...places, index.at("10.0.0.250"), index.at("203.0.113.7")]) {
          if (holds(place)) expect(peerHolds(former, place, index)).toBe(true);
        }
        // Whoever is not on record for so long stays, seen or not.
        for (const low of young) {
          const place = places[low]!;
          const alone = workers.filter(({ low: one }) => one === low);
          if (
            alone.length === 1 &&
            former.kind === "workloads" &&
            peerHolds(former, place, index)
          ) {
            const { workload } = place;
            const group = groups.membersOf(groups.keyOf(workload!.id));
            if (group.length === 1) expect(holds(place)).toBe(true);
          }
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(narrower).toBeGreaterThan(20);
});

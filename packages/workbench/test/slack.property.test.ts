/** What rules permit beyond their evidence, counted pair by pair, and the reference's word that those pairs are what is permitted. */
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { groupWorkloads, suggest } from "@bulkhead/learn";
import {
  cidrRange,
  hostCidr,
  formatPort,
  matches,
  type Edge,
  type FlowEnd,
  type SuggestedNetworkSet,
  type SuggestedPeer,
  type SuggestedRule,
  type Suggestion,
  type Workload,
} from "@bulkhead/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import { suggestionText } from "../src/index.ts";
import { DECLARED, NOW, scene } from "./scene.ts";

/** Every other one of scenes in which all is answered: else few edges are accepted, and little is permitted. */
const mostlyBusy = fc.oneof(
  scene,
  scene.map(({ inventory, edges }) => ({
    inventory,
    edges: edges.map((edge): Edge => {
      const answered = { connections: 40, established: 40, failed: 0, bytes: 80_000, packets: 400 };
      return { ...edge, ...answered, verdict: "forwarded", windows: 30 };
    }),
  })),
);

/** Everybody whom a peer names, by name; addresses of proposed sets one by one. */
function everybody(
  peer: SuggestedPeer,
  workloads: readonly Workload[],
  sets: readonly SuggestedNetworkSet[],
): readonly string[] {
  if (peer.kind === "host") return ["host"];
  if (peer.kind === "workloads") {
    return workloads
      .filter(
        ({ namespace, labels }) => namespace === peer.namespace && matches(peer.selector, labels),
      )
      .map(({ id }) => id);
  }
  const set = sets.find(({ namespace, name }) => `${namespace}/${name}` === peer.name);
  if (set === undefined) return [peer.name];
  return set.cidrs.flatMap((cidr) => {
    const { first, last } = cidrRange(cidr);
    return Array.from({ length: Number(last - first) + 1 }, (_, at) => String(first + BigInt(at)));
  });
}

const whoIs = ({ workload, name, address }: FlowEnd, set: SuggestedNetworkSet | undefined) => {
  if (workload !== undefined || set === undefined) return workload ?? name;
  return String(cidrRange(hostCidr(address)).first);
};

const pairsOf = (
  { from, to, ports }: SuggestedRule,
  workloads: readonly Workload[],
  sets: readonly SuggestedNetworkSet[],
): ReadonlySet<string> =>
  new Set(
    everybody(from, workloads, sets).flatMap((source) =>
      everybody(to, workloads, sets).flatMap((destination) =>
        source === destination
          ? []
          : ports.map(
              ({ protocol, port }) => `${source} ${destination} ${formatPort(protocol, port)}`,
            ),
      ),
    ),
  );

/** The accepted edges that a rule stands on, by its links, and by the name that an outside address had for those who called it. */
function usedOf(
  rule: SuggestedRule,
  { accepted, networkSets }: Suggestion,
  roleOf: (id: string) => string,
): ReadonlySet<string> {
  const links = new Set(rule.links.map(({ text }) => text));
  const setOf = (peer: SuggestedPeer): SuggestedNetworkSet | undefined =>
    networkSets.find(
      (set) => peer.kind === "networkSet" && `${set.namespace}/${set.name}` === peer.name,
    );
  const nameFor = ({ source, destination, protocol, port }: Edge): string | undefined =>
    accepted
      .filter(
        (other) =>
          other.destination.address === destination.address &&
          other.protocol === protocol &&
          other.port === port &&
          roleOf(other.source.workload ?? "") === roleOf(source.workload ?? ""),
      )
      .flatMap((other) => other.destination.names ?? [])
      .toSorted()[0];
  const called = (end: FlowEnd, peer: SuggestedPeer): string => {
    if (end.workload !== undefined) return roleOf(end.workload);
    const set = setOf(peer);
    return set === undefined || end.name !== "world" ? end.name : `${set.namespace}/${set.name}`;
  };
  return new Set(
    accepted.flatMap((edge) => {
      const { source, destination, protocol, port } = edge;
      const name = formatPort(protocol, port);
      const ends = `${called(source, rule.from)} → ${called(destination, rule.to)}`;
      const [from, to] = [setOf(rule.from), setOf(rule.to)];
      const domain = to?.basis.kind === "dns" ? to.basis.name : undefined;
      const inside = (set: SuggestedNetworkSet | undefined, { address }: FlowEnd): boolean =>
        set === undefined || set.cidrs.includes(hostCidr(address));
      const other =
        !inside(from, source) ||
        !inside(to, destination) ||
        (to !== undefined && nameFor(edge) !== domain);
      if (!links.has(`${ends} ${name}`) || other) return [];
      return [`${whoIs(source, from)} ${whoIs(destination, to)} ${name}`];
    }),
  );
}

it("is as many pairs as there are when they are counted one by one", () => {
  let beyond = 0;
  const causes = new Set<string>();
  fc.assert(
    fc.property(mostlyBusy, ({ inventory, edges }) => {
      const suggestion = suggest(edges, inventory);
      const { groupOf } = groupWorkloads(inventory.workloads);
      const roleOf = (id: string): string => {
        const group = groupOf.get(id);
        return group === undefined ? id : `${group.namespace}/${group.name}`;
      };
      for (const rule of suggestion.rules) {
        const permitted = pairsOf(rule, inventory.workloads, suggestion.networkSets);
        const used = usedOf(rule, suggestion, roleOf);
        for (const pair of used) expect(permitted).toContain(pair);
        const counted = { permitted: permitted.size, used: used.size };
        expect({ rule: rule.name, ...rule.slack }).toMatchObject({ rule: rule.name, ...counted });
        const told = rule.slack.beyond.reduce((sum, { pairs }) => sum + pairs, 0);
        expect(told).toBe(permitted.size - used.size);
        for (const { cause, pairs } of rule.slack.beyond) {
          expect(pairs).toBeGreaterThan(0);
          causes.add(cause);
        }
        beyond += told;
      }
    }),
    { numRuns: 300 },
  );
  expect(beyond).toBeGreaterThan(10);
  expect([...causes]).toContain("copies");
});

it("is all that the reference permits among those who are confined", () => {
  let allowed = 0;
  fc.assert(
    fc.property(mostlyBusy, ({ inventory, edges }) => {
      const suggestion = suggest(edges, inventory);
      const { rules, isolations, networkSets } = suggestion;
      const text = suggestionText(suggestion);
      const { resources } = parseFiles([
        { name: "declared.yaml", text: DECLARED },
        { name: "suggested.yaml", text },
      ]);
      const { set } = buildPolicySet(resources, { now: NOW, strict: true, mode: "enforce" });
      const index = indexInventory(inventory);
      const permitted = new Set(
        rules.flatMap((rule) => [...pairsOf(rule, inventory.workloads, networkSets)]),
      );
      const confined = ({ namespace, labels }: Workload): boolean =>
        isolations.some((one) => one.namespace === namespace && matches(one.selector, labels));
      const ports = new Map(
        rules.flatMap((rule) => rule.ports).map((one) => [formatPort(one.protocol, one.port), one]),
      );
      for (const source of inventory.workloads.filter(confined)) {
        for (const destination of inventory.workloads.filter(confined)) {
          if (source === destination) continue;
          for (const [name, { protocol, port }] of ports) {
            const { verdict } = decide(
              set,
              index,
              {
                source: source.addresses[0] ?? "",
                destination: destination.addresses[0] ?? "",
                protocol,
                port,
              },
              { now: NOW, view: "live" },
            );
            const pair = `${source.id} ${destination.id} ${name}`;
            expect(`${pair}: ${verdict === "allow"}`).toBe(`${pair}: ${permitted.has(pair)}`);
            if (verdict === "allow") allowed += 1;
          }
        }
      }
    }),
    { numRuns: 200 },
  );
  expect(allowed).toBeGreaterThan(10);
});

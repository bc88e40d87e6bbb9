/**
 * A suggestion is merged by people, time and again: what a few more flows do not concern must not change by a byte, and what
 * was proposed must be proposed again once it is in force.
 */
import { groupWorkloads, manifestsOf, suggest } from "@bulkhead/learn";
import { printResources } from "@bulkhead/dialects";
import {
  formatPort,
  type Edge,
  type FlowEnd,
  type Inventory,
  type SuggestedNetworkSet,
  type Suggestion,
} from "@bulkhead/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import { suggestionFiles, suggestionText } from "../src/index.ts";
import { FOUND } from "./found-scenes.ts";
import { machineScene } from "./machine-scene.ts";
import { scene } from "./scene.ts";

const anyScene = fc.oneof(scene, machineScene);

/** Groups, by the words that rules call them, whose workloads are ends of these edges. */
function touchedBy(edges: readonly Edge[], inventory: Inventory): ReadonlySet<string> {
  const { groupOf } = groupWorkloads(inventory.workloads);
  const ids = edges.flatMap(({ source, destination }) => [source.workload, destination.workload]);
  return new Set(
    ids.flatMap((id) => {
      const group = id === undefined ? undefined : groupOf.get(id);
      return group === undefined ? [] : [`${group.namespace}/${group.name}`];
    }),
  );
}

/**
 * Does one of these edges bear on a link, `shop/web → shop/db 5432/tcp`? Whatever its source does, since a source is judged by all
 * it does; the same port of the same service, whose clients are said together; and the way back between the two. An end outside
 * is in a link by the sets that hold its address.
 */
function concernedBy(
  edges: readonly Edge[],
  inventory: Inventory,
  sets: readonly SuggestedNetworkSet[],
): (link: string) => boolean {
  const { groupOf } = groupWorkloads(inventory.workloads);
  const namesOf = ({ workload, name, address }: FlowEnd): readonly string[] => {
    const group = workload === undefined ? undefined : groupOf.get(workload);
    if (group !== undefined) {
      // Several users are said as people.
      return [`${group.namespace}/${group.name}`, `${group.namespace}/people`];
    }
    const holding = sets.filter(({ cidrs }) => cidrs.some((one) => one.startsWith(`${address}/`)));
    return [name, ...holding.map((set) => `${set.namespace}/${set.name}`)];
  };
  const extra = edges.map(({ source, destination, protocol, port }) => ({
    from: namesOf(source),
    to: namesOf(destination),
    port: formatPort(protocol, port),
  }));
  return (link) => {
    const [ends = "", port] = [link.slice(0, link.lastIndexOf(" ")), link.split(" ").at(-1)];
    const [from = "", to = ""] = ends.split(" → ");
    // Sets of callers are named by all ports that the same addresses use.
    const called = /\/(callers-of|net)-/.test(from);
    return extra.some(
      (one) =>
        one.from.includes(from) ||
        (one.to.includes(to) && (called || one.port === port || isName(one.port))) ||
        (one.from.includes(to) && one.to.includes(from)),
    );
  };
}

/** Whoever asks a resolver is said together, over UDP and TCP; and who is one of the machine's own is left open altogether. */
const isName = (port: string | undefined): boolean => port === "53/udp" || port === "53/tcp";

/** Each resource with its evidence, by what it is called. */
function printed(suggestion: Suggestion): ReadonlyMap<string, string> {
  return new Map(
    manifestsOf(suggestion).map((item) => [
      `${item.of} ${item.manifest.metadata.namespace}/${item.manifest.metadata.name}`,
      printResources([item.manifest]) +
        JSON.stringify("evidence" in item.from && item.from.evidence),
    ]),
  );
}

it("of a few more flows changes what they concern and nothing else", () => {
  let compared = 0;
  fc.assert(
    fc.property(
      anyScene.filter(({ edges }) => edges.length > 3),
      fc.nat(3),
      ({ inventory, edges }, more) => {
        const before = suggest(edges.slice(more), inventory);
        const later = suggest(edges, inventory);
        const after = printed(later);
        const sets = [...before.networkSets, ...later.networkSets];
        const concerns = concernedBy(edges.slice(0, more), inventory, sets);
        const stays = before.rules.filter((rule) => !rule.links.some(({ text }) => concerns(text)));
        const was = printed(before);
        for (const { namespace, name } of stays) {
          compared += 1;
          const key = `rule ${namespace}/${name}`;
          expect(after.get(key)).toBe(was.get(key));
        }
        for (const { namespace, name, directions } of before.isolations) {
          // Of a process of the machine, each direction is isolated once it is seen in it.
          if (directions !== undefined) {
            const who = `${namespace}/${name.replace("default-deny-", "")} `;
            const own = before.links.filter(({ text }) => text.includes(who));
            if (own.some(({ text }) => concerns(text))) continue;
            const now = later.isolations.find((one) => one.name === name);
            expect(now?.directions).toEqual(expect.arrayContaining([...directions]));
            continue;
          }
          const key = `isolation ${namespace}/${name}`;
          expect(after.get(key)).toBe(was.get(key));
        }
      },
    ),
    { numRuns: 400, examples: FOUND },
  );
  expect(compared).toBeGreaterThan(100);
});

it("of the files of applications changes those that the flows concern and no other", () => {
  fc.assert(
    fc.property(
      scene.filter(({ edges }) => edges.length > 3),
      ({ inventory, edges }) => {
        const [extra, ...rest] = edges;
        if (extra === undefined) return;
        const before = suggestionFiles(suggest(rest, inventory));
        const after = new Map(
          suggestionFiles(suggest(edges, inventory)).map(({ name, text }) => [name, text]),
        );
        // A flow concerns its own ends, and what else its source did, which is judged by all of it together.
        const source = extra.source.workload ?? extra.source.address;
        const concerned = edges.filter(
          (edge) => (edge.source.workload ?? edge.source.address) === source,
        );
        const touched = touchedBy([extra, ...concerned], inventory);
        const { groupOf } = groupWorkloads(inventory.workloads);
        const homes = new Set(
          [...groupOf.values()]
            .filter(({ namespace, name }) => touched.has(`${namespace}/${name}`))
            .flatMap(({ application, namespace }) => [application, namespace]),
        );
        for (const { application, name, text } of before) {
          const strangers = [extra.source, extra.destination].some(
            (end) => end.workload !== undefined && !groupOf.has(end.workload),
          );
          if (homes.has(application) || strangers) continue;
          expect(after.get(name)).toBe(text);
        }
      },
    ),
    { numRuns: 150 },
  );
});

/** Named as flows are once the sets of a suggestion are in force. */
function inForce(edges: readonly Edge[], { networkSets }: Suggestion): readonly Edge[] {
  const nameOf = (end: FlowEnd, namespace: string | undefined): FlowEnd => {
    if (end.name !== "world") return end;
    const set = networkSets.find(
      (one) =>
        one.namespace === namespace && one.cidrs.some((cidr) => cidr.startsWith(`${end.address}/`)),
    );
    return set === undefined ? end : { ...end, name: `${set.namespace}/${set.name}` };
  };
  return edges.map((edge) => ({
    ...edge,
    source: nameOf(edge.source, edge.destination.workload?.split("/")[0]),
    destination: nameOf(edge.destination, edge.source.workload?.split("/")[0]),
  }));
}

it.each([
  ["applications", scene, 300, 5],
  ["a machine", machineScene, 150, -1],
] as const)(
  "of the same flows of %s is the same once it is in force",
  (_of, scenes, numRuns, least) => {
    let named = 0;
    fc.assert(
      fc.property(scenes, ({ inventory, edges }) => {
        // One name an address: with several, which one a flow bears later is up to who asked last.
        const plain = edges.map((edge): Edge => {
          const names = edge.destination.names?.slice(0, 1);
          const destination = { ...edge.destination, ...(names === undefined ? {} : { names }) };
          return { ...edge, destination };
        });
        const first = suggest(plain, inventory);
        const namedSets = new Map(
          first.networkSets.flatMap(({ namespace, name, basis }) =>
            basis.kind === "dns" ? [[`${namespace}/${name}`, basis.name] as const] : [],
          ),
        );
        const nameless = (edge: Edge): boolean => edge.destination.names === undefined;
        const addresses = new Map(
          plain.filter(nameless).map((edge) => [edge.destination.address, true]),
        );
        // An address that was seen with a name and without would get it once it is in a set.
        if (plain.some((edge) => !nameless(edge) && addresses.has(edge.destination.address)))
          return;
        const again = suggest(inForce(plain, first), inventory, { namedSets });
        named += namedSets.size;
        const strip = (text: string): string => text.replaceAll(/^#.*\n/gm, "");
        expect(strip(suggestionText(again))).toBe(strip(suggestionText(first)));
      }),
      { numRuns },
    );
    expect(named).toBeGreaterThan(least);
  },
);

import type { Inventory, Labels } from "@bulkhead/model";
import { formatSelector } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest, type SuggestOptions } from "../src/index.ts";
import { adjustedRandIndex, Estate, QUIET, tenants, type Planted } from "./planted.ts";

function inventoryOf({ members }: Planted): Inventory {
  return {
    workloads: members.map(({ id, namespace, labels }) => ({
      id,
      namespace,
      name: id.slice(id.indexOf("/") + 1),
      kind: "vm" as const,
      labels,
      addresses: [],
      namedPorts: [],
      hostNetwork: false,
    })),
    namespaces: [],
    hostAddresses: [],
  };
}

/** The same estate with these labels, by workload. */
function labelled(planted: Planted, labelsOf: (id: string) => Labels): Planted {
  const relabel = <T extends { readonly labels: Labels }>(id: string | undefined, one: T): T =>
    id === undefined ? one : { ...one, labels: labelsOf(id) };
  return {
    ...planted,
    members: planted.members.map((member) => relabel(member.id, member)),
    edges: planted.edges.map((edge) => ({
      ...edge,
      source: relabel(edge.source.workload, edge.source),
      destination: relabel(edge.destination.workload, edge.destination),
    })),
  };
}

const suggested = (planted: Planted, options: SuggestOptions = {}) =>
  suggest(planted.edges, inventoryOf(planted), { proposeLabels: true, ...options });
const rulesOf = (planted: Planted, options?: SuggestOptions): readonly string[] =>
  suggested(planted, options).rules.map(({ name, from, to }) => {
    const said = (peer: typeof from): string =>
      peer.kind === "workloads" ? formatSelector(peer.selector) : peer.kind;
    return `${name}: ${said(from)} → ${said(to)}`;
  });
const proposals = (planted: Planted): readonly string[] =>
  suggested(planted).proposedLabels.map(
    ({ labels, reason, members }) => `${reason} ${JSON.stringify(labels)} ${members.length}`,
  );

const tiers = new Estate(1, QUIET)
  .role("web", 3)
  .role("app", 3)
  .role("db", 2)
  .calls("203.0.113.9", "web", 443)
  .calls("web", "app", 8080)
  .calls("app", "db", 5432)
  .planted();

describe("labels proposed from communication", () => {
  it("gives roles to who has no label, with rules on them, and is silent unless asked", () => {
    expect(rulesOf(tiers)).toEqual([
      "http-to-postgresql: bulkhead-role=http → bulkhead-role=postgresql",
      "web-in-front-to-http: bulkhead-role=web-in-front → bulkhead-role=http",
      "world-443-to-web-in-front: networkSet → bulkhead-role=web-in-front",
    ]);
    expect(proposals(tiers)).toEqual([
      'unlabelled {"bulkhead-role":"http"} 3',
      'unlabelled {"bulkhead-role":"postgresql"} 2',
      'unlabelled {"bulkhead-role":"web-in-front"} 3',
    ]);
    expect(suggested(tiers, { proposeLabels: false })).toMatchObject({
      rules: [],
      proposedLabels: [],
    });
  });

  it("leaves labels alone that agree with what is seen", () => {
    const told = labelled(tiers, (id) => ({ app: tiers.truth.get(id)! }));
    expect(proposals(told)).toEqual([]);
    expect(suggested(told)).toEqual(suggested(told, { proposeLabels: false }));
  });

  it("takes over where one label is for all, though they call each other", () => {
    const one = labelled(tiers, () => ({ app: "shop" }));
    expect(proposals(one).map((line) => line.split(" ")[0])).toEqual([
      "one-for-all",
      "one-for-all",
      "one-for-all",
    ]);
    expect(rulesOf(one)).toHaveLength(3);
    // Alike, and strangers to each other: that is one role with one label.
    const alike = new Estate(1, QUIET).role("web", 5).calls("web", "203.0.113.1", 443).planted();
    expect(proposals(labelled(alike, () => ({ app: "web" })))).toEqual([]);
  });

  it("takes over where each has a label of its own, though many are alike", () => {
    const each = labelled(tiers, (id) => ({ app: id.replace("/", "-") }));
    expect(proposals(each)).toHaveLength(3);
    expect(proposals(each)[0]).toContain("one-for-each");
    expect(rulesOf(each)).toHaveLength(3);
  });

  it("takes over where labels cut across roles, and leaves coarse ones that do not", () => {
    const planted = tenants(3, 6, QUIET).planted();
    const at = (id: string): number => planted.members.findIndex((member) => member.id === id);
    const systems = labelled(planted, (id) => ({ os: at(id) % 2 === 0 ? "rhel8" : "rhel9" }));
    expect(proposals(systems)[0]).toContain("across-roles");
    const roles = [...new Set(planted.truth.values())].toSorted();
    const coarse = labelled(planted, (id) => ({
      zone1: roles.indexOf(planted.truth.get(id)!) < roles.length / 2 ? "front" : "back",
    }));
    expect(proposals(coarse)).toEqual([]);
  });

  it("gives who has none the label of those who do the same", () => {
    const [forgotten] = tiers.members;
    const most = labelled(tiers, (id): Labels =>
      id === forgotten!.id ? {} : { app: tiers.truth.get(id)! },
    );
    expect(proposals(most)).toEqual(['unlabelled {"app":"web"} 1']);
  });

  it("says why, of what its members have in common", () => {
    const { proposedLabels } = suggested(tiers);
    expect(proposedLabels.find(({ role }) => role === "http")?.evidence).toEqual([
      "called by web-in-front on 8080/tcp (3 of 3)",
      "calls postgresql on 5432/tcp (3 of 3)",
    ]);
  });

  it("covers what was seen of an estate without labels, and sorts it as it is", () => {
    const planted = tenants(3, 6, QUIET).planted();
    const found = suggested(planted);
    expect(found.setAside).toEqual([]);
    expect(found.accepted).toHaveLength(planted.edges.length);
    const roles = new Map(
      found.proposedLabels.flatMap(({ role, members }) =>
        members.map(({ id }) => [id, role] as const),
      ),
    );
    expect(adjustedRandIndex(planted.truth, roles)).toBe(1);
  });

  it("asks for nothing more once its labels are borne, and its rules stay as they are", () => {
    const before = suggested(tiers);
    const given = new Map(
      before.proposedLabels.flatMap(({ labels, members }) =>
        members.map(({ id }) => [id, labels] as const),
      ),
    );
    const after = suggested(labelled(tiers, (id) => given.get(id) ?? {}));
    expect(after.proposedLabels).toEqual([]);
    expect(after.rules).toEqual(before.rules);
    expect(after.isolations).toEqual(before.isolations);
  });

  it("keeps names of an earlier suggestion when others of a kind come", () => {
    const formerRoles = new Map(
      suggested(tiers).proposedLabels.flatMap(({ role, members }) =>
        members.map(({ id }) => [id, role] as const),
      ),
    );
    const grown = new Estate(1, QUIET)
      .role("web", 3)
      .role("app", 3)
      .role("db", 2)
      .role("other", 2)
      .role("other-db", 1)
      .calls("203.0.113.9", "web", 443)
      .calls("web", "app", 8080)
      .calls("app", "db", 5432)
      .calls("other", "other-db", 5432)
      .planted();
    const rules = rulesOf(grown, { formerRoles });
    for (const rule of rulesOf(tiers)) expect(rules).toContain(rule);
    expect(rules).not.toEqual(rulesOf(tiers));
  });
});

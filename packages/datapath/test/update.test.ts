/** Which way an update goes: in place where one look-up decides, aside and over where a packet could fall between. */
import { describe, expect, test } from "vitest";
import type { HostPolicy, PolicyMap } from "@bulkhead/model";
import { knownPorts, parseListing, planUpdate, readRuleset, renderRuleset } from "../src/index.ts";
import type { Ruleset } from "../src/index.ts";
import { toVersions, versionOf } from "../src/versions.ts";
import { SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

const MARKER = "bulkhead/1 owner=test was=-,-,-";
const render = (policy: HostPolicy): Ruleset => renderRuleset(policy, MARKER);
const from: HostPolicy = SAMPLE_POLICIES.enforce;
const change = (edit: (map: PolicyMap) => PolicyMap): HostPolicy => ({
  ...from,
  live: {
    ...from.live,
    maps: from.live.maps.map((map) => (map.classId === "0000000b" ? edit(map) : map)),
  },
});
const plan = (to: HostPolicy) => planUpdate(render(from), render(to), SAMPLE_NOW);

describe("in place", () => {
  test("one more address in a hash is one element", () => {
    const update = plan(
      change((map) => ({ ...map, exact: [...map.exact, ["10.0.0.9", "00000002"] as const] })),
    );
    expect(update.switch).toBe(
      "add element inet bulkhead le_exact4_0000000b { 10.0.0.9 : goto le_row_00000002 }\n",
    );
    expect(update.prepare + update.cleanup + update.clear).toBe("");
  });

  test("a new host address touches no tree", () => {
    const update = plan({ ...from, hostAddresses: [...from.hostAddresses, "10.0.0.200"] });
    expect(update.switch).toBe(
      [
        "add element inet bulkhead host4 { 10.0.0.200 }",
        "add element netdev bulkhead held4 { 10.0.0.200 }",
        "add element bridge bulkhead machine4 { 10.0.0.200 }",
        "",
      ].join("\n"),
    );
  });

  test("an element whose time has passed is left to the kernel", () => {
    const later = SAMPLE_NOW + 10_000_000;
    expect(planUpdate(render(from), render(from), later).switch).toBe("");
  });
});

describe("an end that was brought forward", () => {
  const endingAt = (deadline: number): HostPolicy => ({
    ...from,
    live: {
      ...from.live,
      overlay: from.live.overlay.map((entry) => ({ ...entry, deadline })),
    },
  });
  const later = SAMPLE_NOW + 60_000;
  const goes = (wanted: number): string =>
    planUpdate(render(endingAt(SAMPLE_NOW + 600_000)), render(endingAt(wanted)), later).switch;

  test("and has passed before the update comes to it takes away what holds on", () => {
    expect(from.live.overlay.length).toBeGreaterThan(0);
    const flushed = [...goes(SAMPLE_NOW + 100).matchAll(/^flush map inet bulkhead (\S+)$/gm)];
    expect(flushed.length).toBeGreaterThan(0);
    expect(goes(SAMPLE_NOW + 100)).not.toContain("timeout");
  });

  test("and is still to come is given anew", () => {
    expect(goes(SAMPLE_NOW + 90_000)).toContain("timeout 30s");
  });
});

describe("aside and over", () => {
  const moved = change((map) => ({
    ...map,
    exact: [],
    ranges: [["10.0.0.3", "10.0.0.3", "00000002"] as const, ...map.ranges],
  }));

  test("an address that moves from one map to another moves to another version", () => {
    const update = plan(moved);
    expect(update.prepare).toContain("add chain inet bulkhead le1_class_0000000b\n");
    expect(update.switch).toBe(
      [
        "delete element inet bulkhead le_subjects4 { 10.0.0.2 }",
        "add element inet bulkhead le_subjects4 { 10.0.0.2 : jump le1_class_0000000b }",
        "",
      ].join("\n"),
    );
    expect(update.cleanup).toContain("delete chain inet bulkhead le_class_0000000b\n");
    // The other trees stay where they are, and counters go on counting.
    expect(update.prepare + update.cleanup).not.toMatch(/li1_|delete counter/);
  });

  test("ranges are never changed under packets", () => {
    const update = plan(change((map) => ({ ...map, ranges: map.ranges.slice(1) })));
    expect(update.switch).not.toContain("_range4_");
    expect(update.prepare).toContain("add map inet bulkhead le1_range4_0000000b");
  });

  test("nothing that packets can reach is emptied before the switch", () => {
    const update = plan(moved);
    expect(update.prepare).not.toMatch(/^(flush|delete) /m);
    expect(update.switch).not.toMatch(/^(delete|flush) (chain|map|set) /m);
  });

  test("what is undone is what was prepared", () => {
    const update = plan(moved);
    const names = (script: string, pattern: RegExp): string[] =>
      [...script.matchAll(pattern)].map((found) => found[1] as string).toSorted();
    expect(names(update.undo, /^delete (?:chain|map|set|counter) inet bulkhead (\S+)/gm)).toEqual(
      names(update.prepare, /^add (?:chain|map|set|counter) inet bulkhead (\S+)/gm),
    );
  });

  test("the other version reads back as the same policy", () => {
    const there = toVersions(render(from), { le: 1, li: 1, se: 0, si: 1 });
    expect(readRuleset(there, from, SAMPLE_NOW).differences).toEqual([]);
    const update = planUpdate(there, render(from), SAMPLE_NOW);
    expect(Object.values(update).join("")).toBe("");
  });

  test("leftovers of an update that was cut short are named, and cleared before their names are used", () => {
    const old = render(from).inet;
    const aside = toVersions(render(moved), { le: 1, li: 0, se: 0, si: 0 }).inet;
    if (old === undefined || aside === undefined) throw new Error("no table");
    const chains = new Map([
      ...old.chains,
      ...[...aside.chains].filter(([name]) => versionOf(name)?.version === 1),
    ]);
    const sets = new Map([
      ...old.sets,
      ...[...aside.sets].filter(([name]) => versionOf(name)?.version === 1),
    ]);
    const there: Ruleset = { ...render(from), inet: { ...old, chains, sets } };
    expect(readRuleset(there, from, SAMPLE_NOW).differences.join("\n")).toContain(
      "chain added: le1_class_0000000b",
    );
    const update = planUpdate(there, render(moved), SAMPLE_NOW);
    expect(update.clear).toContain("delete chain inet bulkhead le1_class_0000000b\n");
    expect(update.prepare).toContain("add chain inet bulkhead le1_class_0000000b\n");
  });
});

describe("ports of bridges", () => {
  const newcomer = {
    workload: "shop/new",
    interface: "veth-new",
    ifindex: 14,
    mac: "02:00:00:00:00:04",
    addresses: ["10.0.0.4"],
    mode: "enforce",
  } as const;
  const grown: HostPolicy = { ...from, endpoints: [...from.endpoints, newcomer] };

  test("a newcomer is guarded first, then let in, and only then is its name kept from others", () => {
    const update = plan(grown);
    expect(update.switch).toContain("add chain netdev bulkhead guard_veth-new {");
    expect(update.switch).not.toMatch(
      /(?:inet|bridge) bulkhead (?:links|ports|confined|homes|macs|held|taken)/,
    );
    expect(update.open).toBe(
      [
        'add element inet bulkhead links { 14 comment "veth-new" }',
        'add element bridge bulkhead ports { 14 comment "veth-new" }',
        'add element bridge bulkhead confined { 14 comment "veth-new" }',
        'add element bridge bulkhead homes4 { 10.0.0.4 . 14 comment "veth-new" }',
        "",
      ].join("\n"),
    );
    expect(update.cleanup).toBe(
      [
        "add element inet bulkhead held4 { 10.0.0.4 }",
        "add element bridge bulkhead macs { 02:00:00:00:00:04 }",
        "add element bridge bulkhead held4 { 10.0.0.4 }",
        "add element bridge bulkhead taken4 { 10.0.0.4 }",
        "",
      ].join("\n"),
    );
  });

  test("who goes is shut out with the switch", () => {
    const update = planUpdate(render(grown), render(from), SAMPLE_NOW);
    expect(update.switch).toContain("delete element bridge bulkhead ports { 14 }\n");
    expect(update.switch).toContain("delete element bridge bulkhead held4 { 10.0.0.4 }\n");
    expect(update.open).toBe("");
  });

  test("a name that is given again is not the port that had it", () => {
    const again = { ...from, endpoints: [...from.endpoints, { ...newcomer, ifindex: 15 }] };
    const update = planUpdate(render(grown), render(again), SAMPLE_NOW);
    expect(update.switch).toContain("delete element bridge bulkhead ports { 14 }\n");
    expect(update.open).toContain('add element bridge bulkhead ports { 15 comment "veth-new" }\n');
  });

  test("a link that is gone or has another number by now lets nobody in", () => {
    const links = new Map([
      ["veth-web", 12],
      ["veth-db", 99],
      ["veth-new", 13],
    ]);
    const { bridge } = knownPorts(render(grown), links);
    expect([...(bridge?.sets.get("ports")?.elements.keys() ?? [])]).toEqual(["12"]);
    expect([...(bridge?.sets.get("confined")?.elements.keys() ?? [])]).toEqual(["12"]);
    expect([...(bridge?.sets.get("homes4")?.elements.keys() ?? [])]).toEqual(["10.0.0.2 . 12"]);
    expect(bridge?.sets.get("held4")).toEqual(render(grown).bridge?.sets.get("held4"));
  });

  test("a listing's names of numbered interfaces are read by the interfaces there are", () => {
    const listing = [
      "table bridge bulkhead {",
      "\tset ports {",
      "\t\ttype iface_index",
      '\t\telements = { "veth-new" comment "veth-new", 15 comment "gone", "eth,1" }',
      "\t}",
      "}",
    ].join("\n");
    const links = new Map([["veth-new", 14]]);
    const keys = [...(parseListing(listing, SAMPLE_NOW, links)?.sets.get("ports")?.elements ?? [])];
    expect(keys.map(([key]) => key)).toEqual(["14", "15", "eth,1"]);
    const homes = [
      "table bridge bulkhead {",
      "\tset homes6 {",
      "\t\ttype ipv6_addr . iface_index",
      '\t\telements = { fd00::0:2 . "veth-new" comment "veth-new", fd00::3 . 15 comment "gone" }',
      "\t}",
      "}",
    ].join("\n");
    const found = parseListing(homes, SAMPLE_NOW, links)?.sets.get("homes6")?.elements ?? [];
    expect([...found].map(([key]) => key)).toEqual(["fd00::2 . 14", "fd00::3 . 15"]);
  });
});

describe("a machine without rules", () => {
  test("is given tables, and undone by deleting them", () => {
    const update = planUpdate({}, render(from), SAMPLE_NOW);
    expect(update.prepare).toContain(`add table inet bulkhead { comment "${MARKER}"; }`);
    expect(update.undo).toBe(
      "delete table inet bulkhead\ndelete table netdev bulkhead\ndelete table bridge bulkhead\n",
    );
  });

  test("is what is left when everything is removed", () => {
    expect(planUpdate(render(from), {}, SAMPLE_NOW).switch).toBe(
      "delete table inet bulkhead\ndelete table netdev bulkhead\ndelete table bridge bulkhead\n",
    );
  });
});

/** What is believed of an attachment, step by step: who holds an address, what is kept, and what a restart remembers. */
import { describe, expect, it } from "vitest";
import type { BridgePort } from "@bulkhead/model";
import type { DiscoveredEndpoint } from "@bulkhead/wire";
import {
  SETTLE_MS,
  admit,
  formatAnchors,
  parseAnchors,
  type Anchors,
} from "../src/world/anchors.ts";
import { NOTHING_DECLARED, type Declared } from "../src/world/declared.ts";
import { NO_SURROUNDINGS } from "../src/world/world.ts";

const NONE: Anchors = new Map();

function endpoint(
  name: string,
  ifindex: number,
  addresses: readonly string[],
  more: Partial<DiscoveredEndpoint> = {},
): DiscoveredEndpoint {
  return {
    kind: "netns",
    name,
    containerLabels: {},
    interface: `v${name.replace("@", "")}`,
    ifindex,
    mac: `02:00:00:00:00:${ifindex.toString(16).padStart(2, "0")}`,
    addresses,
    netnsPath: `/run/netns/${name}`,
    listeners: [],
    ...more,
  };
}

/** One look after another; `enforced` names the interfaces of enforced workloads. */
function watcher(declared: Declared = NOTHING_DECLARED) {
  let anchors = NONE;
  return {
    look(
      endpoints: readonly DiscoveredEndpoint[],
      now: number,
      enforced: readonly string[] | null = [],
      hostAddresses: readonly string[] = ["10.0.0.1"],
      unread: readonly BridgePort[] = [],
    ) {
      const found = { ...NO_SURROUNDINGS, endpoints, hostAddresses, unread };
      const answer = admit(found, anchors, {
        now,
        declared,
        enforced: (name) => enforced?.includes(name),
      });
      anchors = answer.anchors;
      return {
        refused: answer.refused,
        seen: answer.surroundings.endpoints.length,
        of: (name: string) =>
          answer.surroundings.endpoints.find((one) => one.interface === name) as DiscoveredEndpoint,
      };
    },
    restart() {
      anchors = parseAnchors(formatAnchors(anchors, "boot"), "boot");
    },
    reboot() {
      anchors = parseAnchors(formatAnchors(anchors, "boot"), "another boot");
    },
  };
}

const LATER = SETTLE_MS + 1;

describe("addresses", () => {
  it("belong to whoever has them first, enforced or not", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"]), endpoint("b", 2, ["10.0.0.11"])], 0);
    const seen = world.look(
      [endpoint("a", 1, ["10.0.0.10", "10.0.0.11"]), endpoint("b", 2, ["10.0.0.11"])],
      1,
    );
    expect(seen.of("va").addresses).toEqual(["10.0.0.10"]);
    expect(seen.of("vb").addresses).toEqual(["10.0.0.11"]);
    expect(seen.refused).toEqual(["a behind va has taken 10.0.0.11, which belongs to vb"]);
  });

  it("that two claim at first sight are nobody's", () => {
    const seen = watcher().look(
      [endpoint("a", 1, ["10.0.0.10"]), endpoint("b", 2, ["10.0.0.10"])],
      0,
    );
    expect([seen.of("va").addresses, seen.of("vb").addresses]).toEqual([[], []]);
    expect(seen.refused).toHaveLength(2);
  });

  it("go over to a successor once the link of the one before is gone, and not sooner", () => {
    const world = watcher();
    world.look([endpoint("old", 1, ["10.0.0.10"])], 0, ["vold"]);
    const both = [endpoint("old", 1, ["10.0.0.10"]), endpoint("new", 2, ["10.0.0.10"])];
    expect(world.look(both, LATER, ["vold"]).of("vnew").addresses).toEqual([]);
    const after = world.look([endpoint("new", 2, ["10.0.0.10"])], LATER + 1, ["vnew"]);
    expect(after.of("vnew").addresses).toEqual(["10.0.0.10"]);
  });

  it("of an enforced workload are those it was attached with, and stay reserved while it does without", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    const more = world.look([endpoint("a", 1, ["10.0.0.10", "10.0.0.99"])], LATER, ["va"]);
    expect(more.of("va").addresses).toEqual(["10.0.0.10"]);
    const thief = [endpoint("a", 1, []), endpoint("b", 2, ["10.0.0.10"])];
    expect(world.look(thief, LATER + 1, ["va"]).of("vb").addresses).toEqual([]);
    const back = world.look([endpoint("a", 1, ["10.0.0.10"])], LATER + 2, ["va"]);
    expect(back.of("va").addresses).toEqual(["10.0.0.10"]);
  });

  it("may still come while a workload is being attached", () => {
    const world = watcher();
    world.look([endpoint("a", 1, [])], 0, ["va"]);
    world.look([endpoint("a", 1, ["10.0.0.10"])], 60_000, ["va"]);
    const seen = world.look([endpoint("a", 1, ["10.0.0.10", "fd00::1"])], 60_001, ["va"]);
    expect(seen.of("va").addresses).toEqual(["10.0.0.10", "fd00::1"]);
  });

  it("of the machine, or of a workload that an Inventory names, are not for the taking", () => {
    const vm = {
      id: "shop/vm",
      namespace: "shop",
      name: "vm",
      kind: "vm",
      labels: {},
      addresses: ["10.0.0.50"],
      namedPorts: [],
      hostNetwork: false,
    } as const;
    const seen = watcher({ namespaces: [], workloads: [{ workload: vm }] }).look(
      [endpoint("a", 1, ["10.0.0.1", "10.0.0.10", "10.0.0.50"])],
      0,
    );
    expect(seen.of("va").addresses).toEqual(["10.0.0.10"]);
    expect(seen.refused).toHaveLength(2);
  });

  it("follow what is seen again when enforcement ends", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    const changed = [endpoint("a", 1, ["10.0.0.12"], { mac: "02:00:00:00:00:99" })];
    expect(world.look(changed, LATER, ["va"]).of("va")).toMatchObject({
      addresses: [],
      mac: "02:00:00:00:00:01",
    });
    expect(world.look(changed, LATER + 1, []).of("va")).toMatchObject({
      addresses: ["10.0.0.12"],
      mac: "02:00:00:00:00:99",
    });
  });

  it("by the thousand raise few alarms", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    const many = Array.from({ length: 500 }, (_, n) => `10.1.${n >> 8}.${n & 255}`);
    expect(world.look([endpoint("a", 1, many)], LATER, ["va"]).refused).toHaveLength(3);
  });
});

describe("names", () => {
  const container = endpoint("shop-db", 1, ["10.0.0.10"], {
    kind: "container",
    containerLabels: { app: "db" },
  });

  it("are kept in a namespace without one", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0);
    const moved = endpoint("@va", 1, ["10.0.0.10"], { interface: "va" });
    const seen = world.look([moved], 1);
    expect(seen.of("va").name).toBe("a");
    expect(seen.refused).toEqual(["a behind va has moved into another network namespace"]);
  });

  it("are taken once there is one, and from whoever may give them", () => {
    const world = watcher();
    const nameless = endpoint("@veth", 1, [], { interface: "vshop-db" });
    world.look([nameless], 0);
    expect(world.look([container], 1).of("vshop-db").name).toBe("shop-db");
    expect(world.look([{ ...container, name: "shop-db-2" }], 2).of("vshop-db").name).toBe(
      "shop-db-2",
    );
  });

  it("and labels survive a container runtime that does not answer", () => {
    const world = watcher();
    world.look([container], 0, ["vshop-db"]);
    const seen = world.look(
      [endpoint("cni-1234", 1, ["10.0.0.10"], { interface: "vshop-db" })],
      1,
      ["vshop-db"],
    );
    expect(seen.of("vshop-db")).toMatchObject({
      kind: "container",
      name: "shop-db",
      containerLabels: { app: "db" },
    });
  });
});

describe("a restart", () => {
  it("forgets nothing, also before anything is compiled", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    world.look([endpoint("a", 1, ["10.0.0.10"])], LATER, ["va"]);
    world.restart();
    const moved = endpoint("@va", 1, ["10.0.0.66"], { interface: "va" });
    const seen = world.look([moved], LATER + 1, null);
    expect(seen.of("va")).toMatchObject({ name: "a", addresses: [] });
  });

  it("does not free who hides behind a link that cannot be read, and believes nobody else there", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    world.look([endpoint("a", 1, ["10.0.0.10"])], LATER, ["va"]);
    const hidden = [{ interface: "va", ifindex: 1 }];
    for (const enforced of [["va"], null]) {
      world.restart();
      const seen = world.look([], LATER + 1, enforced, [], hidden);
      expect(seen.of("va")).toMatchObject({ name: "a", ifindex: 1, addresses: ["10.0.0.10"] });
    }
    // Away for a moment, and hidden then: it keeps what it had.
    expect(world.look([], LATER + 2, ["va"]).of("va")).toBeUndefined();
    expect(world.look([], LATER + 3, null, [], hidden).of("va").addresses).toEqual(["10.0.0.10"]);
    // Another link under its name is another.
    const other = [{ interface: "va", ifindex: 2 }];
    expect(world.look([], LATER + 4, null, [], other).of("va")).toBeUndefined();
    const told = [endpoint("a", 1, ["10.0.0.10"])];
    // What the agent kept itself is not there twice.
    expect(world.look(told, LATER + 5, null, [], hidden)).toMatchObject({ refused: [], seen: 1 });
  });

  it("of the machine begins anew: links are numbered anew", () => {
    const world = watcher();
    world.look([endpoint("a", 1, ["10.0.0.10"])], 0, ["va"]);
    world.reboot();
    expect(world.look([endpoint("a", 1, ["10.0.0.20"])], LATER, ["va"]).of("va").addresses).toEqual(
      ["10.0.0.20"],
    );
  });
});

/**
 * Rules go by the address, a bridge by the MAC. An enforced workload that may reach one address reaches nobody else by
 * sending what is for that address to another's MAC, or to everybody's; and what it may ask the machine before it has an
 * address is heard by the machine alone.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import {
  datagram,
  frame,
  ip4,
  ip6,
  listen,
  openMouth,
  sniff,
  udp4,
  udp6,
  type Ear,
  type Mouth,
} from "./frames.ts";

const PORT = 5432;
const SERVER = 67;
const EVERYBODY = "ff:ff:ff:ff:ff:ff";
/** What belongs to the MAC of `a`. */
const LINK_LOCAL = "fe80::86:ff:fe00:2";
const LAST = "the last one";

let lab: Lab;
let driver: Driver;
let ears: Readonly<Record<string, Ear>>;
let mouths: Readonly<Record<string, Mouth>>;

const workload = (name: string): LabWorkload => lab.workload(name);

/**
 * `a` is enforced, asks the machine for its address, and may speak to `db` and `twin` alone. `open` takes everybody's packets,
 * `evil` is not enforced, `stranger` not known, `card` leads to the network. `twin` and `other` are two links of one workload.
 */
const policy = (mode: ConfinedEndpoint["mode"]): HostPolicy => {
  const [a, db, twin] = ["a", "db", "twin"].map(workload) as [
    LabWorkload,
    LabWorkload,
    LabWorkload,
  ];
  const only = portRow(17, [[PORT, PORT]], ALLOW, DROP);
  const whole = policyOf(lab, {
    live:
      mode === "enforce"
        ? [
            {
              direction: "egress",
              subjects: [a.v4, a.v6],
              exact: [db.v4, db.v6, twin.v4, twin.v6].map((address) => [address, only] as const),
              defaultRow: rowOf(DROP),
            },
            {
              direction: "ingress",
              subjects: [db.v4, db.v6],
              exact: [
                [a.v4, only],
                [a.v6, only],
              ],
              defaultRow: rowOf(DROP),
            },
          ]
        : [],
  });
  const card = workload("card");
  return {
    ...whole,
    ports: [{ interface: card.interface, ifindex: card.ifindex }],
    endpoints: whole.endpoints
      .filter((endpoint) => !/card|stranger/.test(endpoint.workload))
      .map((endpoint) => ({
        ...endpoint,
        workload: endpoint.workload === "lab/other" ? "lab/twin" : endpoint.workload,
        mode: /evil|twin|other/.test(endpoint.workload) ? "observe" : mode,
        ...(endpoint.workload === "lab/a" ? { dhcp: true as const } : {}),
      })),
  };
};

const OTHERS = ["evil", "open", "stranger", "card", "other"];

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["a", "db", "evil", "open", "stranger", "card", "twin", "other"]);
    driver = under.create(lab);
    ears = {
      ...Object.fromEntries([...OTHERS, "db"].map((name) => [name, sniff(workload(name).path)])),
      machine: listen(lab.hostPath, SERVER),
    };
    mouths = Object.fromEntries(
      ["a", "evil"].map((name) => {
        const { netns, path } = workload(name);
        const index = Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);
        return [name, openMouth(path, index)];
      }),
    );
  });
  afterAll(() => {
    for (const one of [...Object.values(ears ?? {}), ...Object.values(mouths ?? {})]) one.close();
    lab?.close();
  });
  beforeEach(() => {
    lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
  });

  /** Who heard which word, after something that is heard for certain came behind them. */
  const heardAfter = async (frames: readonly Buffer[]): Promise<readonly string[]> => {
    // Everybody is where the bridge saw them last, so that frames go to one port alone.
    for (const { mac, interface: link } of Object.values(lab.workloads))
      lab.run(lab.host, ["bridge", "fdb", "replace", mac, "dev", link, "master", "static"]);
    for (const bytes of frames) mouths["a"]?.send(bytes);
    const heard = new Set<string>();
    let last = 0;
    const evil = workload("evil");
    const card = workload("card");
    await expect
      .poll(
        () => {
          mouths["evil"]?.send(frame(card.mac, evil.mac, "0800", udp4(evil.v4, card.v4, 9, LAST)));
          for (const [name, ear] of Object.entries(ears))
            for (const text of ear.heard()) {
              if (text.includes(LAST)) last += 1;
              const word = /WORD [^;]*;/.exec(text)?.[0];
              if (word !== undefined) heard.add(`${name} hears ${word}`);
            }
          return last;
        },
        { timeout: 20_000 },
      )
      // Queues of other processors have been worked off meanwhile.
      .toBeGreaterThan(5);
    return [...heard].toSorted();
  };

  /** One datagram of each family, for `to`'s address in frames for `mac`. */
  const said = (to: string, mac: string, word: string): readonly Buffer[] => {
    const a = workload("a");
    const { v4, v6 } = workload(to);
    return [
      frame(mac, a.mac, "0800", udp4(a.v4, v4, PORT, `WORD ${word} 4;`)),
      frame(mac, a.mac, "86dd", udp6(a.v6, v6, PORT, `WORD ${word} 6;`)),
    ];
  };

  /** As a client without a lease asks: of everybody, in a frame for one or for all. */
  const asked = (mac: string, word: string): readonly Buffer[] => {
    const a = workload("a");
    const text = `WORD a lease, ${word}`;
    return [
      frame(
        mac,
        a.mac,
        "0800",
        ip4("0.0.0.0", "255.255.255.255", 17, datagram(SERVER, `${text} 4;`, 68)),
      ),
      frame(mac, a.mac, "0800", udp4Lease(a.v4, `${text} again;`)),
      frame(mac, a.mac, "86dd", ip6(LINK_LOCAL, "ff02::1:2", 17, datagram(547, `${text} 6;`, 546))),
    ];
  };
  const udp4Lease = (source: string, text: string): Buffer =>
    ip4(source, "255.255.255.255", 17, datagram(SERVER, text, 68));

  const both = (name: string, word: string): readonly string[] => [
    `${name} hears WORD ${word} 4;`,
    `${name} hears WORD ${word} 6;`,
  ];
  const leases = (name: string, word: string): readonly string[] => [
    ...both(name, `a lease, ${word}`),
    `${name} hears WORD a lease, ${word} again;`,
  ];

  const WRONG = ["evil", "open", "stranger"];

  const misled = (): readonly Buffer[] => [
    ...WRONG.flatMap((name) => said("db", workload(name).mac, `for db to ${name}`)),
    ...said("db", EVERYBODY, "for db to everybody"),
    ...WRONG.flatMap((name) => asked(workload(name).mac, `of ${name}`)),
    ...asked(EVERYBODY, "of everybody"),
  ];

  test("others hear it where nothing is enforced", async () => {
    await driver.apply(policy("observe"));
    expect(await heardAfter(misled())).toEqual(
      [
        ...WRONG.flatMap((name) => both(name, `for db to ${name}`)),
        ...[...OTHERS, "db"].flatMap((name) => both(name, "for db to everybody")),
        ...WRONG.flatMap((name) => leases(name, `of ${name}`)),
        ...[...OTHERS, "db"].flatMap((name) => leases(name, "of everybody")),
        "machine hears WORD a lease, of everybody 4;",
        "machine hears WORD a lease, of everybody again;",
      ].toSorted(),
    );
  });

  test("in enforce whom it is for hears it, by whatever MAC, and nobody else at an end of this machine", async () => {
    await driver.apply(policy("enforce"));
    const count = async (): Promise<number> =>
      (await driver.counters()).find((one) => one.kind === "special" && one.name === "misdirected")
        ?.packets ?? -1;
    const before = await count();
    expect(await heardAfter(misled())).toEqual(
      [
        ...both("db", "for db to everybody"),
        // What a card leads to is not seen from here: a router, maybe.
        ...both("card", "for db to everybody"),
        "machine hears WORD a lease, of everybody 4;",
        "machine hears WORD a lease, of everybody again;",
      ].toSorted(),
    );
    expect(await count()).toBeGreaterThanOrEqual(before + 15);
  });

  test("what is permitted goes on: to its port, through a router, and to either link of one workload", async () => {
    await driver.apply(policy("enforce"));
    const words = [
      ...said("db", workload("db").mac, "for db"),
      ...said("db", workload("card").mac, "for db by a router"),
      ...said("twin", workload("other").mac, "for twin by its other link"),
    ];
    expect(await heardAfter(words)).toEqual(
      [
        ...both("db", "for db"),
        ...both("card", "for db by a router"),
        ...both("other", "for twin by its other link"),
      ].toSorted(),
    );
    // And both find each other, from nothing.
    const { netns } = workload("a");
    lab.run(netns, ["ip", "neigh", "flush", "dev", "eth0"]);
    for (const address of [workload("db").v4, workload("db").v6]) {
      expect(() => lab.run(netns, ["ping", "-c", "1", "-W", "1", address])).toThrow(
        /Command failed/,
      );
      expect(lab.run(netns, ["ip", "neigh", "show", address])).toContain(workload("db").mac);
    }
  });

  test("a port that has the number of one that is gone is no home", async () => {
    const told = policy("enforce");
    const evil = workload("evil");
    // As after a restart of the machine: the number of db's port belongs to another now.
    await driver.apply({
      ...told,
      endpoints: told.endpoints.map((endpoint) =>
        endpoint.workload === "lab/db"
          ? { ...endpoint, interface: "v-gone", ifindex: evil.ifindex }
          : endpoint.workload === "lab/evil"
            ? { ...endpoint, ifindex: workload("db").ifindex }
            : endpoint,
      ),
    });
    expect(await heardAfter(said("db", evil.mac, "for db to evil"))).toEqual([]);
  });
});

/**
 * The moment of attachment: somebody hangs a new link on a bridge and floods at once, long before anybody can have seen
 * it. Nothing of that reaches an enforced workload, by whatever name and way; the machine and whoever is not enforced are
 * reached from the first packet on.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy, Row } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { frame, listen, openMouth, sendFrame, udp4, udp6, type Ear } from "./frames.ts";

const PORT = 4343;
/** Address translation of the machine leads from here to `open`. */
const PUBLISHED = 9;
const MAC = "02:86:00:00:00:77";
const HOST = { v4: "10.86.0.1", v6: "fd86::1" } as const;
const HOST_MAC = "02:86:00:00:00:01";
const EVERYBODY = "ff:ff:ff:ff:ff:ff";
const ALL_NODES = "33:33:00:00:00:01";
const STRANGER = { v4: "10.86.0.77", v6: "fd86::77" } as const;
/** So many datagrams of an attachment arrive where they may before it is taken away again. */
const ENOUGH = 25;

let lab: Lab;
let driver: Driver;
let wire: { readonly netns: string; readonly path: string };
let ears: Readonly<Record<string, Ear>>;
let gone: LabWorkload;

const workload = (name: string): LabWorkload => lab.workload(name);

/** `judged` takes packets from `friend` and `gone` alone, `open` from everybody; `plain` is never enforced. */
const policy = (mode: ConfinedEndpoint["mode"]): HostPolicy => {
  const judged = workload("judged");
  const allowed = rowOf(ALLOW);
  const whole = policyOf(lab, {
    live:
      mode === "enforce"
        ? [
            {
              direction: "ingress",
              subjects: [judged.v4, judged.v6],
              exact: [workload("friend"), gone].flatMap(({ v4, v6 }) => [
                [v4, allowed] as const,
                [v6, allowed] as const,
              ]),
              defaultRow: rowOf(DROP),
            },
          ]
        : [],
  });
  return {
    ...whole,
    endpoints: whole.endpoints.map((endpoint) => ({
      ...endpoint,
      mode: endpoint.workload === "lab/plain" ? "observe" : mode,
    })),
  };
};

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["friend", "judged", "open", "plain", "gone"]);
    gone = workload("gone");
    driver = under.create(lab);
    const netns = `bbr-${randomBytes(3).toString("hex")}`;
    wire = { netns, path: `/run/netns/${netns}` };
    lab.run(lab.host, ["ip", "netns", "add", netns]);
    lab.run(
      lab.host,
      ["nft", "-f", "-"],
      [
        "table inet published {",
        "chain in { type nat hook prerouting priority -100; policy accept;",
        `meta nfproto ipv4 udp dport ${PUBLISHED} dnat ip to ${workload("open").v4}:${PORT}`,
        `meta nfproto ipv6 udp dport ${PUBLISHED} dnat ip6 to [${workload("open").v6}]:${PORT}`,
        "}",
        "}",
      ].join("\n"),
    );
    ears = {
      judged: listen(workload("judged").path, PORT),
      open: listen(workload("open").path, PORT),
      plain: listen(workload("plain").path, PORT),
      host: listen(lab.hostPath, PORT),
    };
  });
  afterAll(() => {
    for (const ear of Object.values(ears ?? {})) ear.close();
    if (wire !== undefined) lab.run(lab.host, ["ip", "netns", "del", wire.netns]);
    lab?.close();
  });

  interface Name {
    readonly mac: string;
    readonly v4: string;
    readonly v6: string;
  }

  /** One datagram of each family; the text ends in 0 and 1. */
  const both = (to: string, from: Name, at: Pick<Name, "v4" | "v6">, text: string, port = PORT) => [
    frame(to, from.mac, "0800", udp4(from.v4, at.v4, port, `${text}0`)),
    frame(to, from.mac, "86dd", udp6(from.v6, at.v6, port, `${text}1`)),
  ];

  /** Everything that the newcomer tries on enforced workloads, in somebody's name, by what each datagram says. */
  const attempts = (from: Name): Readonly<Record<string, Buffer>> => {
    const judged = workload("judged");
    const open = workload("open");
    const way = (text: string, to: string, at: Pick<Name, "v4" | "v6">, port = PORT) =>
      both(to, from, at, text, port).map((bytes, index) => [`${text}${index}`, bytes] as const);
    return Object.fromEntries([
      ...way("to judged", judged.mac, judged),
      ...way("to open", open.mac, open),
      ...way("routed to judged", HOST_MAC, judged),
      ...way("routed to open", HOST_MAC, open),
      ...way("published open", HOST_MAC, HOST, PUBLISHED),
      [
        "to everybody0",
        frame(EVERYBODY, from.mac, "0800", udp4(from.v4, "255.255.255.255", PORT, "to everybody0")),
      ],
      [
        "to everybody1",
        frame(ALL_NODES, from.mac, "86dd", udp6(from.v6, "ff02::1", PORT, "to everybody1")),
      ],
      [
        "tagged0",
        frame(judged.mac, from.mac, "810000000800", udp4(from.v4, judged.v4, PORT, "tagged0")),
      ],
      [
        "tagged1",
        frame(open.mac, from.mac, "8100000086dd", udp6(from.v6, open.v6, PORT, "tagged1")),
      ],
    ]);
  };

  const controls = (): readonly Buffer[] => {
    const plain = workload("plain");
    const me = { mac: MAC, ...STRANGER };
    return [...both(plain.mac, me, plain, "control"), ...both(HOST_MAC, me, HOST, "control")];
  };

  const ip = (...words: readonly string[]): string => lab.run(lab.host, ["ip", ...words]);

  const numberOf = (link: string): number => Number.parseInt(ip("-o", "link", "show", link), 10);

  type Heard = Readonly<Record<string, readonly string[]>>;

  interface Attachment {
    /** Done when the link is there, and before it hangs anywhere. */
    readonly before?: ((ifindex: number) => Promise<unknown>) | undefined;
    /** How it is hung up, as `ip` is told. */
    readonly hang?: readonly string[];
  }

  /** Hangs a link on the bridge while it floods, until that is enough; what was heard where. */
  const attach = async (
    link: string,
    flood: readonly Buffer[] | ((round: number) => readonly Buffer[]),
    enough: (heard: Heard) => boolean | Promise<boolean>,
    { before, hang: commands = [`link set ${link} master br0 up`] }: Attachment = {},
  ): Promise<Heard> => {
    const heard: Record<string, string[]> = { judged: [], open: [], plain: [], host: [] };
    ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", wire.netns);
    ip("-n", wire.netns, "link", "set", "eth0", "up");
    const ifindex = Number.parseInt(ip("-n", wire.netns, "-o", "link", "show", "eth0"), 10);
    const mouth = openMouth(wire.path, ifindex);
    try {
      await before?.(numberOf(link));
      const hang = spawn("ip", ["-n", lab.host, "-batch", "-"], {
        stdio: ["pipe", "ignore", "inherit"],
      });
      hang.stdin.end(commands.join("\n"));
      const end = performance.now() + 30_000;
      for (let round = 0; hang.exitCode === null || !(await enough(heard)); round += 1) {
        if (performance.now() > end) throw new Error(`the flood through ${link} reaches nobody`);
        for (const bytes of typeof flood === "function" ? flood(round) : flood) mouth.send(bytes);
        // Lets the process that hangs the link be heard of.
        await new Promise((resolve) => setImmediate(resolve));
        for (const [name, ear] of Object.entries(ears)) heard[name]?.push(...ear.heard());
      }
    } finally {
      mouth.close();
      ip("link", "del", link);
    }
    return heard;
  };

  /** So much of it came through to those who are open to everybody. */
  const controlled = (heard: Heard): boolean =>
    [heard["plain"], heard["host"]].every(
      (texts) => (texts ?? []).filter((text) => text.startsWith("control")).length >= ENOUGH,
    );

  /** `link`, as discovery tells of it. */
  const newcomer = (link: string, mode: ConfinedEndpoint["mode"]): ConfinedEndpoint => ({
    workload: "lab/newcomer",
    interface: link,
    ifindex: numberOf(link),
    mac: MAC,
    addresses: [STRANGER.v4, STRANGER.v6],
    mode,
  });

  /** The newcomer may speak to `judged`, too. */
  const withNewcomer = (before: HostPolicy, row: Row): HostPolicy => ({
    ...before,
    live: {
      ...before.live,
      maps: before.live.maps.map((map) => ({
        ...map,
        exact: [
          ...map.exact.filter(([address]) => !address.includes(":")),
          [STRANGER.v4, row.id] as const,
          ...map.exact.filter(([address]) => address.includes(":")),
          [STRANGER.v6, row.id] as const,
        ],
      })),
    },
    rows: [...before.rows, row],
  });

  const special = async (name: string): Promise<number> =>
    (await driver.counters()).find((one) => one.kind === "special" && one.name === name)?.packets ??
    0;

  const refused = async (): Promise<number> =>
    (await special("unknown_port")) + (await special("spoofed"));

  const NAMES: Readonly<Record<string, () => Name>> = {
    "an address that nobody has": () => ({ mac: MAC, ...STRANGER }),
    "an enforced neighbour's address": () => ({ ...workload("friend"), mac: MAC }),
    "an enforced neighbour's address and MAC": () => workload("friend"),
    "the address of one who has gone": () => ({ ...gone, mac: MAC }),
    "the address and MAC of one who has gone": () => gone,
    "the address of an unenforced neighbour": () => ({ ...workload("plain"), mac: MAC }),
  };

  test("every attempt reaches somebody where nothing is enforced", async () => {
    await driver.apply(policy("audit"));
    for (const name of Object.values(NAMES)) {
      const attempted = attempts(name());
      const flood = [...Object.values(attempted), ...controls()];
      const heard = await attach("v-new", flood, controlled);
      const arrived = new Set([...(heard["judged"] ?? []), ...(heard["open"] ?? [])]);
      expect([...arrived].toSorted()).toEqual(Object.keys(attempted).toSorted());
    }
  });

  describe("in enforce", () => {
    beforeAll(async () => {
      lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
      await driver.apply(policy("enforce"));
      // It goes, and the policy does not know that yet.
      ip("link", "del", gone.interface);
    });

    test.each(Object.entries(NAMES))("%s, in new links", async (_, name) => {
      for (let attempt = 0; attempt < 6; attempt += 1) {
        const flood = [...Object.values(attempts(name())), ...controls()];
        const heard = await attach(`v-new${attempt}`, flood, controlled);
        expect(heard["judged"]).toEqual([]);
        expect(heard["open"]).toEqual([]);
      }
    });

    test.each(Object.entries(NAMES))(
      "%s, in a link called like one that has gone",
      async (_, name) => {
        for (let attempt = 0; attempt < 3; attempt += 1) {
          // Since Linux 6.16 the guard made for that name is there at once, and lets through who was behind it.
          const before = await refused();
          const heard = await attach(gone.interface, Object.values(attempts(name())), async () => {
            return (await refused()) > before + ENOUGH;
          });
          expect(heard["judged"]).toEqual([]);
          expect(heard["open"]).toEqual([]);
        }
      },
    );

    test("what is sent to an enforced neighbour goes on to it, whosever MAC the newcomer claims", async () => {
      const friend = workload("friend");
      const judged = workload("judged");
      const index = Number.parseInt(ip("-n", judged.netns, "-o", "link", "show", "eth0"), 10);
      const mouth = openMouth(judged.path, index);
      const ear = listen(friend.path, PORT);
      const [answer] = both(friend.mac, judged, friend, "answer");
      if (answer === undefined) throw new Error("no frame");
      const theft = frame(
        EVERYBODY,
        friend.mac,
        "0800",
        udp4(STRANGER.v4, "255.255.255.255", 1, ""),
      );
      let sent = 0;
      const heard: string[] = [];
      try {
        await attach("v-thief", [theft, ...controls()], (so) => {
          mouth.send(answer);
          sent += 1;
          return controlled(so) && sent > ENOUGH;
        });
        await expect.poll(() => heard.push(...ear.heard()), { timeout: 10_000 }).toBe(sent);
      } finally {
        mouth.close();
        ear.close();
      }
    });

    test.each(["observe", "enforce"] as const)(
      "in %s it is let in once it is known, its lies never, and nothing it may is cut",
      async (mode) => {
        const told = policy("enforce");
        const own = rowOf(ALLOW);
        for (let attempt = 0; attempt < 5; attempt += 1) {
          const link = `v-${mode}${attempt}`;
          let known: Promise<unknown> | undefined;
          let since = 0;
          const flood = (round: number): readonly Buffer[] => [
            ...both(HOST_MAC, { mac: MAC, ...STRANGER }, HOST, `${round} to host`),
            ...both(workload("judged").mac, { mac: MAC, ...STRANGER }, workload("judged"), "own"),
            ...both(
              workload("judged").mac,
              { ...workload("friend"), mac: MAC },
              workload("judged"),
              "lie",
            ),
            ...controls(),
          ];
          const heard = await attach(link, flood, (so) => {
            if (!controlled(so)) return false;
            if (known === undefined) expect(so["judged"]).toEqual([]);
            known ??= driver
              .apply({
                ...withNewcomer(told, own),
                endpoints: [...told.endpoints, newcomer(link, mode)],
              })
              .then(() => (since = so["plain"]?.length ?? 0));
            // Let in, and seen for as long again.
            return (
              ["own0", "own1"].every((text) => so["judged"]?.includes(text)) &&
              since > 0 &&
              (so["plain"]?.length ?? 0) > since + ENOUGH
            );
          });
          await known;
          expect(new Set(heard["judged"])).toEqual(new Set(["own0", "own1"]));
          // Every round from the first that came on, in both families.
          for (const family of [0, 1]) {
            const rounds = (heard["host"] ?? [])
              .filter((text) => text.endsWith(` to host${family}`))
              .map((text) => Number.parseInt(text, 10));
            const [first = 0] = rounds;
            expect(rounds).toEqual(rounds.map((_, index) => first + index));
            expect(rounds.length).toBeGreaterThan(ENOUGH);
          }
          await driver.apply(told);
        }
      },
    );

    test("who is known went on all the time, and it is counted", async () => {
      expect(await special("unknown_port")).toBeGreaterThan(100);
      const friend = workload("friend");
      const judged = workload("judged");
      const index = Number.parseInt(
        lab.run(friend.netns, ["ip", "-o", "link", "show", "eth0"]),
        10,
      );
      // What lied about MACs has not drawn the frames of others to itself.
      for (const bytes of both(judged.mac, friend, judged, "known"))
        sendFrame(friend.path, index, bytes);
      const heard: string[] = [];
      await expect
        .poll(() => heard.push(...(ears["judged"]?.heard() ?? [])), { timeout: 10_000 })
        .toBe(2);
      expect(heard).toEqual(["known0", "known1"]);
    });
  });

  describe("a port that leads to no workload", () => {
    const judgedOf = (heard: Heard): readonly string[] => heard["judged"] ?? [];

    /** A cable into the bridge: what is at its other end is the network. */
    const plug = async (known?: (ifindex: number) => Promise<unknown>): Promise<Heard> => {
      const far = { mac: MAC, ...STRANGER };
      const friend = { ...workload("friend"), mac: MAC };
      const flood = [
        ...both(workload("open").mac, far, workload("open"), "network"),
        ...both(workload("judged").mac, far, workload("judged"), "network"),
        ...both(workload("judged").mac, friend, workload("judged"), "lie"),
        ...controls(),
      ];
      return await attach("up0", flood, controlled, { before: known });
    };

    test("is held back while nobody knows it", async () => {
      await driver.apply(policy("enforce"));
      const heard = await plug();
      expect([...judgedOf(heard), ...(heard["open"] ?? [])]).toEqual([]);
    });

    test("goes on as it was once it is known, but in no enforced workload's name", async () => {
      const before = await special("spoofed");
      const heard = await plug(async (ifindex) => {
        await driver.apply({ ...policy("enforce"), ports: [{ interface: "up0", ifindex }] });
      });
      expect(new Set(heard["open"])).toEqual(new Set(["network0", "network1"]));
      expect(judgedOf(heard)).toEqual([]);
      expect(await special("spoofed")).toBeGreaterThan(before);
      expect((await driver.readBack()).differences).toEqual([]);
    });
  });

  describe("a routed link", () => {
    const link = "v-routed";
    /** Our end of it, which the newcomer sends to. */
    const NEAR = "02:86:00:00:00:88";
    const own = { mac: MAC, v4: "10.99.0.2", v6: "fd99::2" };
    const open = (): LabWorkload => workload("open");

    /** What the newcomer tries in the name of each, and what it may. */
    const flood = (): readonly Buffer[] => [
      ...both(NEAR, own, open(), "own to open"),
      ...both(NEAR, { ...gone, mac: MAC }, workload("judged"), "gone to judged"),
      ...both(NEAR, { ...gone, mac: MAC }, open(), "gone to open"),
      ...both(NEAR, { ...workload("friend"), mac: MAC }, open(), "friend to open"),
      ...both(NEAR, own, workload("plain"), "control"),
      ...both(NEAR, own, { v4: "10.99.0.1", v6: "fd99::1" }, "control"),
    ];

    /** With the addresses and routes that whoever attaches it gives it at once. */
    const route = (): Promise<Heard> =>
      attach(link, flood(), controlled, {
        hang: [
          `link set ${link} address ${NEAR} up`,
          `addr add 10.99.0.1/24 dev ${link}`,
          `addr add fd99::1/64 dev ${link} nodad`,
          `route replace ${gone.v4}/32 dev ${link}`,
          `route replace ${gone.v6}/128 dev ${link}`,
        ],
      });

    test("reaches everybody, in most names, where nothing is enforced", async () => {
      await driver.apply(policy("audit"));
      const heard = await route();
      const all = new Set([...(heard["judged"] ?? []), ...(heard["open"] ?? [])]);
      expect([...all].toSorted()).toEqual(
        ["friend to open", "gone to judged", "gone to open", "own to open"].flatMap((text) => [
          `${text}0`,
          `${text}1`,
        ]),
      );
    });

    test("reaches no enforced workload, new or in the name of one who has gone", async () => {
      await driver.apply(policy("enforce"));
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const heard = await route();
        expect([...(heard["judged"] ?? []), ...(heard["open"] ?? [])]).toEqual([]);
      }
    });
  });

  test("nothing of it is left", async () => {
    await driver.remove();
    expect(under.holdings(lab)).toBe("");
    expect(lab.run(lab.host, ["nft", "list", "tables"]).trim()).toBe("table inet published");
  });
});

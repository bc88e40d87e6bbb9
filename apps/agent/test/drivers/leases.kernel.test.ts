/**
 * A real dnsmasq serves leases and names on the machine's bridge. A workload that may talk to nobody gets and renews its
 * lease and resolves names where that is declared, and nobody else plays the server.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostPolicy, Mode } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import {
  ACK,
  ADVERTISE,
  DISCOVER,
  OFFER,
  REQUEST,
  SOLICIT,
  datagram,
  dhcp,
  dhcp6,
  isDhcp6,
  readDhcp,
} from "./dhcp.ts";
import type { Lease } from "./dhcp.ts";
import { exchange } from "./exchange.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { DROP, ALLOW, policyOf, rowOf } from "./policies.ts";
import { frame } from "./wire.ts";

const MACHINE = "10.86.0.1";
const MACHINE_MAC = "02:86:00:00:00:01";
const ALL_ONES = "255.255.255.255";
const ALL_SERVERS = "ff02::1:2";
/** What is to come is waited for, however slow the machine is; what is not to come, for long enough to have come. */
const LONG_MS = 20_000;
const SHORT_MS = 400;

let lab: Lab;
let driver: Driver;
let folder: string;
let machineLinkLocal: string;

const workload = (name: string): LabWorkload => lab.workload(name);

const linkLocal = (netns: string, device: string): string => {
  const listed = lab.run(netns, ["ip", "-6", "-o", "addr", "show", "dev", device, "scope", "link"]);
  const found = /inet6 (fe80:[^/]*)/.exec(listed)?.[1];
  if (found === undefined) throw new Error(`no link-local address on ${device}`);
  return found;
};

beforeAll(() => {
  lab = createLab(["client", "rogue", "stranger"]);
  folder = mkdtempSync(join(tmpdir(), "bex-leases-"));
  machineLinkLocal = linkLocal(lab.host, "br0");
  const { mac, v4 } = workload("client");
  const log = join(folder, "log");
  lab.start(lab.host, [
    "dnsmasq",
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--user=root",
    "--pid-file=",
    "--interface=br0",
    "--bind-interfaces",
    "--no-resolv",
    "--no-hosts",
    "--no-ping",
    "--address=/orders.test/192.0.2.77",
    "--dhcp-authoritative",
    "--dhcp-range=10.86.0.2,10.86.0.90,255.255.255.0,1h",
    `--dhcp-host=${mac},${v4}`,
    "--dhcp-range=fd86::50,fd86::90,64,1h",
    `--dhcp-leasefile=${join(folder, "leases")}`,
    `--log-facility=${log}`,
  ]);
});
afterAll(() => {
  lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

interface Wishes {
  /** The client's ingress is not judged. */
  readonly open?: boolean;
  readonly mode?: Mode;
  readonly dhcp?: boolean;
  readonly dns?: boolean;
}

/** The client may do nothing, the rogue everything; the stranger is not enforced. */
const policy = ({
  mode = "enforce",
  dhcp: served = false,
  dns = false,
  open = false,
}: Wishes): HostPolicy => {
  const client = [workload("client").v4, workload("client").v6, clientLinkLocal()];
  const closed = rowOf(DROP);
  const judged = mode !== "enforce" ? [] : (["egress", "ingress"] as const);
  const base = policyOf(lab, {
    mode,
    nodeExempt: false,
    live: judged.flatMap((direction) => [
      ...(open && direction === "ingress"
        ? []
        : [{ direction, subjects: client, defaultRow: closed }]),
      {
        direction,
        subjects: [workload("rogue").v4, workload("rogue").v6],
        defaultRow: rowOf(ALLOW),
      },
    ]),
  });
  return {
    ...base,
    hostAddresses: [...base.hostAddresses, machineLinkLocal],
    endpoints: base.endpoints.map((endpoint) => ({
      ...endpoint,
      ...(endpoint.workload === "lab/client"
        ? { addresses: [...endpoint.addresses, clientLinkLocal()] }
        : {}),
      ...(endpoint.workload === "lab/stranger" ? { mode: "observe" as const } : {}),
      ...(served ? { dhcp: true as const } : {}),
    })),
    profile: {
      ...base.profile,
      ...(dns
        ? {
            dns: [
              { address: MACHINE, port: 53 },
              { address: "fd86::1", port: 53 },
            ],
          }
        : {}),
    },
  };
};

const clientLinkLocal = (): string => linkLocal(workload("client").netns, "eth0");

let lastXid = 0x00b10000;
const nextXid = (): number => (lastXid += 1);

/** The client says this, from and to these addresses, and hears that. */
const hear = (
  lease: Omit<Lease, "op" | "xid" | "mac">,
  source: string,
  destination: string,
  patience: number,
): Promise<{ type: number; offered: string } | null> => {
  const client = workload("client");
  const xid = nextXid();
  const payload = dhcp({ op: 1, xid, mac: client.mac, ...lease });
  const mac = destination === ALL_ONES ? "ff:ff:ff:ff:ff:ff" : MACHINE_MAC;
  const packet = frame(mac, client.mac, 0x0800, datagram(source, destination, [68, 67], payload));
  return exchange(lab, client, client, packet, (bytes) => readDhcp(bytes, xid), patience);
};

const offered = (patience: number, broadcast = false) =>
  hear({ type: DISCOVER, broadcast }, "0.0.0.0", ALL_ONES, patience);

const advertised = (patience: number): Promise<true | null> => {
  const client = workload("client");
  const xid = nextXid() & 0xffffff;
  const packet = frame(
    "33:33:00:01:00:02",
    client.mac,
    0x86dd,
    datagram(clientLinkLocal(), ALL_SERVERS, [546, 547], dhcp6(SOLICIT, xid, client.mac)),
  );
  const found = (bytes: Buffer) => (isDhcp6(bytes, ADVERTISE, xid) ? (true as const) : null);
  return exchange(lab, client, client, packet, found, patience);
};

/** Does an offer that somebody makes up reach the client? */
const deceived = async (name: string, source: string, patience: number): Promise<boolean> => {
  const [liar, client] = [workload(name), workload("client")];
  const xid = nextXid();
  const v4 = !source.includes(":");
  const payload = v4
    ? dhcp({ op: 2, type: OFFER, xid, mac: client.mac, offered: "10.86.0.66", server: source })
    : dhcp6(ADVERTISE, xid & 0xffffff, client.mac);
  const [destination, mac] = v4 ? [ALL_ONES, "ff:ff:ff:ff:ff:ff"] : [clientLinkLocal(), client.mac];
  const packet = frame(
    mac,
    liar.mac,
    v4 ? 0x0800 : 0x86dd,
    datagram(source, destination, v4 ? [67, 68] : [547, 546], payload),
  );
  const found = (bytes: Buffer) =>
    v4 ? readDhcp(bytes, xid) : isDhcp6(bytes, ADVERTISE, xid & 0xffffff) ? true : null;
  return (await exchange(lab, liar, client, packet, found, patience)) !== null;
};

/** In the client's namespace, by Node's own resolver. */
const resolves = (server: string, patience: number): boolean => {
  const script = `
    const { Resolver } = require("node:dns").promises;
    const resolver = new Resolver({ timeout: ${patience}, tries: 1 });
    resolver.setServers([${JSON.stringify(server)}]);
    resolver.resolve4("orders.test").then(
      ([found]) => console.log(found),
      ({ code }) => console.log(code),
    );`;
  const said = lab.run(workload("client").netns, [process.execPath, "-e", script]).trim();
  if (said !== "192.0.2.77" && said !== "ETIMEOUT") throw new Error(`resolving said ${said}`);
  return said === "192.0.2.77";
};

const connects = (server: string, port: number, patience: number): boolean => {
  const script = `
    const socket = require("node:net").connect(${port}, ${JSON.stringify(server)});
    socket.on("connect", () => { console.log("yes"); socket.destroy(); });
    socket.on("error", ({ code }) => console.log(code));
    setTimeout(() => { console.log("no"); process.exit(); }, ${patience}).unref();`;
  return lab.run(workload("client").netns, [process.execPath, "-e", script]).trim() === "yes";
};

onEveryDriver((under) => {
  beforeAll(async () => {
    driver = under.create(lab);
    // It is ready when it answers: the first exchange of a test waits for that.
    await driver.apply(policy({ mode: "observe" }));
    if ((await offered(LONG_MS)) === null)
      throw new Error(`dnsmasq serves nothing: ${readFileSync(join(folder, "log"), "utf8")}`);
  });
  afterAll(() => driver.remove());

  describe("an isolated workload, where the machine serves leases", () => {
    beforeAll(() => driver.apply(policy({ dhcp: true })));

    test("is offered one before it has an address, by unicast and by broadcast", async () => {
      const { v4 } = workload("client");
      expect(await offered(LONG_MS)).toEqual({ type: OFFER, offered: v4 });
      expect(await offered(LONG_MS, true)).toEqual({ type: OFFER, offered: v4 });
    });

    test("takes it, renews it with the machine, and finds a server again by broadcast", async () => {
      const { v4 } = workload("client");
      const ask = { type: REQUEST, requested: v4, server: MACHINE };
      const granted = { type: ACK, offered: v4 };
      expect(await hear(ask, "0.0.0.0", ALL_ONES, LONG_MS)).toEqual(granted);
      expect(await hear({ type: REQUEST, own: v4 }, v4, MACHINE, LONG_MS)).toEqual(granted);
      expect(await hear({ type: REQUEST, own: v4 }, v4, ALL_ONES, LONG_MS)).toEqual(granted);
    });

    test("is offered an IPv6 one", async () => {
      expect(await advertised(LONG_MS)).toBe(true);
    });

    test("is not deceived by others who play the server", async () => {
      for (const source of [workload("rogue").v4, MACHINE])
        expect(await deceived("rogue", source, SHORT_MS), `rogue as ${source}`).toBe(false);
      for (const source of [workload("stranger").v4, MACHINE])
        expect(await deceived("stranger", source, SHORT_MS), `stranger as ${source}`).toBe(false);
      for (const source of [linkLocal(workload("stranger").netns, "eth0"), machineLinkLocal])
        expect(await deceived("stranger", source, SHORT_MS), `stranger as ${source}`).toBe(false);
    });

    test("says nothing else without an address, and nothing else to the machine", async () => {
      const client = workload("client");
      const heardBy = (destination: string, port: number, mark: string) => {
        const packet = datagram("0.0.0.0", destination, [68, port], Buffer.from(mark));
        const bytes = frame("ff:ff:ff:ff:ff:ff", client.mac, 0x0800, packet);
        const found = (seen: Buffer) => (seen.includes(mark) ? true : null);
        return exchange(lab, client, workload("stranger"), bytes, found, SHORT_MS);
      };
      // The machine heard it, above; the neighbours are not asked.
      expect(await heardBy(ALL_ONES, 67, "to a server")).toBe(null);
      expect(await heardBy(ALL_ONES, 69, "to another port")).toBe(null);
      expect(await heardBy("10.86.0.255", 67, "to another address")).toBe(null);
      expect(connects(MACHINE, 53, SHORT_MS)).toBe(false);
      expect(resolves(MACHINE, SHORT_MS)).toBe(false);
      await driver.apply(policy({ dhcp: true, mode: "audit" }));
      expect(await heardBy(ALL_ONES, 67, "to a server")).toBe(true);
    });
  });

  describe("a workload into which everybody may come", () => {
    test("takes leases from the machine alone where that serves them", async () => {
      const liars = [
        ["rogue", workload("rogue").v4],
        ["stranger", workload("stranger").v4],
        ["stranger", linkLocal(workload("stranger").netns, "eth0")],
      ] as const;
      await driver.apply(policy({ dhcp: true, open: true }));
      expect((await offered(LONG_MS))?.type).toBe(OFFER);
      expect(await advertised(LONG_MS)).toBe(true);
      for (const [name, source] of liars)
        expect(await deceived(name, source, SHORT_MS), `${name} as ${source}`).toBe(false);
      await driver.apply(policy({ open: true }));
      for (const [name, source] of liars)
        expect(await deceived(name, source, LONG_MS), `${name} as ${source}`).toBe(true);
    });
  });

  describe("without the declaration", () => {
    test("an enforced workload gets no lease, and whoever is not enforced gets one as ever", async () => {
      await driver.apply(policy({}));
      expect(await offered(SHORT_MS)).toBe(null);
      expect(await advertised(SHORT_MS)).toBe(null);
      await driver.apply(policy({ mode: "audit" }));
      expect((await offered(LONG_MS))?.type).toBe(OFFER);
      expect(await advertised(LONG_MS)).toBe(true);
      expect(await deceived("rogue", workload("rogue").v4, LONG_MS)).toBe(true);
      expect(await deceived("stranger", MACHINE, LONG_MS)).toBe(true);
    });
  });

  describe("the machine's resolver", () => {
    test("answers an isolated workload at the declared addresses, and nothing else there does", async () => {
      await driver.apply(policy({}));
      expect(resolves(MACHINE, SHORT_MS)).toBe(false);
      await driver.apply(policy({ dns: true }));
      for (const server of [MACHINE, "[fd86::1]"])
        expect(resolves(server, LONG_MS), server).toBe(true);
      for (const server of [MACHINE, "fd86::1"])
        expect(connects(server, 53, LONG_MS), server).toBe(true);
      const found = await driver.readBack();
      expect(found.differences).toEqual([]);
      expect(connects(workload("stranger").v4, 53, SHORT_MS)).toBe(false);
      expect(await offered(SHORT_MS)).toBe(null);
    });
  });
});

/** Discovery against real namespaces, links and processes: who is told, and how. */
import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { discover, type Discovery } from "../../src/discovery/index.ts";
import { createLab, sleep } from "../kernel/netns-lab.ts";
import {
  docker,
  lab,
  look,
  names,
  unshared,
  untilLook,
  useDiscoveryLab,
  web,
} from "./discovery-lab.ts";
import { startFakeDocker } from "./docker-api.ts";

useDiscoveryLab();

const linkOf = (netns: string, device: string): { address: string; ifindex: number } =>
  (
    JSON.parse(lab.run(netns, "ip", "-j", "link", "show", device)) as [
      { address: string; ifindex: number },
    ]
  )[0];

describe("a named namespace", () => {
  test("is told with its link, addresses of both families, and its own MAC address", async () => {
    // The kernel makes link-local addresses a moment after the link is up.
    const { endpoints, hostAddresses, hostLinkLocal, problems } = await untilLook(
      (found) => found.hostLinkLocal.length > 0 && found.endpoints[0]?.linkLocal.length === 1,
    );
    const ours = linkOf(lab.router, web.interface);
    const theirs = linkOf(web.netns, "eth0");
    expect(endpoints).toEqual([
      {
        workload: `netns:${web.netns}`,
        discoveredName: `netns:${web.netns}`,
        kind: "netns",
        interface: web.interface,
        ifindex: ours.ifindex,
        mac: theirs.address,
        addresses: [web.v4, web.v6],
        linkLocal: [expect.stringMatching(/^fe80::/)],
        netnsPath: web.path,
      },
    ]);
    expect(hostAddresses).toEqual([web.gateway4, web.gateway6]);
    expect(hostLinkLocal).toEqual([expect.stringMatching(/^fe80::/)]);
    expect(problems).toEqual([]);
  });

  test("attached elsewhere is not ours, nor is a pair that lies in one namespace", async () => {
    const other = createLab();
    try {
      other.addEnd("elsewhere");
      lab.addNetns("alone");
      lab.run(lab.router, "ip", "link", "add", "self0", "type", "veth", "peer", "name", "self1");
      expect(names(await look())).toEqual([`netns:${web.netns}`]);
    } finally {
      lab.run(lab.router, "ip", "link", "delete", "self0");
      other.close();
    }
  });

  test("with two links is two endpoints, each with its own addresses", async () => {
    const second = createSecondLink();
    try {
      const found = (await look()).endpoints.filter(
        ({ discoveredName }) => discoveredName === `netns:${web.netns}`,
      );
      expect(found.map(({ interface: name, addresses }) => [name, addresses])).toEqual([
        [web.interface, [web.v4, web.v6]],
        ["vx", ["10.88.0.2"]],
      ]);
    } finally {
      second();
    }
  });

  test("is found among hundreds of links and addresses of its own, where its root has hidden it", async () => {
    const hidden = lab.addNetns("hidden");
    lab.link("vh", { netns: hidden, device: "eth0" });
    lab.run(hidden, "ip", "address", "add", "10.90.0.2/24", "dev", "eth0");
    const nest = lab.addNetns("nest");
    const batch = Array.from(
      { length: 300 },
      (_, n) =>
        `link add n${n} type veth peer name p${n}\naddress add 10.91.${n >> 7}.${2 * (n & 127)}/31 dev n${n}\naddress add 10.92.${n >> 7}.${2 * (n & 127)}/31 dev p${n}\n`,
    ).join("");
    // More links than a scan would care to read: the one that leads to us gets the last number there.
    lab.run(nest, "sh", "-c", `printf '%s' '${batch}' | ip -batch -`);
    const index = linkOf(hidden, "eth0").ifindex;
    lab.run(hidden, "ip", "link", "set", "eth0", "netns", nest);
    expect(linkOf(nest, "eth0").ifindex).toBeGreaterThan(600);
    expect(index).toBeLessThan(600);
    lab.run(nest, "ip", "address", "add", "10.90.0.2/24", "dev", "eth0");
    const { endpoints, unread } = await look();
    expect(unread).toEqual([]);
    expect(endpoints.find((one) => one.interface === "vh")).toMatchObject({
      discoveredName: `netns:${nest}`,
      addresses: ["10.90.0.2"],
    });
    lab.run(lab.router, "ip", "link", "delete", "vh");
  });

  test("ports of bridges that lead to no workload are told, but not half of a pair on its way", async () => {
    const ip = (...words: string[]): string => lab.run(lab.router, "ip", ...words);
    const bridges = ["br0", "br1"];
    for (const bridge of bridges) ip("link", "add", bridge, "type", "bridge");
    ip("tuntap", "add", "tap0", "mode", "tap");
    for (const pair of ["card", "fresh", "stack"])
      ip("link", "add", `${pair}0`, "type", "veth", "peer", "name", `${pair}1`);
    try {
      ip("link", "set", web.interface, "master", "br0");
      for (const port of ["tap0", "card0", "fresh0", "stack0"])
        ip("link", "set", port, "master", "br0");
      ip("link", "set", "card1", "master", "br1");
      ip("address", "add", "10.89.0.1/24", "dev", "stack1");
      const port = (name: string) => ({
        interface: name,
        ifindex: linkOf(lab.router, name).ifindex,
      });
      const found = await look();
      expect(found.ports).toEqual(["card0", "card1", "stack0", "stack1", "tap0"].map(port));
      expect(names(found)).toEqual([`netns:${web.netns}`]);
      // A runtime moves the far end to a workload: now it is an attachment.
      const netns = lab.addNetns("moved");
      ip("link", "set", "fresh1", "netns", netns);
      expect(names(await look())).toContain(`netns:${netns}`);
      expect((await look()).ports).toEqual(found.ports);
    } finally {
      for (const link of ["tap0", "card0", "fresh0", "stack0", ...bridges])
        ip("link", "delete", link);
    }
  });

  test("behind a bridge carries the bridge's name", async () => {
    lab.run(lab.router, "ip", "link", "add", "br0", "type", "bridge");
    try {
      lab.run(lab.router, "ip", "link", "set", web.interface, "master", "br0");
      expect((await look()).endpoints[0]?.bridge).toBe("br0");
    } finally {
      lab.run(lab.router, "ip", "link", "delete", "br0");
    }
  });
});

function createSecondLink(): () => void {
  lab.link("vx", { netns: web.netns, device: "eth1" });
  lab.run(web.netns, "ip", "address", "add", "10.88.0.2/24", "dev", "eth1");
  lab.run(web.netns, "ip", "link", "set", "eth1", "up");
  return () => void lab.run(lab.router, "ip", "link", "delete", "vx");
}

describe("without a name", () => {
  test("a namespace is told by our link's name and entered through a process", async () => {
    const process = await unshared();
    try {
      lab.link("vn", { netns: process.pid, device: "eth0" });
      const found = (await look()).endpoints.find(({ interface: name }) => name === "vn");
      expect(found).toMatchObject({
        discoveredName: "netns:@vn",
        kind: "netns",
        netnsPath: `/proc/${process.pid}/ns/net`,
      });
    } finally {
      process.end();
      await sleep(100);
    }
  });
});

describe("containers", () => {
  afterEach(() => {
    docker.containers = [];
    docker.answer = null;
  });

  test("carry name, image and labels, and share one endpoint where they share a namespace", async () => {
    const process = await unshared();
    try {
      lab.link("vc", { netns: process.pid, device: "eth0" });
      execFileSync("nsenter", [
        "--net",
        "--target",
        String(process.pid),
        "ip",
        "address",
        "add",
        "10.89.0.2/24",
        "dev",
        "eth0",
      ]);
      const shared = { image: "nginx:1", labels: { app: "web" }, pid: process.pid };
      docker.containers = [
        { ...shared, id: "b", name: "sidecar", created: "2026-01-02T00:00:00Z" },
        { ...shared, id: "a", name: "shop-web", created: "2026-01-01T00:00:00Z" },
        { ...shared, id: "c", name: "host-network", pid: 1, created: "2026-01-01T00:00:00Z" },
      ];
      const { endpoints } = await look();
      expect(names({ endpoints } as Discovery)).toEqual([
        "container:shop-web",
        `netns:${web.netns}`,
      ]);
      expect(endpoints[0]).toMatchObject({
        kind: "container",
        containerId: "a",
        containerLabels: { app: "web" },
        image: "nginx:1",
        addresses: ["10.89.0.2"],
        netnsPath: `/proc/${process.pid}/ns/net`,
      });
    } finally {
      process.end();
      await sleep(100);
    }
  });

  test("a runtime that fails is a problem, not an end", async () => {
    docker.answer = { status: 500, body: "" };
    const found = await look();
    expect(found.problems).toEqual([
      expect.stringMatching(`^containers at ${docker.socket} are not seen: .*answered 500`),
    ]);
    expect(names(found)).toEqual([`netns:${web.netns}`]);
  });

  test("of two runtimes are told apart, and one that fails hides nobody of the other's", async () => {
    const podman = await startFakeDocker();
    const [one, other] = await Promise.all([unshared(), unshared()]);
    try {
      lab.link("vd", { netns: one.pid, device: "eth0" });
      lab.link("ve", { netns: other.pid, device: "eth0" });
      const alike = { name: "twin", image: "i", created: "2026-01-01T00:00:00Z" };
      docker.containers = [{ ...alike, id: "a".repeat(64), labels: { app: "a" }, pid: one.pid }];
      podman.containers = [{ ...alike, id: "b".repeat(64), labels: { app: "b" }, pid: other.pid }];
      const ask = () =>
        discover({ netns: lab.routerPath, containerSockets: [docker.socket, podman.socket] });
      const apart = `twin-${"b".repeat(12)}`;
      const found = await ask();
      expect(
        found.endpoints
          .filter(({ kind }) => kind === "container")
          .map(({ discoveredName, interface: link, containerLabels }) => [
            discoveredName,
            link,
            containerLabels,
          ]),
      ).toEqual([
        ["container:twin", "vd", { app: "a" }],
        [`container:${apart}`, "ve", { app: "b" }],
      ]);
      expect(found.problems).toEqual([
        `two containers are called \`twin\`: the one at ${podman.socket} is \`${apart}\` here`,
      ]);
      docker.answer = { status: 500, body: "" };
      expect(names(await ask())).toContain("container:twin");
    } finally {
      one.end();
      other.end();
      await podman.close();
      await untilLook((found) => names(found).length === 1);
    }
  });
});

/** What everybody's network carries is told by its name, and what is agreed upon as it goes is no service. */
import { formatSelector, type Edge } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, inventoryOf, SHOP, silent, workload } from "./shop.ts";
import { asideOf, inventory, rulesOf } from "./told.ts";

const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };

describe("traffic of a known purpose", () => {
  it("is a rule of its own, told by its name", () => {
    const edges = [
      edge("web", "storefront-1", "8080/tcp"),
      edge("web", "storefront-1", "22/tcp"),
      edge("checkout", "203.0.113.5", "123/udp"),
      edge("metrics", "db", "9187/tcp"),
      edge("metrics", "db", "8080/tcp"),
      edge("web", "cache", "9121/tcp"),
    ];
    const { rules } = suggest(edges, inventory);
    expect(rules.map(({ name, purpose }) => [name, purpose])).toEqual([
      ["checkout-to-world-udp-123", "ntp"],
      ["metrics-to-db", "monitoring"],
      ["web-to-cache-monitoring", "monitoring"],
      ["web-to-storefront", undefined],
      ["web-to-storefront-ssh", "ssh"],
    ]);
  });

  it("to the metadata service has a set of its own, for it gives credentials to whoever asks", () => {
    const { networkSets, rules } = suggest(
      [edge("checkout", "169.254.169.254", "80/tcp"), edge("checkout", "203.0.113.5", "80/tcp")],
      inventory,
    );
    expect(networkSets.map(({ name, purpose }) => [name, purpose])).toEqual([
      ["metadata-of-checkout", "metadata"],
      ["outside-of-checkout-80", undefined],
    ]);
    expect(rules.map(({ name, purpose }) => [name, purpose])).toEqual([
      ["checkout-to-metadata", "metadata"],
      ["checkout-to-world-80", undefined],
    ]);
  });

  it("to whoever listens is told by its name, and allowed by nobody but a person", () => {
    const heard = (address: string, port: string) => edge("web", address, port);
    const { setAside } = suggest(
      [
        heard("224.0.0.251", "5353/udp"),
        heard("255.255.255.255", "67/udp"),
        heard("239.1.2.3", "7/udp"),
      ],
      inventory,
    );
    expect(setAside.map(({ detail }) => detail.split(":")[0])).toEqual([
      "7/udp to whoever listens",
      "DHCP to whoever listens",
      "mDNS to whoever listens",
    ]);
  });

  it("is told of what was set aside, too", () => {
    const { setAside, setAsideGroups } = suggest(
      [edge("web", "db", "22/tcp", silent())],
      inventory,
    );
    expect(setAside.map(({ purpose }) => purpose)).toEqual(["ssh"]);
    expect(setAsideGroups.map(({ purpose }) => purpose)).toEqual(["ssh"]);
  });
});

describe("ports that are agreed upon", () => {
  it("over FTP or RPC are told with their control connection, and never a rule each", () => {
    const data = [30_001, 30_007, 30_020].map((port) => edge("web", "db", `${port}/tcp`, once));
    expect(rulesOf([edge("web", "db", "21/tcp"), ...data])).toEqual([
      "shop/web-to-db: shop: app=web → shop: app=db 21/tcp",
    ]);
    const { setAside } = suggest([edge("web", "db", "21/tcp"), ...data], inventory);
    expect(new Set(setAside.map(({ detail }) => detail))).toEqual(
      new Set([
        "one of 3 ports (30001 to 30020) that FTP agrees upon over port 21: give the server a fixed range, and allow that by hand",
      ]),
    );
  });

  it("are services when they are used as services are, or when nothing agrees upon them", () => {
    const ports = [30_001, 30_007, 30_020];
    const regular = ports.map((port) => edge("web", "db", `${port}/tcp`));
    expect(rulesOf([edge("web", "db", "21/tcp"), ...regular])[0]).toContain(
      "21/tcp 30001/tcp 30007/tcp 30020/tcp",
    );
    const alone = ports.map((port) => edge("web", "db", `${port}/tcp`, once));
    expect(asideOf(alone)).toEqual([]);
  });
});

describe("a process of the host", () => {
  const unit = (name: string) => ({
    ...workload(name, 1, { "bulkhead.dev/unit": name }, "host"),
    kind: "process" as const,
    addresses: ["10.0.0.1"],
  });
  const units = [unit("nginx.service"), unit("postgresql.service"), unit("cron.service")];
  const all = [...SHOP, ...units];
  const known = inventoryOf(all);

  it("is named by its unit, though it owns no address", () => {
    expect(
      rulesOf(
        [
          edge("host/nginx.service", "host/postgresql.service", "5432/tcp", {}, 4, all),
          edge("host/cron.service", "db", "5432/tcp", once, 4, all),
          edge("users", "host/nginx.service", "80/tcp", {}, 4, all),
        ],
        known,
      ),
    ).toEqual([
      "host/nginx-to-postgresql: host: bulkhead.dev/unit=nginx.service → host: bulkhead.dev/unit=postgresql.service 5432/tcp",
      "host/shop-users-to-nginx: shop: app=users → host: bulkhead.dev/unit=nginx.service 80/tcp",
      "shop/host-cron-to-db-5432 (rare): host: bulkhead.dev/unit=cron.service → shop: app=db 5432/tcp",
    ]);
  });

  it("denies what no rule allows only where its needs were seen", () => {
    const { isolations } = suggest(
      [edge("host/nginx.service", "db", "5432/tcp", {}, 4, all)],
      known,
    );
    expect(
      isolations.map(({ namespace, name, selector, directions }) => [
        namespace,
        name,
        formatSelector(selector),
        directions,
      ]),
    ).toEqual([
      ["host", "default-deny-nginx", "bulkhead.dev/unit=nginx.service", ["egress"]],
      ["shop", "default-deny", "", undefined],
    ]);
  });

  it("is told of what the machine sent besides, and nobody knows which process it was", () => {
    const known = inventoryOf(all);
    const sends = edge("host/nginx.service", "db", "5432/tcp", {}, 4, all);
    const more = [
      edge("host", "db", "5432/tcp"),
      edge("host", "203.0.113.9", "443/tcp"),
      edge("host", "cache", "6379/tcp", { verdict: "dropped" }),
    ];
    const where = (edges: readonly Edge[]): readonly string[] =>
      suggest(edges, known).unattributed.map(
        ({ destination, port }) => `${destination.address} ${port}`,
      );
    expect(where([sends, ...more])).toEqual(["203.0.113.9 443"]);
    // Nobody would be cut: no process is isolated in what it sends.
    expect(where(more)).toEqual([]);
  });

  it("that people administer the machine by is left open, on whatever port it listens", () => {
    const more = [...all, unit("ssh.service")];
    const edges = [
      edge("203.0.113.9", "host/ssh.service", "2222/tcp", {}, 4, more),
      edge("users", "host/postgresql.service", "22/tcp", {}, 4, more),
    ];
    const { rules, isolations, setAside } = suggest(edges, inventoryOf(more));
    // Who calls it is ruled where it is a service itself, and at that end alone.
    expect(rules.map(({ namespace, only }) => `${namespace} ${only}`)).toEqual(["shop egress"]);
    expect(isolations.filter(({ namespace }) => namespace === "host")).toEqual([]);
    expect(setAside.map(({ reason }) => reason)).toEqual(["administration"]);
    expect(setAside[0]?.detail).toContain("it is left open");
    // Of a workload with a network of its own it is a service like any other.
    expect(rulesOf([edge("users", "web", "22/tcp")])).toHaveLength(1);
  });

  it("is not taken for the owner of the machine's address", () => {
    const stranger = { address: "10.0.0.1", name: "world", labels: {} };
    const { unlabelled, rules } = suggest(
      [{ ...edge("users", "web", "80/tcp"), destination: stranger }],
      known,
    );
    expect(unlabelled).toEqual([]);
    expect(rules.map(({ to }) => to.kind)).toEqual(["networkSet"]);
  });
});

/** What `explain` answers with: a proposal that speaks of what was named, and what audit would do once enforced. */
import { describe, expect, it } from "vitest";
import { explainAnswerSchema } from "@bulkhead/api";
import { explainFlow } from "../src/queries/explain.ts";
import { buildWorld, type Surroundings } from "../src/world/world.ts";
import { held, INVENTORY, NOW, reading, service, SHOP } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

type File = typeof POLICY;

const SHUT: File = {
  name: "shut.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut-all, namespace: shop }
spec: { subject: "app", egress: [], ingress: [] }
`,
};

const OUT: File = {
  name: "out.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: out, namespace: shop }
spec: { from: app=web, to: { entity: world }, ports: [80/tcp] }
`,
};

async function explained(
  files: readonly File[],
  [from, to, port]: readonly [string, string, string],
  mode: "audit" | "enforce" = "enforce",
  view: "live" | "shadow" = "live",
  around: Surroundings = SHOP,
) {
  const all = [INVENTORY, ...files];
  const read = reading(all, mode);
  const inForce = { revision: 1, record: null, held: held(all, mode), reading: read };
  const world = buildWorld(read.declared, around);
  const edges = () => Promise.resolve([]);
  const context = { inForce, world, modes: {}, now: NOW, edges };
  return explainAnswerSchema.parse(await explainFlow({ from, to, port, view }, context));
}

describe("broadcast and multicast, named as such", () => {
  it.each([
    ["web", "multicast", "5353/udp", "to:"],
    ["multicast", "db", "5353/udp", "from:"],
    ["web", "broadcast", "6000/udp", "to:"],
  ] as const)("%s → %s: proposes the name, and that allows it", async (from, to, port, key) => {
    const question = [from, to, port] as const;
    const before = await explained([SHUT], question);
    expect(before.verdict).toBe("drop");
    const text = before.smallestChange?.text ?? "";
    const name = from === "web" ? to : from;
    expect(text).toContain(key);
    expect(text).toContain(`entity: ${name}`);
    const after = [SHUT, { name: "change.yaml", text }];
    expect((await explained(after, question)).verdict).toBe("allow");
    // It is no part of the world, nor the world of it.
    const world = question.map((end) => (end === name ? "world" : end));
    expect((await explained(after, world as [string, string, string])).verdict).toBe("drop");
  });
});

describe("the world, named as such", () => {
  it.each([
    ["web", "world", "443/tcp", "to:"],
    ["world", "db", "5432/tcp", "from:"],
  ] as const)("%s → %s: proposes the world, and that allows it", async (from, to, port, key) => {
    const question = [from, to, port] as const;
    const before = await explained([SHUT], question);
    expect(before.verdict).toBe("drop");
    const text = before.smallestChange?.text ?? "";
    expect(text).toContain(key);
    expect(text).toContain("entity: world");
    expect(text).not.toMatch(/198\.51\.100|2001:db8/);
    const after = [SHUT, { name: "change.yaml", text }];
    expect((await explained(after, question)).verdict).toBe("allow");
    // Any other address of it as well, but never one that hands out credentials.
    if (to !== "world") return;
    expect((await explained(after, [from, "203.0.113.9", port])).verdict).toBe("allow");
    expect((await explained(after, [from, "169.254.169.254", port])).verdict).toBe("drop");
  });

  it("is left alone when an address was named", async () => {
    const { smallestChange } = await explained([SHUT], ["web", "203.0.113.9", "443/tcp"]);
    expect(smallestChange?.text).toContain("203.0.113.9/32");
  });
});

describe("a NetworkSet, named as such", () => {
  const BANK: File = {
    name: "bank.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: bank, namespace: NAMESPACE }
spec: { cidrs: [203.0.113.20/32, 203.0.113.64/26, "2001:db8:113::20/128"] }
`,
  };
  const bank = (namespace: string): File => ({
    ...BANK,
    text: BANK.text.replace("NAMESPACE", namespace),
  });

  it.each([
    ["web", "bank", "443/tcp", "to:", "shop", "networkSet: bank\n"],
    ["web", "bank", "443/tcp", "to:", "partners", "networkSet: partners/bank\n"],
    ["bank", "db", "5432/tcp", "from:", "shop", "networkSet: bank\n"],
  ] as const)(
    "%s → %s %s (%s, in %s): proposes the set by name, and that allows all of it",
    async (from, to, port, key, namespace, text) => {
      const files = [SHUT, bank(namespace)];
      const question = [from, to, port] as const;
      const before = await explained(files, question);
      expect(before.verdict).toBe("drop");
      const change = before.smallestChange;
      expect(change?.text).toContain(key);
      expect(change?.text).toContain(text);
      expect(`${change?.name} ${change?.text}`).not.toMatch(/203[.-]0|2001/);
      const after = [...files, { name: "change.yaml", text: change?.text ?? "" }];
      expect((await explained(after, question)).verdict).toBe("allow");
      for (const inside of ["203.0.113.99", "2001:db8:113::20"]) {
        const ends = [from, to].map((end) => (end === "bank" ? inside : end));
        expect((await explained(after, [ends[0]!, ends[1]!, port])).verdict).toBe("allow");
      }
      const ends = [from, to].map((end) => (end === "bank" ? "203.0.113.21" : end));
      expect((await explained(after, [ends[0]!, ends[1]!, port])).verdict).toBe("drop");
    },
  );

  it("that holds a metadata address among others does not open it, and is not proposed", async () => {
    const around = bank("shop").text.replace("203.0.113.20/32", "169.254.169.254/31");
    const files = [SHUT, OUT, { name: "bank.yaml", text: around }];
    const answer = await explained(files, ["web", "bank", "80/tcp"]);
    expect(answer.smallestChange).toBeUndefined();
    expect(answer.inTheWay).toContain("metadata");
  });
});

describe("processes of the machine", () => {
  const NGINX = "host/nginx.service";
  const around = {
    ...SHOP,
    processes: [
      service("/system.slice/nginx.service", {
        sockets: [{ family: 4, protocol: 6, port: 80 }],
      }),
    ],
  };
  const one = (spec: string): File => ({
    name: "unit.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: nginx, namespace: host }
spec: ${spec}
`,
  });

  it("are named like everybody else, and proposed by their labels", async () => {
    const shut = one("{ subject: app=nginx, egress: [] }");
    const asked = [NGINX, "shop/db", "5432/tcp"] as const;
    const before = await explained([shut, POLICY], asked, "enforce", "live", around);
    expect(before).toMatchObject({ verdict: "drop", from: NGINX, to: "shop/db" });
    expect(before.smallestChange?.text).toContain("selector: app=nginx");
    const change = { name: "change.yaml", text: before.smallestChange?.text ?? "" };
    const after = await explained([shut, POLICY, change], asked, "enforce", "live", around);
    expect(after.verdict).toBe("allow");
  });

  it("speak to one another over loopback, too", async () => {
    const shut = one("{ subject: app=nginx, ingress: [] }");
    const answer = await explained([shut], ["host", NGINX, "80/tcp"], "enforce", "live", around);
    expect(answer.verdict).toBe("drop");
    const addresses = answer.paths.map((path) => [path.source.address, path.destination.address]);
    expect(addresses).toEqual([
      ["127.0.0.1", "127.0.0.1"],
      ["::1", "::1"],
      ["10.9.0.1", "10.9.0.1"],
      ["fd99::1", "fd99::1"],
    ]);
  });
});

describe("audit", () => {
  const forbidden = ["evil", "db", "5432/tcp"] as const;

  it("tells with an allow what would deny once enforced", async () => {
    const answer = await explained([POLICY], forbidden, "audit");
    expect(answer).toMatchObject({
      verdict: "allow",
      audit: { verdict: "drop", determinedBy: { kind: "isolation" } },
    });
    expect(answer.smallestChange).toBeUndefined();
  });

  it("says nothing where nothing would change", async () => {
    const silent = [
      explained([POLICY], ["web", "db", "5432/tcp"], "audit"),
      explained([POLICY], forbidden, "audit", "shadow"),
      explained([POLICY], forbidden, "enforce"),
    ];
    for (const answer of await Promise.all(silent)) expect(answer).not.toHaveProperty("audit");
  });
});

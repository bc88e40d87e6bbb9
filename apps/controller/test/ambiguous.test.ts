/** Whose rules were used where addresses are shared, and how often nobody can say. */
import { describe, expect, it } from "vitest";
import { explainAnswerSchema } from "@bulkhead/api";
import { TCP, type Flow } from "@bulkhead/model";
import { AmbiguousCount } from "../src/flows/ambiguous.ts";
import { contestedViews } from "../src/queries/contested.ts";
import { explainFlow } from "../src/queries/explain.ts";
import { listWorkloads } from "../src/queries/workloads.ts";
import { createNamer } from "../src/world/naming.ts";
import { buildWorld, type Surroundings } from "../src/world/world.ts";
import { endpoint, held, INVENTORY, NOW, reading, service, SHOP } from "./fixtures.ts";

const policy = (subject: string, way: string) => ({
  name: "policy.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: ${way === "egress" ? "shop" : "host"} }
spec: { subject: ${subject}, ${way}: [] }
`,
});
const http = { family: 4, protocol: TCP, port: 80 } as const;
const nginx = service("/system.slice/nginx.service", { sockets: [http] });
const cron = service("/system.slice/cron.service");
const rival = service("/system.slice/caddy.service", { sockets: [http] });
const copy = endpoint("copy", { addresses: ["10.9.0.10"] });
const units = (...processes: Surroundings["processes"]) => ({ ...SHOP, processes });

function worldOf(around: Surroundings, ...files: readonly (typeof INVENTORY)[]) {
  const all = [INVENTORY, ...files];
  const read = reading(all);
  const inForce = { revision: 1, record: null, held: held(all), reading: read };
  return { inForce, world: buildWorld(read.declared, around) };
}

async function explained(
  [from, to, port]: readonly [string, string, string],
  around: Surroundings,
  ...files: readonly (typeof INVENTORY)[]
) {
  const edges = () => Promise.resolve([]);
  const context = { ...worldOf(around, ...files), modes: {}, now: NOW, edges };
  return explainAnswerSchema.parse(await explainFlow({ from, to, port }, context));
}

describe("explain", () => {
  it("says nothing of ends that have their addresses to themselves", async () => {
    const { paths } = await explained(["web", "db", "5432/tcp"], units(nginx));
    expect(paths.map(({ shared }) => shared)).toEqual([undefined, undefined]);
  });

  it("knows the source exactly where sockets share the machine's address", async () => {
    const ends = { sources: ["host/cron.service"], destinations: ["host/nginx.service"] };
    const [ingress, egress] = [
      { subject: "host/nginx.service", peer: "host/cron.service" },
      { subject: "host/cron.service", peer: "host/nginx.service" },
    ];
    const { paths } = await explained(
      ["host/cron.service", "host/nginx.service", "80/tcp"],
      units(nginx, cron),
    );
    expect(paths[0]?.shared).toEqual({ precision: "exact@source", ...ends, egress, ingress });
    const from = await explained(["web", "host/nginx.service", "80/tcp"], units(nginx));
    expect(from.paths[0]?.shared?.precision).toBe("exact@source");
    // Who sends from elsewhere is known by the address alone.
    const world = await explained(["198.51.100.7", "host/nginx.service", "80/tcp"], units(nginx));
    expect(world.paths[0]?.shared).toBeUndefined();
  });

  it("names the claimants of an address, and as whom each direction judged it", async () => {
    const around = { ...SHOP, endpoints: [...SHOP.endpoints, copy] };
    const { verdict, paths } = await explained(
      ["web", "db", "5432/tcp"],
      around,
      policy("app=web", "egress"),
    );
    expect(verdict).toBe("drop");
    expect(paths[0]?.shared).toEqual({
      precision: "ambiguous",
      sources: ["default/copy", "shop/web"],
      destinations: ["shop/db"],
      egress: { subject: "shop/web", peer: "shop/db" },
      ingress: { subject: "shop/db", peer: "default/copy" },
    });
    expect(paths[1]?.shared).toBeUndefined();
  });

  it("believes none of those that claim a socket, whoever was asked about", async () => {
    const shut = policy("app=caddy", "ingress");
    const asked = ["host/cron.service", "host/nginx.service", "80/tcp"] as const;
    const alone = await explained(asked, units(nginx, cron), shut);
    expect(alone.verdict).toBe("allow");
    const { verdict, paths } = await explained(asked, units(nginx, cron, rival), shut);
    const path = paths.find(({ destination }) => destination.address === "10.9.0.1");
    expect(path).toMatchObject({
      decision: { verdict: "drop" },
      shared: {
        precision: "ambiguous",
        destinations: ["host/caddy.service", "host/nginx.service"],
        ingress: { subject: "host/caddy.service" },
      },
    });
    expect(verdict).not.toBe("allow");
  });
});

it("contested sockets and addresses are listed, and stand with who claims them", () => {
  const { inForce, world } = worldOf({
    ...units(nginx, rival),
    endpoints: [...SHOP.endpoints, copy],
  });
  const sockets = ["host/caddy.service", "host/nginx.service"];
  expect(contestedViews(world.index)).toEqual([
    { what: "10.9.0.10", workloads: ["default/copy", "shop/web"] },
    { what: "80/tcp", workloads: sockets },
  ]);
  const { workloads } = listWorkloads(world, inForce, {}, new Set());
  const marked = workloads.filter(({ contested }) => contested !== undefined);
  expect(marked.map(({ id, contested }) => `${id} ${contested?.join()}`).toSorted()).toEqual([
    "default/copy 10.9.0.10",
    ...sockets.map((id) => `${id} 80/tcp`),
    "shop/web 10.9.0.10",
  ]);
});

it("connections are counted whose end several claim, and no others", () => {
  const count = new AmbiguousCount();
  const seen = (around: Surroundings, source: string, connections: number) => {
    const { world } = worldOf(around);
    const name = createNamer(world, []);
    const [from, to] = [name(source), name("10.9.0.11")];
    const flow = { source: from, destination: to, protocol: TCP, port: 5432, connections };
    count.see([flow as Flow], world.index);
    return count.connections;
  };
  const twice = { ...SHOP, endpoints: [...SHOP.endpoints, copy] };
  expect(seen(SHOP, "10.9.0.10", 5)).toBe(0);
  expect(seen(twice, "10.9.0.10", 3)).toBe(3);
  expect(seen(twice, "10.9.0.12", 2)).toBe(3);
  expect(seen(twice, "10.9.0.10", 1)).toBe(4);
  expect(seen(SHOP, "10.9.0.10", 5)).toBe(4);
});

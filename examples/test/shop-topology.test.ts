/** The truth is written by hand: it must at least speak of workloads and ports that exist. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { inventoryYaml } from "../shop/lab/inventory.ts";
import { portTargets } from "../shop/programs/lib/targets.ts";
import { WORKLOADS, WORLD } from "../shop/topology.ts";

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly port: string;
}

const { edges } = JSON.parse(
  readFileSync(new URL("../shop/truth.json", import.meta.url), "utf8"),
) as { edges: readonly Edge[] };
const apps = new Set(WORKLOADS.map((workload) => workload.labels["app"]));

describe("truth.json", () => {
  test.each(edges)("$from → $to $port names what exists", ({ from, to, port }) => {
    expect(apps).toContain(from);
    const server = WORLD.find((one) => `world:${one.name}` === to);
    const open =
      server?.open ??
      WORKLOADS.filter((one) => one.labels["app"] === to).flatMap((one) => one.open);
    expect(open.map((one) => `${one.port}/${one.protocol}`)).toContain(port);
  });

  test("the intruder needs nothing", () => {
    expect(edges.filter((edge) => edge.from === "intruder" || edge.to === "intruder")).toEqual([]);
  });
});

describe("the intruder's targets", () => {
  test("cover every open port of everybody else, over both families", () => {
    const targets = portTargets("intruder");
    for (const workload of WORKLOADS.filter((one) => one.name !== "intruder")) {
      for (const { port } of workload.open) {
        const routes = targets
          .filter((target) => target.name === workload.name && target.port === port)
          .map((target) => target.route);
        expect(routes).toEqual(expect.arrayContaining(["ipv4", "ipv6", "link-local"]));
      }
    }
  });
});

describe("inventory", () => {
  test("declares every workload with its namespace and labels", () => {
    const [inventory] = parseAllDocuments(inventoryYaml((name) => `bhd-x1-${name}`)).map(
      (document) => document.toJS() as { spec: { workloads: readonly unknown[] } },
    );
    expect(inventory?.spec.workloads).toHaveLength(WORKLOADS.length);
    expect(inventory?.spec.workloads).toContainEqual({
      name: "storefront-2",
      namespace: "shop",
      netns: "bhd-x1-storefront-2",
      labels: { app: "storefront", role: "service" },
    });
  });
});

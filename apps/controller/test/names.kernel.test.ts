/** From a look-up to a name in the flow store: a real resolver, the real agent and controller, and what is left of it later. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FlowFilter } from "@bulkhead/api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestLab, until } from "./lab.ts";

let lab: TestLab;
let resolver: number | undefined;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  const pidFile = join(lab.state, "dnsmasq.pid");
  await lab.sh(
    "evil",
    `dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file=${pidFile} \\
       --host-record=db.example,${lab.address("db")} --cname=www.example,db.example --local-ttl=60`,
  );
  resolver = Number(readFileSync(pidFile, "utf8"));
  await lab.up();
});
afterAll(async () => {
  if (resolver !== undefined) process.kill(resolver);
  await lab?.remove();
});

const LOOK_UP = `
  const resolver = new (require("node:dns").promises.Resolver)({ timeout: 2000, tries: 3 });
  resolver.setServers([process.argv[1]]);
  resolver.resolve4(process.argv[2]).then((found) => console.log(found.join()));`;

const edges = async (filter: FlowFilter) =>
  (await lab.client.call("edges", { port: "5432/tcp", ...filter })).edges;

it("flows are told by the name that their client had looked up, for good", async () => {
  expect(await lab.reach("evil", "db", 5432)).toBe("connected");
  const found = await lab.sh(
    "web",
    `${process.execPath} -e '${LOOK_UP}' ${lab.address("evil")} www.example`,
  );
  expect(found.trim()).toBe(lab.address("db"));
  expect(await lab.reach("web", "db", 5432)).toBe("connected");
  await until(async () => (await edges({})).length === 2, "the flows do not arrive");
  const named = await edges({ toFqdn: "*.EXAMPLE" });
  expect(named).toHaveLength(1);
  expect(named[0]?.source.address).toBe(lab.address("web"));
  expect(named[0]?.destination).toMatchObject({
    address: lab.address("db"),
    names: ["www.example"],
  });
  const others = await edges({ fromIp: lab.address("evil") });
  expect(others[0]?.destination).not.toHaveProperty("names");
  expect(await edges({ toFqdn: "example" })).toEqual([]);
  expect(await edges({ fromFqdn: "*" })).toEqual([]);

  // What was told of DNS is gone with the agent; what was seen stays as it was.
  await lab.kill("agent");
  await lab.kill("controller");
  await lab.up();
  expect(await edges({ toFqdn: "www.example" })).toHaveLength(1);
});

it("the machine that saw a flow is told with it", async () => {
  const flows = [];
  for await (const flow of lab.client.stream("flows", { port: "5432/tcp" })) flows.push(flow);
  const { agents } = await lab.client.call("status", {});
  expect([...new Set(flows.map(({ node }) => node))]).toEqual(agents.map(({ host }) => host));
});

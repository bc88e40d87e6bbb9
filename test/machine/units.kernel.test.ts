// Services of a machine that a real systemd runs, as nobody configured them for us: found and named by their units, followed
// through a restart, and told of where systemd itself made their sockets.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkloadsAnswer } from "@bulkhead/api";
import { until } from "../../apps/controller/test/lab.ts";
import { root } from "../private-machine.ts";
import { Machine } from "./machine.ts";

const NODE = `${root}/node_modules/.bin/node`;
const ACTIVATED = 9100;
let machine: Machine;

beforeAll(async () => {
  machine = await Machine.boot({
    services: ["nginx.service"],
    shown: [root],
    files: {
      "/etc/systemd/system/lazy.socket": `[Socket]\nListenStream=${ACTIVATED}\n`,
      "/etc/systemd/system/lazy.service": `[Service]\nExecStart=${NODE} -e "require('node:net').createServer((one) => one.end('lazy')).listen({ fd: 3 })"\n`,
    },
  });
  await machine.sh(`${root}/bulkhead up`);
}, 120_000);
afterAll(async () => {
  await machine?.remove();
});

const workload = async (id: string): Promise<WorkloadsAnswer["workloads"][number] | undefined> => {
  const text = await machine.sh(`${root}/bulkhead workloads --all -o json`);
  return (JSON.parse(text) as WorkloadsAnswer).workloads.find((one) => one.id === id);
};

async function known(
  id: string,
  has: (one: NonNullable<Awaited<ReturnType<typeof workload>>>) => boolean,
) {
  let found: Awaited<ReturnType<typeof workload>>;
  await until(
    async () => {
      found = await workload(id);
      return found !== undefined && has(found);
    },
    () => `${id} is not known so: ${JSON.stringify(found)}`,
    40_000,
  );
  return found!;
}

const listens =
  (port: number) =>
  (one: { readonly sockets?: readonly { readonly port: number }[] | undefined }) =>
    one.sockets?.some((socket) => socket.port === port) === true;

it("finds a distribution's service under the name of its unit, and its users and package", async () => {
  const nginx = await known(
    "host/nginx.service",
    (one) => listens(80)(one) && one.running?.executable?.package !== undefined,
  );
  expect(nginx).toMatchObject({
    kind: "process",
    cgroup: "/system.slice/nginx.service",
    labels: {
      app: "nginx",
      "bulkhead.dev/unit": "nginx.service",
      "bulkhead.dev/slice": "system.slice",
    },
    running: { users: ["root", "www-data"], executable: { path: "/usr/sbin/nginx" } },
  });
  expect(nginx.running?.executable?.package).toMatch(/^nginx/);
});

it("follows it through restarts, also while it is down", async () => {
  for (let round = 0; round < 3; round++) {
    await machine.sh("systemctl restart nginx.service");
    const again = await known("host/nginx.service", (one) => one.attached && listens(80)(one));
    expect(again.cgroup).toBe("/system.slice/nginx.service");
  }
  await machine.sh("systemctl stop nginx.service");
  await known("host/nginx.service", (one) => !one.attached);
  await machine.sh("systemctl start nginx.service");
  await known("host/nginx.service", (one) => one.attached && listens(80)(one));
});

it("tells of a service whose sockets systemd made, and refuses to enforce it", async () => {
  await machine.sh("systemctl start lazy.socket");
  await known("host/init.scope", listens(ACTIVATED));
  await machine.sh("systemctl start lazy.service");
  const lazy = await known("host/lazy.service", ({ borrowed = [] }) => borrowed.length > 0);
  expect(lazy.borrowed).toEqual([
    { maker: "host/init.scope", how: "activated", ports: [{ protocol: 6, port: ACTIVATED }] },
  ]);
  await machine.sh(`cat >/root/lazy.yaml <<END
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: lazy, namespace: host }
spec: { subject: bulkhead.dev/unit=lazy.service, ingress: [] }
END`);
  const { code, stderr } = await machine.run(
    `${root}/bulkhead`,
    "apply",
    "/root/lazy.yaml",
    "--mode",
    "enforce",
  );
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/BH0605.*host\/lazy.service/);
  expect(stderr).toContain("systemctl disable --now lazy.socket");
});

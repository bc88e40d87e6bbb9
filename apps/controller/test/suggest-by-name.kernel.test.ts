/**
 * An outside service by its name, from the look-up to the kernel and back: seen, suggested as a set of that name, enforced; and
 * when DNS gives another address for it, that is told, and the next suggestion holds both.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AnswerOf } from "@bulkhead/api";
import { TestLab, until } from "./lab.ts";

const NAME = "api.example.com";
const FIRST = "203.0.113.7";
const SECOND = "203.0.113.8";
const SERVE = `
  const net = require('node:net')
  net.createServer((socket) => socket.on('error', () => {}).on('data', (data) => socket.write(data)))
    .listen(8443, '0.0.0.0', () => console.log('listening'))`;
/** Looks the name up, connects to what it got, and says how that went. */
const CALL = `
  const { Resolver } = require('node:dns').promises
  const [server, name, wait] = process.argv.slice(1)
  const resolver = new Resolver({ timeout: 5000, tries: 4 })
  resolver.setServers([server])
  resolver.resolve4(name).then(([address]) => {
    const socket = require('node:net').connect(8443, address)
    const end = (word) => { console.log(address, word); process.exit(0) }
    socket.on('error', () => end('blocked')).on('connect', () => socket.write('x'.repeat(2000)))
    socket.on('data', () => end('connected'))
    setTimeout(() => end('blocked'), Number(wait))
  }, (error) => { console.log(error.code); process.exit(0) })`;

let lab: TestLab;
let server: ChildProcess | undefined;
let resolver: number | undefined;
const tag = randomBytes(3).toString("hex");
const router = `bhk-r-${tag}`;
const outside = `bhk-o-${tag}`;
const within = (netns: string, script: string): string =>
  execFileSync("nsenter", [`--net=/run/netns/${netns}`, "sh", "-ec", script], { encoding: "utf8" });

/** Two hops away, so that it is nobody whom the agent could know. */
async function wireOutside(): Promise<void> {
  for (const netns of [router, outside]) execFileSync("ip", ["netns", "add", netns]);
  await lab.sh(
    "host",
    `ip link add vr type veth peer name r0 netns ${router}; ip addr add 10.8.0.1/24 dev vr; ip link set vr up
     ip route add 203.0.113.0/24 via 10.8.0.2`,
  );
  within(
    router,
    `sysctl -qw net.ipv4.ip_forward=1; ip addr add 10.8.0.2/24 dev r0; ip link set r0 up; ip route add default via 10.8.0.1
     ip link add r1 type veth peer name eth0 netns ${outside}; ip addr add 203.0.113.1/24 dev r1; ip link set r1 up`,
  );
  within(
    outside,
    `ip addr add ${FIRST}/24 dev eth0; ip addr add ${SECOND}/24 dev eth0; ip link set eth0 up; ip route add default via 203.0.113.1`,
  );
  await lab.sh("web", `ip route add default via ${lab.address("host")}`);
  const child = spawn("nsenter", [`--net=/run/netns/${outside}`, process.execPath, "-e", SERVE]);
  server = child;
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("close", () => reject(new Error("the outside server did not start")));
  });
}

async function resolveTo(address: string): Promise<void> {
  const pidFile = join(lab.state, "dnsmasq.pid");
  await lab.sh(
    "evil",
    `dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file=${pidFile} \\
       --host-record=${NAME},${address} --local-ttl=1`,
  );
  resolver = Number(readFileSync(pidFile, "utf8"));
}

async function stopResolver(): Promise<void> {
  const pid = resolver;
  if (pid === undefined) return;
  resolver = undefined;
  process.kill(pid);
  await until(async () => !isAlive(pid), "dnsmasq does not end");
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Nothing shorter tells a busy machine from a closed door; who expects a closed one need not wait so long. */
const PATIENT_MS = 20_000;

const callByName = async (waitMs = PATIENT_MS): Promise<string> =>
  (
    await lab.sh("web", `${process.execPath} -e "${CALL}" ${lab.address("evil")} ${NAME} ${waitMs}`)
  ).trim();

const noticesOfName = async (): Promise<readonly string[]> =>
  ((await lab.client.call("status", {})).notices ?? []).filter((one) => one.includes(NAME));

beforeAll(async () => {
  lab = await TestLab.create();
  await wireOutside();
  await resolveTo(FIRST);
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()] });
}, 120_000);

afterAll(async () => {
  try {
    await stopResolver();
  } finally {
    server?.kill("SIGKILL");
    await lab?.remove();
    for (const netns of [router, outside]) {
      try {
        execFileSync("ip", ["netns", "del", netns], { stdio: "ignore" });
      } catch {
        // never made: the beginning failed
      }
    }
  }
});

it("is suggested by its name, and enforced by the addresses that were seen behind it", async () => {
  expect(await callByName()).toBe(`${FIRST} connected`);
  let suggested = await lab.client.call("suggest", { namespaces: ["shop"] });
  await until(
    async () => {
      suggested = await lab.client.call("suggest", { namespaces: ["shop"] });
      // The question that led there is an edge as well, and its answer is told in its own time.
      const pending = suggested.setAside.some(({ reason }) => reason === "pending");
      return (suggested.networkSets ?? []).length > 0 && !pending;
    },
    () => `no set, or not all of it: ${JSON.stringify(suggested)}`,
    20_000,
  );
  expect(suggested.networkSets).toMatchObject([
    {
      resource: `NetworkSet/shop/${NAME}`,
      basis: { kind: "dns", name: NAME },
      cidrs: [`${FIRST}/32`],
      addresses: 1,
    },
  ]);
  expect(suggested.rules.map(({ rule }) => rule)).toContain(`web → shop/${NAME}`);
  // Minutes of history: it says how little that is. An answer is kept for a while, and the one at hand may be of before.
  let shop: AnswerOf<"readiness">["subjects"][number] | undefined;
  await until(
    async () => {
      const { subjects } = await lab.client.call("readiness", { level: "application" });
      shop = subjects.find(({ subject }) => subject.name === "shop");
      return shop !== undefined && shop.unseen.seen > 0;
    },
    () => `nothing seen of the shop: ${JSON.stringify(shop)}`,
    20_000,
  );
  expect(shop).toMatchObject({ state: "learning", unseen: { unit: "hour" } });
  expect(shop?.notBefore).toBeGreaterThan(Date.now());
  expect(suggested.readiness?.map(({ application }) => application)).toContain("shop");
  await lab.client.call("apply", { files: suggested.files, mode: "enforce" });
  expect(await callByName()).toBe(`${FIRST} connected`);
  expect(await noticesOfName()).toEqual([]);
});

it("that has another address now is told of, and the next suggestion holds both", async () => {
  await stopResolver();
  await resolveTo(SECOND);
  expect(await callByName(1500)).toBe(`${SECOND} blocked`);
  let notices: readonly string[] = [];
  await until(
    async () => {
      notices = await noticesOfName();
      return notices.length > 0;
    },
    "nobody tells that the name left its set",
    20_000,
  );
  expect(notices).toEqual([
    `\`${NAME}\` stands for ${SECOND} too, which \`NetworkSet/shop/${NAME}\` does not hold: rules that name the set do not allow them; \`bulkhead suggest\` proposes them`,
  ]);
  const again = await lab.client.call("suggest", { namespaces: ["shop"] });
  expect(again.networkSets?.map(({ cidrs }) => cidrs)).toEqual([[`${FIRST}/32`, `${SECOND}/32`]]);
  await lab.client.call("apply", { files: again.files, mode: "enforce" });
  expect(await callByName()).toBe(`${SECOND} connected`);
  expect(await noticesOfName()).toEqual([]);
});

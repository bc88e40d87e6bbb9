/** Capabilities of real processes in real namespaces: told where they count, and nowhere else. */
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { capabilitiesIn, createCapabilityWatch } from "../../src/link/capabilities.ts";
import { createLab, until, type NetnsLab } from "../kernel/netns-lab.ts";

let lab: NetnsLab;
let path: string;
let netns: string;
const pids: number[] = [];

beforeAll(() => {
  lab = createLab();
  netns = lab.addNetns("able");
  path = `/run/netns/${netns}`;
});
afterAll(() => {
  for (const pid of pids) process.kill(pid, "SIGKILL");
  lab?.close();
});

/** Runs in the workload; no child of ours, as those count for nobody. Its id. */
async function lives(...before: string[]): Promise<number> {
  const child = lab.start(netns, "sh", "-c", '"$@" sleep 300 & echo $!; wait', "sh", ...before);
  const pid = await new Promise<number>((resolve) => {
    child.stdout?.once("data", (text: Buffer) => resolve(Number(text)));
  });
  pids.push(pid);
  await until("the program runs as it is meant to", () =>
    readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("sleep"),
  );
  return pid;
}

const confined = (...capabilities: string[]): string[] => [
  "setpriv",
  `--bounding-set=${["-all", ...capabilities.map((one) => `+${one}`)].join(",")}`,
  "--inh-caps=-all",
  "--ambient-caps=-all",
];
const told = (): readonly string[] => capabilitiesIn([path, "/run/netns/none"]).get(path) ?? [];

it("are told of processes that reach beyond their network, and of no others", async () => {
  await lives(...confined("net_raw"));
  // Root of a user namespace of its own holds all of them there.
  await lives("unshare", "--user", "--map-root-user");
  expect(told()).toEqual([]);
  await lives(...confined("net_raw", "net_admin"));
  expect(told()).toEqual(["CAP_NET_ADMIN"]);
  await lives();
  expect(told()).toEqual(["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
});

it("are looked for again after a while, or when somebody is new", async () => {
  let now = 0;
  const other = lab.addNetns("other");
  const look = createCapabilityWatch(() => now, 1000);
  const pid = await lives(...confined("net_admin"));
  expect(look([path]).get(path)).toContain("CAP_NET_ADMIN");
  for (const one of pids.splice(0)) process.kill(one, "SIGKILL");
  await until("they have ended", () => !existsSync(`/proc/${pid}/ns/net`) && told().length === 0);
  expect(look([path]).get(path)).toContain("CAP_NET_ADMIN");
  expect(look([path, `/run/netns/${other}`]).get(path) ?? []).toEqual([]);
  await lives(...confined("net_admin"));
  expect(look([path, `/run/netns/${other}`]).get(path) ?? []).toEqual([]);
  now = 1000;
  expect(look([path, `/run/netns/${other}`]).get(path)).toEqual(["CAP_NET_ADMIN"]);
});

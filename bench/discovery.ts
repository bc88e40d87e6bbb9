/**
 * Discovery of a machine's units: 500 control groups with a process each, read whole, kept current at the agent's own pace, and
 * one more that starts meanwhile. The groups are real, and all processes sleep in a namespace of their own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createUnitScout, type UnitScout } from "../apps/agent/src/discovery/index.ts";
import { createCgroups } from "../apps/agent/test/cgroups.ts";
import { createNamespaces, netnsPath } from "../apps/agent/test/namespaces.ts";
import { TestLab } from "../apps/controller/test/lab.ts";
import { absolute, type Figure } from "./figure.ts";

const UNITS = 500;
const ROUNDS = 15;
/** Long enough for what is done each half minute. */
const IDLE_MS = 65_000;
const LOOK_EVERY_MS = 1000;

export async function benchDiscovery(say: (line: string) => void): Promise<Figure[]> {
  const namespaces = createNamespaces("bhb");
  const groups = createCgroups("bhb", ".slice");
  let scout: UnitScout | undefined;
  let lab: TestLab | undefined;
  let pids: readonly number[] = [];
  try {
    const netns = namespaces.add("u");
    pids = await sleepers(namespaces, netns, UNITS + ROUNDS);
    for (const [at, pid] of pids.slice(0, UNITS).entries())
      groups.put(pid, groups.add(`part${at % 10}.slice/unit${at}.service`));
    let heard: () => void = () => undefined;
    const start = (): UnitScout =>
      createUnitScout({
        now: Date.now,
        changed: () => heard(),
        onProblem: say,
        netns: netnsPath(netns),
      });

    const whole: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      scout?.stop();
      scout = start();
      const from = performance.now();
      const { processes } = scout.look();
      whole.push(performance.now() - from);
      if (processes.length !== UNITS) throw new Error(`${processes.length} units were found`);
    }
    const kept = scout!;
    // Each of them looks at all processes once.
    await sleep(5000);

    say(`discovery: ${UNITS} units are kept current for ${IDLE_MS / 1000} s`);
    const before = process.cpuUsage();
    const looks = setInterval(() => kept.look(), LOOK_EVERY_MS);
    await sleep(IDLE_MS);
    clearInterval(looks);
    const { user, system } = process.cpuUsage(before);

    const found: number[] = [];
    for (const [at, pid] of pids.slice(UNITS).entries()) {
      // Each by itself, and not a storm of them.
      await sleep(1000);
      const from = performance.now();
      const path = groups.add(`part0.slice/late${at}.service`);
      const seen = new Promise<void>((resolve) => {
        heard = () => {
          if (kept.look().processes.some(({ cgroup }) => cgroup === path)) resolve();
        };
      });
      groups.put(pid, path);
      await seen;
      found.push(performance.now() - from);
    }

    lab = await TestLab.create();
    await lab.up();
    const visible: number[] = [];
    for (let at = 0; at < ROUNDS; at++) visible.push(await untilVisible(lab, groups, at));

    return [
      absolute(`discovery/${UNITS} units`, "ms", whole, { atMost: 300 }),
      absolute("discovery/processor afterwards", "%", [(user + system) / 10 / IDLE_MS], {
        atMost: 1,
      }),
      absolute(`discovery/new unit beside ${UNITS}, found`, "ms", found),
      absolute("discovery/new unit, visible to people", "ms", visible, { atMost: 200 }),
    ];
  } finally {
    scout?.stop();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    namespaces.close();
    await lab?.remove();
    groups.close();
  }
}

/** Processes that do nothing, in this namespace. */
async function sleepers(
  namespaces: ReturnType<typeof createNamespaces>,
  netns: string,
  count: number,
): Promise<readonly number[]> {
  const shell = namespaces.start(netns, [
    "sh",
    "-c",
    `for one in $(seq ${count}); do sleep 600 & echo $!; done; echo done; wait`,
  ]);
  let text = "";
  for await (const part of shell.stdout) {
    text += String(part);
    if (text.endsWith("done\n")) break;
  }
  return text.trim().split("\n").slice(0, -1).map(Number);
}

async function untilVisible(
  lab: TestLab,
  groups: ReturnType<typeof createCgroups>,
  at: number,
): Promise<number> {
  await sleep(1000);
  const pid = Number((await lab.sh("host", "sleep 600 >/dev/null 2>&1 & echo $!")).trim());
  try {
    const from = performance.now();
    groups.put(pid, groups.add(`seen${at}.service`));
    for (;;) {
      const { workloads } = await lab.client.call("workloads", {});
      if (workloads.some(({ id }) => id === `host/seen${at}.service`)) break;
      if (performance.now() - from > 10_000) throw new Error("a unit was never seen");
    }
    return performance.now() - from;
  } finally {
    process.kill(pid, "SIGKILL");
  }
}

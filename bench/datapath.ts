/**
 * The datapath against no firewall, linear iptables rules and ufw, with 10, 1,000 and 10,000 rules. Each firewall has a
 * lab of its own; rounds go through them in turns and medians are compared, so that what else the machine does hits
 * all alike.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createDriver } from "../apps/agent/src/drivers/index.ts";
import { createLab } from "../apps/agent/test/drivers/lab.ts";
import type { Lab } from "../apps/agent/test/drivers/lab.ts";
import { absolute, compared, median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { FIREWALLS, PORTS, load, policyOfSize } from "./firewalls.ts";
import type { FirewallName } from "./firewalls.ts";

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL("load.ts", import.meta.url));

export interface DatapathOptions {
  readonly sizes?: readonly number[];
  readonly rounds?: number;
  readonly seconds?: number;
  readonly say?: (line: string) => void;
}

interface Sample {
  readonly throughput: number;
  readonly connections: number;
  readonly request50: number;
  readonly request95: number;
  readonly request99: number;
  readonly exchange50: number;
  readonly exchange95: number;
  readonly exchange99: number;
}

interface Times {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

const inside = async (netns: string, command: readonly string[]): Promise<string> =>
  (await run("nsenter", [`--net=/run/netns/${netns}`, ...command], { maxBuffer: 1 << 24 })).stdout;

const ends = (lab: Lab): { client: string; server: string; address: string } => {
  const { client, server } = lab.workloads;
  if (client === undefined || server === undefined) throw new Error("the lab lacks its two ends");
  return { client: client.netns, server: server.netns, address: server.v4 };
};

const startServers = async (lab: Lab): Promise<void> => {
  const { server, address } = ends(lab);
  const iperf = lab.start(server, ["iperf3", "-s", "-p", `${PORTS.throughput}`, "--forceflush"]);
  const answers = lab.start(server, [
    process.execPath,
    LOAD,
    "serve",
    address,
    `${PORTS.exchange}`,
  ]);
  await once(createInterface({ input: answers.stdout }), "line");
  await once(createInterface({ input: iperf.stdout }), "line");
};

const take = async (lab: Lab, seconds: number): Promise<Sample> => {
  const { client, address } = ends(lab);
  const node = (role: string): Promise<string> =>
    inside(client, [process.execPath, LOAD, role, address, `${PORTS.exchange}`, `${seconds}`]);
  const iperf = JSON.parse(
    await inside(client, [
      "iperf3",
      "-c",
      address,
      "-p",
      `${PORTS.throughput}`,
      "-t",
      `${Math.max(1, Math.round(seconds))}`,
      "-J",
    ]),
  ) as { end: { sum_received: { bits_per_second: number } } };
  const exchange = JSON.parse(await node("exchange")) as Times;
  const request = JSON.parse(await node("request")) as Times;
  const connect = JSON.parse(await node("connect")) as { perSecond: number };
  return {
    throughput: iperf.end.sum_received.bits_per_second / 1e9,
    connections: connect.perSecond,
    request50: request.p50,
    request95: request.p95,
    request99: request.p99,
    exchange50: exchange.p50,
    exchange95: exchange.p95,
    exchange99: exchange.p99,
  };
};

const sizeName = (size: number): string => (size >= 1000 ? `${size / 1000}k` : `${size}`);

const METRICS: readonly {
  readonly key: keyof Sample;
  readonly name: string;
  readonly unit: string;
  readonly aim?: Figure["aim"];
}[] = [
  { key: "throughput", name: "throughput", unit: "Gbit/s", aim: { atLeast: 0.97 } },
  // HTTP through Node at both ends: what an application sees.
  { key: "request50", name: "request/response p50", unit: "us" },
  { key: "request95", name: "request/response p95", unit: "us", aim: { atMost: 1.05 } },
  { key: "request99", name: "request/response p99", unit: "us" },
  // One byte to and fro with bare system calls: nothing but the kernel's path, the hardest case.
  { key: "exchange50", name: "one-byte exchange p50", unit: "us" },
  { key: "exchange95", name: "one-byte exchange p95", unit: "us", aim: { atMost: 1.05 } },
  { key: "exchange99", name: "one-byte exchange p99", unit: "us" },
  { key: "connections", name: "connections", unit: "1/s", aim: { atLeast: 0.85 } },
];

const measureSize = async (
  size: number,
  { rounds = 5, seconds = 1, say = () => undefined }: DatapathOptions,
): Promise<ReadonlyMap<FirewallName, readonly Sample[]>> => {
  const labs = new Map<FirewallName, Lab>();
  const samples = new Map<FirewallName, Sample[]>(FIREWALLS.map((name) => [name, []]));
  try {
    for (const name of FIREWALLS) {
      const lab = createLab([], ["client", "server"]);
      labs.set(name, lab);
      await load(lab, name, size);
      await startServers(lab);
    }
    for (let round = 0; round < rounds; round += 1) {
      // Another one is first in each round.
      const order = FIREWALLS.map(
        (_, index) => FIREWALLS[(index + round) % FIREWALLS.length] as FirewallName,
      );
      for (const name of order) {
        const sample = await take(labs.get(name) as Lab, seconds);
        samples.get(name)?.push(sample);
        say(
          `${sizeName(size)} rules, round ${round + 1}/${rounds}, ${name}: ${sample.throughput.toFixed(2)} Gbit/s, request p95 ${sample.request95.toFixed(1)} us, ${sample.connections.toFixed(0)} connections/s`,
        );
      }
    }
  } finally {
    for (const lab of labs.values()) lab.close();
  }
  return samples;
};

const figuresOfSize = (
  size: number,
  samples: ReadonlyMap<FirewallName, readonly Sample[]>,
): Figure[] => {
  const values = (name: FirewallName, key: keyof Sample): number[] =>
    (samples.get(name) ?? []).map((sample) => sample[key]);
  return METRICS.flatMap(({ key, name, unit, aim }) =>
    FIREWALLS.filter((peer) => peer !== "ours").map((peer) =>
      compared(
        `datapath/${name}/${sizeName(size)} rules`,
        unit,
        values("ours", key),
        peer,
        values(peer, key),
        peer === "no firewall" ? aim : undefined,
      ),
    ),
  );
};

/** How long it takes to apply: 10k entries from nothing, all of them changed, and one of them changed. */
const measureApply = async (rounds: number): Promise<Figure[]> => {
  const lab = createLab([], ["client", "server"]);
  const times: Record<"first" | "all" | "one", number[]> = { first: [], all: [], one: [] };
  try {
    const driver = createDriver("nftables", {
      owner: "bench",
      now: () => Date.now(),
      netns: lab.hostPath,
    });
    const timed = async (
      into: number[],
      policy: Parameters<typeof driver.apply>[0],
    ): Promise<void> => {
      const start = performance.now();
      await driver.apply(policy);
      into.push(performance.now() - start);
    };
    for (let round = 0; round < rounds; round += 1) {
      // 5,000 rules are 10,000 entries: each stands in an egress and in an ingress map.
      const policy = policyOfSize(lab, 5000);
      const changed = policyOfSize(lab, 5000);
      await timed(times.first, policy);
      await timed(times.all, changed);
      const [map, ...maps] = changed.live.maps;
      if (map === undefined) throw new Error("the policy has no maps");
      const smaller = { ...map, exact: map.exact.slice(1) };
      await timed(times.one, { ...changed, live: { ...changed.live, maps: [smaller, ...maps] } });
      await driver.remove();
    }
  } finally {
    lab.close();
  }
  const aim = { atMost: 300 };
  return [
    absolute("datapath/apply 10k entries, first", "ms", times.first, aim),
    absolute("datapath/apply 10k entries, all changed", "ms", times.all, aim),
    absolute("datapath/apply 10k entries, one changed", "ms", times.one, aim),
  ];
};

/** Needs root, iperf3 and iptables. Leaves nothing behind. */
export const benchDatapath = async (options: DatapathOptions = {}): Promise<Figure[]> => {
  const { sizes = [10, 1000, 10_000], rounds = 5 } = options;
  const figures: Figure[] = [...(await measureApply(rounds))];
  const bySize = new Map<number, ReadonlyMap<FirewallName, readonly Sample[]>>();
  for (const size of sizes) {
    const samples = await measureSize(size, options);
    bySize.set(size, samples);
    figures.push(...figuresOfSize(size, samples));
  }
  const [first, last] = [sizes[0], sizes.at(-1)];
  if (first !== undefined && last !== undefined && first !== last) {
    // Flat: each size relative to no firewall in its own run.
    const relative = (size: number, key: keyof Sample): number[] => {
      const ours = bySize.get(size)?.get("ours") ?? [];
      const base = median(
        (bySize.get(size)?.get("no firewall") ?? []).map((sample) => sample[key]),
      );
      return ours.map((sample) => sample[key] / base);
    };
    for (const { key, name, aim } of METRICS.filter((metric) => metric.aim !== undefined))
      figures.push(
        compared(
          `datapath/${name}, ${sizeName(last)} to ${sizeName(first)} rules`,
          "ratio",
          relative(last, key),
          `${sizeName(first)} rules`,
          relative(first, key),
          aim?.atMost === undefined ? { atLeast: 0.9 } : { atMost: 1.1 },
        ),
      );
  }
  return figures;
};

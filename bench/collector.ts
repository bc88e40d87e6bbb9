/**
 * How many new flows a second the collector takes without losing one: bursts of one-packet flows are forwarded through a
 * router namespace whose rules log each first packet, and the collector runs in that namespace as the agent runs it. The
 * router's own nft counter says how many were logged; every one of them must come out in a record.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createNamespaces, type Namespaces } from "../apps/agent/test/namespaces.ts";

export interface CollectorBench {
  /** New flows the router logged, by its own counter. */
  readonly logged: number;
  /** Connections in the records that came out. */
  readonly recorded: number;
  readonly lost: number;
  readonly overflowed: number;
  /** New flows a second while flooding: the best burst, and all of them together. */
  readonly bestPerSecond: number;
  readonly meanPerSecond: number;
  /** Processor time of the collector's process for one flow, connection tracking included. */
  readonly microsecondsPerFlow: number;
  /** DESTROY events lost when each burst's connections were flushed at once. */
  readonly eventsLost: number;
  readonly events: number;
}

export interface CollectorBenchOptions {
  readonly bursts?: number;
  readonly flowsPerBurst?: number;
  /** Flows a second; 0 = as fast as this machine can send. */
  readonly rate?: number;
}

interface Report {
  readonly recorded: number;
  readonly cpuMicroseconds: number;
  readonly stats: {
    readonly received: number;
    readonly lost: number;
    readonly overflowed: number;
    readonly connections: { readonly lost: number; readonly events: number };
  };
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Needs root. Leaves nothing behind. */
export async function benchCollector({
  bursts = 3,
  flowsPerBurst = 200_000,
  rate = 0,
}: CollectorBenchOptions = {}): Promise<CollectorBench> {
  const lab = createNamespaces("bhc-bench");
  const inside = (netns: string, ...command: string[]): string => lab.run(netns, command);
  const load = (netns: string, ruleset: string): string =>
    lab.run(netns, ["nft", "-f", "-"], ruleset);
  try {
    const router = lab.add("r", ["net.ipv4.ip_forward=1"]);
    const client = lab.add("a");
    const server = lab.add("b");
    connect(lab, router, "va", client, "10.9.1");
    connect(lab, router, "vb", server, "10.9.2");
    load(
      router,
      'table inet bulkhead_bench {\n counter logged { }\n chain forward {\n  type filter hook forward priority 0;\n  ct state new counter name logged log prefix "bh1 F - 00000000" group 1786\n }\n}\n',
    );
    // What arrives ends here: answering is not what is measured.
    load(
      server,
      "table ip bulkhead_bench {\n chain end {\n  type filter hook prerouting priority -500;\n  drop\n }\n}\n",
    );
    inside(router, "ip", "neigh", "replace", "10.9.2.2", "lladdr", macOf(lab, server), "dev", "vb");

    const run = lab.start(router, [
      process.execPath,
      here("collector-process.ts"),
      "10.9.1.2",
      "10.9.2.2",
    ]);
    run.stderr.on("data", (text: Buffer) => process.stderr.write(text));
    const lines = createInterface({ input: run.stdout })[Symbol.asyncIterator]();
    await lines.next(); // "ready"

    const speeds: { sent: number; seconds: number }[] = [];
    for (let burst = 0; burst < bursts; burst++) {
      speeds.push(
        JSON.parse(
          inside(
            client,
            process.execPath,
            here("collector-flood.ts"),
            "10.9.1.2",
            "10.9.2.2",
            String(flowsPerBurst),
            String(rate),
          ),
        ) as { sent: number; seconds: number },
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      // Room in the connection table for the next burst, and that many endings at once.
      inside(router, "conntrack", "-F");
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    const logged = Number(
      /packets (\d+)/.exec(
        inside(router, "nft", "list", "counter", "inet", "bulkhead_bench", "logged"),
      )?.[1],
    );
    run.stdin.end();
    const report = JSON.parse(String((await lines.next()).value)) as Report;
    await once(run, "exit");
    const perSecond = speeds.map(({ sent, seconds }) => sent / seconds);
    const sent = speeds.reduce((sum, speed) => sum + speed.sent, 0);
    return {
      logged,
      recorded: report.recorded,
      lost: report.stats.lost,
      overflowed: report.stats.overflowed,
      bestPerSecond: Math.round(Math.max(...perSecond)),
      meanPerSecond: Math.round(sent / speeds.reduce((sum, { seconds }) => sum + seconds, 0)),
      microsecondsPerFlow: Math.round((report.cpuMicroseconds / logged) * 100) / 100,
      eventsLost: report.stats.connections.lost,
      events: report.stats.connections.events,
    };
  } finally {
    lab.close();
  }
}

function connect(
  lab: Namespaces,
  router: string,
  link: string,
  end: string,
  network: string,
): void {
  lab.veth({ netns: router, device: link }, { netns: end, device: "eth0" });
  for (const [netns, device, address] of [
    [router, link, `${network}.1/24`],
    [end, "eth0", `${network}.2/24`],
  ] as const) {
    lab.run(netns, ["ip", "address", "add", address, "dev", device]);
    lab.run(netns, ["ip", "link", "set", device, "up"]);
  }
  lab.run(end, ["ip", "route", "add", "default", "via", `${network}.1`]);
}

/** `nsenter --net` keeps the old /sys, so the link itself is asked. */
function macOf(lab: Namespaces, netns: string): string {
  const text = lab.run(netns, ["ip", "-j", "link", "show", "eth0"]);
  const [link] = JSON.parse(text) as [{ address: string }];
  return link.address;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(await benchCollector(), null, 2)}\n`);
}

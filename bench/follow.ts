/**
 * How long `observe --follow` lags behind the kernel: from a connection's first packet to the line that a person reads, against
 * another reader of the same packets in the same run, tcpdump on a log group of its own that holds nothing back.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { flowSchema } from "@bulkhead/api";
import { inNamespace, run } from "@bulkhead/example-shop";
import { ROOT } from "../scripts/demo/bulkhead-cli.ts";
import { withGuardedShop } from "./guarded-shop.ts";

export interface FollowBench {
  /** Milliseconds from the kernel's time stamp of the packet to the line of `observe --follow`, and to that of tcpdump. */
  readonly ours: readonly number[];
  readonly raw: readonly number[];
  /** Connections whose line did not come. */
  readonly missing: number;
}

const RAW_GROUP = 1799;
/** Each connection goes to a port of its own, where nobody listens: like connections of one moment are one line. */
const FIRST_PORT = 20_000;
const RULES = `table inet bulkhead_bench {
  chain forward {
    type filter hook forward priority 10
    ct state new tcp dport ${FIRST_PORT}-29999 log group ${RAW_GROUP} queue-threshold 1
  }
}`;
/** Knocks at the ports that it is told. */
const CLIENT = `
  const net = require("node:net");
  require("node:readline").createInterface({ input: process.stdin }).on("line", (port) => {
    net.connect(Number(port), process.argv[1]).on("error", () => undefined);
  });`;

const now = (): number => performance.timeOrigin + performance.now();

/** Needs root. Leaves nothing behind. */
export async function benchFollow(connections = 80): Promise<FollowBench> {
  return withGuardedShop(async ({ lab, state }) => {
    const children: ChildProcess[] = [];
    const started = (command: readonly string[], line: (text: string) => void): ChildProcess => {
      const [program = "", ...args] = command;
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
      children.push(child);
      for (const stream of [child.stdout, child.stderr])
        if (stream !== null) createInterface({ input: stream }).on("line", line);
      return child;
    };
    try {
      const host = (...command: readonly string[]): readonly string[] =>
        inNamespace(lab.hostNamespace, command);
      await run(host("nft", RULES));
      const packet = new Map<number, number>();
      const raw = new Map<number, number>();
      const ours = new Map<number, number>();
      const ready = new Set<string>();
      started(host("tcpdump", "-i", `nflog:${RAW_GROUP}`, "--immediate-mode", "-lttnn"), (text) => {
        if (text.includes("listening")) ready.add("tcpdump");
        const found = /^(\d+\.\d+) IP \S+ > \S+\.(\d+): /.exec(text);
        if (found === null) return;
        packet.set(Number(found[2]), Number(found[1]) * 1000);
        raw.set(Number(found[2]), now());
      });
      const follow = [`${ROOT}/bulkhead`, "observe", "--follow", "-o", "json", "--state", state];
      started([...follow, "--port", `${FIRST_PORT}-29999/tcp`], (text) => {
        const at = now();
        const flow = flowSchema.safeParse(JSON.parse(text));
        if (flow.success && !ours.has(flow.data.port)) ours.set(flow.data.port, at);
      });
      const address = (await run(inNamespace(lab.namespaceOf("cache"), ["hostname", "-I"])))
        .trim()
        .split(" ")[0];
      const command = [process.execPath, "-e", CLIENT, address ?? ""];
      const client = started(inNamespace(lab.namespaceOf("checkout"), command), () => undefined);
      const used: number[] = [];
      const connect = (): void => {
        const port = FIRST_PORT + used.length;
        used.push(port);
        client.stdin?.write(`${port}\n`);
      };
      // The first few show that all are listening.
      const deadline = now() + 30_000;
      while (ours.size === 0 || !ready.has("tcpdump")) {
        if (now() > deadline) throw new Error("no flow was told within 30 s");
        connect();
        await sleep(500);
      }
      const first = used.length;
      for (let index = 0; index < connections; index++) {
        connect();
        // In no step with any window.
        await sleep(120 + ((index * 73) % 241));
      }
      await sleep(2000);
      const lag = (seen: ReadonlyMap<number, number>): number[] =>
        used.slice(first).flatMap((port) => {
          const [sent, told] = [packet.get(port), seen.get(port)];
          return sent === undefined || told === undefined ? [] : [told - sent];
        });
      const lags = { ours: lag(ours), raw: lag(raw) };
      return { ...lags, missing: connections - lags.ours.length };
    } finally {
      for (const child of children) child.kill();
    }
  });
}

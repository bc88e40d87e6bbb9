/**
 * What our rules add to the time of an exchange: two scratch networks alike, one with rules and one without, and the same
 * done in both by turns, so that whatever else the machine does hits both. Touches nothing of the machine; a caller that
 * must not stand still runs it in a process of its own.
 */
import { createDriver } from "../drivers/index.ts";
import { must } from "./flows.ts";
import { createScratchNetwork, type ScratchNetwork } from "./scratch-network.ts";
import { ALLOWED_PORT, scratchPolicy } from "./scratch-policy.ts";
import { arrives, connectTo, PATIENCE_MS, send, Sockets, to } from "./wire.ts";

export interface Times {
  /** Microseconds. */
  readonly p50: number;
  readonly p95: number;
}

export interface Compared {
  readonly withRules: Times;
  readonly without: Times;
}

export interface LatencyFinding {
  readonly at: number;
  /** A byte there and a byte back on a connection that is there. */
  readonly exchange: Compared;
  /** The same with the handshake before it. */
  readonly connect: Compared;
  /** Exchanges timed on each side. */
  readonly samples: number;
  readonly entries: number;
}

export interface LatencyOptions {
  /** Batches of so many exchanges on each side. */
  readonly batches?: number;
  readonly perBatch?: number;
  readonly entries?: number;
}

/** Long enough for caches, and for the frequency of the processor. */
const WARM_UP = 100;

export async function measureLatency(
  now: () => number = Date.now,
  { batches = 25, perBatch = 100, entries = 1000 }: LatencyOptions = {},
): Promise<LatencyFinding> {
  const networks: ScratchNetwork[] = [];
  const open = async (): Promise<ScratchNetwork> => {
    const network = await createScratchNetwork();
    networks.push(network);
    return network;
  };
  try {
    const guarded = await open();
    const bare = await open();
    const driver = createDriver("nftables", { owner: "self-test", now, netns: guarded.host });
    await driver.apply(scratchPolicy(guarded, { revision: 1, allowed: true, others: entries }));
    const sides = [guarded, bare] as const;
    for (const side of sides) exchanges(side, WARM_UP);
    const found = Array.from({ length: batches }, (_, batch) => {
      // Another one is first in each batch.
      const order = batch % 2 === 0 ? sides : sides.toReversed();
      const timed = new Map(order.map((side) => [side, exchanges(side, perBatch)]));
      return sides.flatMap((side) => timed.get(side) ?? []);
    });
    const times = (side: 0 | 1, kind: keyof Timed): Times => {
      const of = found.map((batch) => percentiles(batch[side]?.[kind] ?? []));
      return { p50: median(of.map(({ p50 }) => p50)), p95: median(of.map(({ p95 }) => p95)) };
    };
    const compared = (kind: keyof Timed): Compared => ({
      withRules: times(0, kind),
      without: times(1, kind),
    });
    return {
      at: now(),
      exchange: compared("exchange"),
      connect: compared("connect"),
      samples: batches * perBatch,
      entries,
    };
  } finally {
    for (const network of networks) network.close();
  }
}

/** Microseconds each. */
interface Timed {
  readonly connect: readonly number[];
  readonly exchange: readonly number[];
}

/** So many new connections to the far workload, on each of which a byte goes there and back twice. */
function exchanges({ client, far }: ScratchNetwork, times: number): Timed {
  const lasting = new Sockets();
  const connect: number[] = [];
  const exchange: number[] = [];
  try {
    const listener = lasting.listener(far.netns, far.v4, ALLOWED_PORT);
    const there = to(far.v4, ALLOWED_PORT);
    for (let time = 0; time < times; time += 1) {
      const sockets = new Sockets();
      try {
        const caller = sockets.caller(client.netns, client.v4);
        const started = performance.now();
        connectTo(caller, there);
        const called = accepted(sockets, listener, started + PATIENCE_MS);
        toAndFro(caller, called);
        const connected = performance.now();
        toAndFro(caller, called);
        const ended = performance.now();
        connect.push((connected - started) * 1000);
        exchange.push((ended - connected) * 1000);
      } finally {
        sockets.close();
      }
    }
    return { connect, exchange };
  } finally {
    lasting.close();
  }
}

function accepted(sockets: Sockets, listener: number, until: number): number {
  for (;;) {
    const called = sockets.accept(listener);
    if (called !== null) return called;
    must(performance.now() < until, "a connection does not come about");
  }
}

function toAndFro(caller: number, called: number): void {
  send(caller, "q");
  must(arrives(called)?.text === "q", "what was said does not arrive");
  send(called, "a");
  must(arrives(caller)?.text === "a", "what was answered does not arrive");
}

function percentiles(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}

/** A batch that something else disturbed says nothing of either side. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * Proves that this kernel does what enforcement rests on, before the agent touches its real tables: a small ruleset goes
 * into a scratch network by the same driver, and real packets must pass, or must not. What must not pass is known to have
 * been judged by its drop counter, not by waiting. The first thing that fails ends the test and names itself.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { HostPolicy } from "@bulkhead/model";
import { createDriver, digestOf, type Driver } from "../drivers/index.ts";
import { monotonicMs } from "../kernel/index.ts";
import {
  forge,
  isSilent,
  must,
  openConnection,
  openDatagrams,
  passesWhole,
  speak,
  trespass,
  waysOf,
  type Flow,
} from "./flows.ts";
import { createScratchNetwork, type ScratchNetwork } from "./scratch-network.ts";
import {
  ALLOWED_PORT,
  DENIED_PORT,
  DROP,
  FORBIDDEN_PORT,
  scratchPolicy,
  TIMED_PORT,
} from "./scratch-policy.ts";
import { PATIENCE_MS, Sockets } from "./wire.ts";

export interface SelfTestFinding {
  /** What was shown to work, in the order of showing. */
  readonly works: readonly string[];
  /** What this kernel does not have, so that nothing rests on it. */
  readonly absent: readonly string[];
  readonly failure?: { readonly feature: string; readonly detail: string };
  readonly tookMs: number;
}

/** Longer than the busiest machine needs to try what an entry allows. */
const LONG_MS = 60_000;
/** What is left of it then; a machine too busy to see it in the kernel at all gets more. */
const REST_MS = 100;

export async function runSelfTest(now: () => number = Date.now): Promise<SelfTestFinding> {
  const started = monotonicMs();
  const works: string[] = [];
  const absent: string[] = [];
  const sockets = new Sockets();
  let network: ScratchNetwork | undefined;
  let feature = "network namespaces, veth and bridges";
  let failure: SelfTestFinding["failure"];
  try {
    network = await createScratchNetwork();
    if (!network.ipv6) absent.push("IPv6");
    if (!network.bridged) absent.push("bridge netfilter");
    const scratch = { network, sockets, now, driver: driverIn(network, now) };
    for (const [name, show] of SHOWS) {
      feature = name;
      await show(scratch);
      works.push(name);
    }
  } catch (error) {
    failure = { feature, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    sockets.close();
    network?.close();
  }
  const tookMs = Math.round(monotonicMs() - started);
  return { works, absent, ...(failure === undefined ? {} : { failure }), tookMs };
}

interface Scratch {
  readonly network: ScratchNetwork;
  readonly sockets: Sockets;
  readonly driver: Driver;
  readonly now: () => number;
  /** Under way since they were allowed. */
  flows?: readonly Flow[];
}

const driverIn = ({ host }: ScratchNetwork, now: () => number): Driver =>
  createDriver("nftables", { owner: "self-test", now, netns: host });

/** In this order: each goes on where the one before left off. */
const SHOWS: readonly (readonly [string, (scratch: Scratch) => Promise<void>])[] = [
  ["a ruleset is taken whole and reads back as written", load],
  ["what is allowed passes, and so do answers: IPv4, IPv6, TCP, UDP, fragments", pass],
  ["what is not allowed is dropped: IPv4, IPv6, TCP, UDP, either direction of policy", block],
  ["a forged source address is dropped", forgery],
  ["an entry with an end holds until then, and no longer", expire],
  ["what is revoked ends, for connections under way too", revoke],
];

async function put({ driver, now }: Scratch, policy: HostPolicy): Promise<void> {
  await driver.apply(policy);
  const { digest, desiredDigest, differences } = await driver.readBack();
  must(
    digest === desiredDigest && differences.length === 0,
    `it reads back otherwise: ${differences[0] ?? `${digest} instead of ${digestOf(policy, now())}`}`,
  );
}

async function load(scratch: Scratch): Promise<void> {
  await put(scratch, scratchPolicy(scratch.network, { revision: 1, allowed: true }));
}

async function pass(scratch: Scratch): Promise<void> {
  const { network, sockets } = scratch;
  scratch.flows = waysOf(network).flatMap((way) => {
    const datagrams = openDatagrams(sockets, network.client.netns, way, ALLOWED_PORT);
    must(datagrams !== null, `${way.name}: datagrams (UDP) that are allowed do not pass`);
    must(passesWhole(datagrams), `${way.name}: fragments of an allowed datagram do not pass`);
    const connection = openConnection(sockets, network.client.netns, way, ALLOWED_PORT);
    must(connection !== null, `${way.name}: connections (TCP) that are allowed do not pass`);
    return [datagrams, connection];
  });
}

async function block(scratch: Scratch): Promise<void> {
  await mustNotPass(scratch, [DENIED_PORT, FORBIDDEN_PORT, TIMED_PORT]);
}

/** Each packet is dropped under the eyes of its counter, and none arrives. */
async function mustNotPass(scratch: Scratch, ports: readonly number[]): Promise<void> {
  const { network, driver } = scratch;
  const sockets = new Sockets();
  try {
    const before = await dropped(driver);
    const tries = waysOf(network).map((way) => ({
      way,
      tried: trespass(sockets, network.client.netns, way, ports),
    }));
    const sent = tries.reduce((sum, { tried }) => sum + tried.count, 0);
    const leak = () => tries.find(({ tried }) => tried.succeeded());
    let leaked = leak();
    await until(async () => {
      leaked ??= leak();
      return leaked !== undefined || (await dropped(driver)) >= before + sent;
    }, "packets that are not allowed are not counted as dropped");
    leaked ??= leak();
    must(leaked === undefined, `${leaked?.way.name}: what is not allowed gets through`);
  } finally {
    sockets.close();
  }
}

async function forgery({ network, sockets, driver, flows = [] }: Scratch): Promise<void> {
  const [receiver] = flows;
  must(receiver !== undefined, "nobody to send to");
  const before = await spoofed(driver);
  const arrived = forge(sockets, network, receiver);
  await until(
    async () => arrived() || (await spoofed(driver)) > before,
    "it is not counted as forged",
  );
  must(!arrived(), "it gets through");
}

async function expire(scratch: Scratch): Promise<void> {
  const { network, driver, now } = scratch;
  const sockets = new Sockets();
  const allowUntil = async (timedUntil: number): Promise<void> =>
    put(scratch, scratchPolicy(network, { revision: 2, allowed: true, timedUntil }));
  try {
    await allowUntil(now() + LONG_MS);
    const flows = waysOf(network).flatMap((way) =>
      [openDatagrams, openConnection].map((open) => {
        const flow = open(sockets, network.client.netns, way, TIMED_PORT);
        must(flow !== null, `${way.name}: it does not let through what it allows`);
        return flow;
      }),
    );
    for (let rest = REST_MS; ; rest *= 3) {
      const timedUntil = now() + rest;
      await allowUntil(timedUntil);
      const held = (await driver.readBack()).policy?.live.overlay.length ?? 0;
      if (held === 0 && rest < LONG_MS) continue;
      must(held > 0, "it ends before its time");
      await pause(Math.max(0, timedUntil - now()));
      break;
    }
    await ended(scratch, flows);
  } finally {
    sockets.close();
  }
  await mustNotPass(scratch, [TIMED_PORT]);
}

async function revoke(scratch: Scratch): Promise<void> {
  await put(scratch, scratchPolicy(scratch.network, { revision: 3, allowed: false }));
  await ended(scratch, scratch.flows ?? []);
  await mustNotPass(scratch, [ALLOWED_PORT + 1]);
}

/**
 * Nothing said on these flows is heard any more. An end may come late: the kernel counts from when it was told, which on a
 * busy machine is some time after the text was written.
 */
async function ended({ driver }: Scratch, flows: readonly Flow[]): Promise<void> {
  const giveUp = monotonicMs() + 5 * PATIENCE_MS;
  for (;;) {
    const before = await dropped(driver);
    for (const flow of flows) speak(flow);
    let heard = false;
    let over = false;
    while (!heard && !over) {
      over = (await dropped(driver)) >= before + 2 * flows.length;
      // What was counted as dropped cannot arrive any more, so the last look is after the count.
      heard = flows.some((flow) => !isSilent(flow));
      must(monotonicMs() < giveUp, heard ? "connections under way go on" : "nothing is counted");
      if (!heard && !over) await pause(5);
    }
    if (!heard) return;
  }
}

async function dropped(driver: Driver): Promise<number> {
  return counted(driver, (one) => one.kind === "leaf" && one.cookie === DROP.cookie);
}

async function spoofed(driver: Driver): Promise<number> {
  return counted(driver, (one) => one.kind === "special" && one.name === "spoofed");
}

type Counter = Awaited<ReturnType<Driver["counters"]>>[number];

async function counted(driver: Driver, which: (one: Counter) => boolean): Promise<number> {
  const counters = await driver.counters();
  return counters.filter(which).reduce((sum, { packets }) => sum + packets, 0);
}

async function until(condition: () => Promise<boolean>, otherwise: string): Promise<void> {
  const end = monotonicMs() + PATIENCE_MS;
  while (!(await condition())) {
    must(monotonicMs() < end, otherwise);
    await pause(5);
  }
}

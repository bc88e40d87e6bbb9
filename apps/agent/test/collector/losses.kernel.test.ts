/** The collector at its limits and in bad luck: every packet that a rule logged comes out in a record or in a number. */
import { ICMP, ICMPV6 } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { startCollector } from "../../src/collector/index.ts";
import { sleep, until } from "../kernel/netns-lab.ts";
import {
  a,
  b,
  find,
  flood,
  GROUP,
  lab,
  logged,
  problems,
  python,
  readers,
  records,
  start,
  sum,
  useCollectorLab,
} from "./collector-lab.ts";

useCollectorLab();

describe("counting", () => {
  test("a burst of 50,000 flows comes out whole", async () => {
    const running = start();
    flood(50_000);
    await until("all of them", () => running.stats().delivered >= 50_000, 20_000);
    expect(logged()).toBe(50_000);
    expect(running.stats()).toMatchObject({
      received: 50_000,
      delivered: 50_000,
      lost: 0,
      overflowed: 0,
      malformed: 0,
      abandoned: 0,
      queueDepth: 0,
      alive: true,
      restarts: 0,
    });
    expect(sum("connections", { verdict: "forwarded", source: a.v4 })).toBe(50_000);
  });

  test("what a small buffer loses is counted to the packet", async () => {
    const running = start({ logBufferBytes: 150_000 });
    flood(30_000);
    await sleep(300);
    // A loss shows when the next message comes.
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("the last packet", () => find({ protocol: ICMP })[0]);
    const { received, lost, overruns, delivered } = running.stats();
    expect(lost).toBeGreaterThan(0);
    expect(overruns).toBeGreaterThan(0);
    expect(received + lost).toBe(logged());
    expect(delivered).toBe(received);
  });

  test("lost endings of connections are counted", async () => {
    const running = start({ eventBufferBytes: 4096 });
    flood(20_000);
    lab.run(lab.router, "conntrack", "-F");
    await until("every event, read or counted", () => {
      const { events, lost } = running.stats().connections;
      return events + lost >= 20_000;
    });
    const { events, lost } = running.stats().connections;
    expect(lost).toBeGreaterThan(0);
    expect(events + lost).toBe(20_000);
  });

  test("a scanner fills its share only; the rest is counted, and others are still seen", async () => {
    const running = start({
      maxKeys: 256,
      windowMs: 1000,
      endpoints: [[a.v4], [b.v4, b.v6], [a.v6]],
    });
    // Every packet to a port of its own: 20,000 keys.
    python(
      a,
      `import socket\nu=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor p in range(10000,30000): u.sendto(b"",("${b.v4}",p))`,
    );
    lab.run(a.netns, "ping", "-c", "1", b.v6);
    await until("the quiet source", () => find({ source: a.v6, protocol: ICMPV6 })[0]);
    const stats = await until("everything accounted for", () => {
      const now = running.stats();
      return now.queueDepth === 0 && now.received === logged() && now;
    });
    expect(stats.overflowed).toBeGreaterThan(10_000);
    expect(stats.lost).toBe(0);
    expect(stats.delivered + stats.overflowed).toBe(stats.received);
    expect(Math.max(...windowSizes())).toBeLessThanOrEqual(256);
  });

  test("messages of others in the group are told apart", async () => {
    lab.load(
      lab.router,
      `insert rule inet bulkhead_test forward icmp type echo-request log prefix "someone else" group ${GROUP}\n`,
    );
    const running = start();
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("ours", () => find({ protocol: ICMP })[0]);
    expect(running.stats()).toMatchObject({ foreign: 1, received: logged(), lost: 0 });
  });
});

/** Records with the same window, by their start falling into the same second. */
function windowSizes(): number[] {
  const sizes = new Map<number, number>();
  for (const { end } of records)
    sizes.set(Math.floor(end / 1000), (sizes.get(Math.floor(end / 1000)) ?? 0) + 1);
  // A second may hold the end of one window and the start of the next.
  return [...sizes.values()].map((size) => Math.ceil(size / 2));
}

describe("bad luck", () => {
  test("a reader that dies is replaced, and nothing the kernel holds is lost", async () => {
    const running = start();
    await until("a living reader", () => running.stats().alive);
    await readers[0]!.terminate();
    expect(running.stats().alive).toBe(false);
    flood(5000);
    await until("the next reader to catch up", () => running.stats().received >= 5000);
    await until("delivery", () => running.stats().queueDepth === 0);
    expect(running.stats()).toMatchObject({
      restarts: 1,
      lost: 0,
      delivered: 5000,
      abandoned: 0,
      alive: true,
    });
    expect(sum("connections", { source: a.v4, verdict: "forwarded" })).toBe(5000);
  });

  test("what dies with a reader is counted as abandoned", async () => {
    const running = start({ windowMs: 1000 });
    await until("a living reader", () => running.stats().alive);
    flood(1000);
    await until("everything read", () => running.stats().received === 1000);
    await readers[0]!.terminate();
    await until("a new reader", () => readers.length === 2 && running.stats().alive);
    const { received, delivered, abandoned, queueDepth } = running.stats();
    expect(queueDepth).toBe(0);
    expect(delivered + abandoned).toBe(received);
  });

  test("records that are refused are counted and told", async () => {
    const running = start({
      onFlows: () => {
        throw new Error("disk full");
      },
    });
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("the refusal", () => problems.some((problem) => problem.includes("disk full")));
    await until("the count", () => running.stats().abandoned === 1);
    expect(running.stats()).toMatchObject({ received: 1, delivered: 0, queueDepth: 0 });
  });

  test("a slow taker holds windows back; nothing is lost and memory stays bounded", async () => {
    let free: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (free = resolve));
    let taken = 0;
    const running = start({
      windowMs: 20,
      onFlows: async (batch) => {
        await gate;
        for (const record of batch) taken += record.connections;
      },
    });
    // Far more windows than may be under way.
    python(
      a,
      `import socket,time\nu=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor p in range(10000,10300): u.sendto(b"",("${b.v4}",p)); time.sleep(0.003)`,
    );
    await until("everything read", () => running.stats().received === 300);
    expect(running.stats()).toMatchObject({ delivered: 0, queueDepth: 300, lost: 0 });
    free();
    await until("everything delivered", () => running.stats().delivered === 300);
    expect(taken).toBe(300);
  });

  test("a second agent is refused with a sentence that says why", () => {
    start();
    expect(() =>
      startCollector({ group: GROUP, netns: lab.routerPath, onFlows: () => undefined }),
    ).toThrow(/second agent/);
  });

  test("after stop the group is free again", async () => {
    await start().stop();
    start();
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    const found = await until("the packet", () => find({ protocol: ICMP })[0]);
    expect(found).toMatchObject({ source: a.v4, destination: b.v4 });
  });

  test("what was read is delivered before stop returns", async () => {
    const running = start({ windowMs: 1000 });
    flood(2000);
    await until("all of it is read", () => running.stats().received >= 2000);
    await running.stop();
    expect(running.stats()).toMatchObject({ received: 2000, delivered: 2000, queueDepth: 0 });
    expect(sum("connections", { source: a.v4, verdict: "forwarded" })).toBe(2000);
  });

  test("the fault switch makes it deaf, and it says so", async () => {
    const running = start({ fault: "dead-collector" });
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await sleep(500);
    expect(running.stats()).toMatchObject({ alive: false, received: 0, fault: "dead-collector" });
    expect(records).toEqual([]);
  });
});

import fc from "fast-check";
import { TCP, UDP } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { ConnectionTable } from "../../src/collector/connection-table.ts";
import { emptyConnection, type Connection } from "../../src/collector/conntrack-message.ts";

const SINCE = 1_000_000;

function connection(
  part: Partial<Omit<Connection, "ends">> & { protocol?: number; sourcePort?: number },
): Connection {
  const { protocol = TCP, sourcePort = 40000, ...rest } = part;
  const empty = emptyConnection();
  return {
    ...empty,
    id: 1,
    start: SINCE + 1000,
    ...rest,
    ends: { ...empty.ends, protocol, sourcePort, port: 80, s0: 1, d0: 2 },
  };
}

/** Assesses and settles, as the reader does; the news, or null for none. */
function tell(table: ConnectionTable, seen: Connection, now = SINCE + 2000) {
  const any = table.assess(seen, now);
  const news = { ...table.news };
  table.settle(seen);
  return any ? news : null;
}

const table = (capacity = 100) => new ConnectionTable(capacity, SINCE, 5);

describe("after another collector", () => {
  const TOLD = SINCE - 10_000;
  const second = () => new ConnectionTable(100, SINCE, 5, TOLD);
  const known = { seenReply: true, assured: true, start: TOLD - 1, protocol: UDP };

  test("what it told of is no news, but what it carries from now on is", () => {
    const connections = second();
    expect(tell(connections, connection({ ...known, bytes: 100, packets: 1 }))).toBeNull();
    expect(tell(connections, connection({ ...known, bytes: 150, packets: 2 }))).toEqual({
      connections: 0,
      established: 0,
      failed: 0,
      bytes: 50,
      packets: 1,
    });
  });

  test("what began when nobody collected is news, and so is what nobody can date", () => {
    for (const start of [TOLD, SINCE - 1, 0])
      expect(tell(second(), connection({ ...known, start }))).toMatchObject({
        connections: 1,
        established: 1,
      });
  });

  test("an answer that came only now is news; a failure that was told is none", () => {
    const connections = second();
    const waiting = { protocol: UDP, start: TOLD - 1 };
    expect(tell(connections, connection(waiting), TOLD + 5000)).toBeNull();
    expect(tell(connections, connection({ ...waiting, seenReply: true }))).toMatchObject({
      connections: 0,
      established: 1,
    });
    const old = { protocol: UDP, start: TOLD - 20_000, sourcePort: 40_001 };
    expect(tell(connections, connection(old))).toBeNull();
  });
});

describe("outcomes", () => {
  test("a handshake is told once, and bytes by difference", () => {
    const connections = table();
    expect(
      tell(connections, connection({ assured: true, seenReply: true, bytes: 100, packets: 3 })),
    ).toEqual({ connections: 0, established: 1, failed: 0, bytes: 100, packets: 3 });
    expect(
      tell(connections, connection({ assured: true, seenReply: true, bytes: 100, packets: 3 })),
    ).toBeNull();
    expect(
      tell(connections, connection({ assured: true, seenReply: true, bytes: 250, packets: 5 })),
    ).toEqual({ connections: 0, established: 0, failed: 0, bytes: 150, packets: 2 });
    expect(
      tell(
        connections,
        connection({ assured: true, seenReply: true, bytes: 300, packets: 6, final: true }),
      ),
    ).toEqual({ connections: 0, established: 0, failed: 0, bytes: 50, packets: 1 });
    expect(connections.size).toBe(0);
  });

  test("one that ends before any dump is told whole by its end", () => {
    expect(
      tell(
        table(),
        connection({ assured: true, seenReply: true, bytes: 900, packets: 9, final: true }),
      ),
    ).toEqual({ connections: 0, established: 1, failed: 0, bytes: 900, packets: 9 });
  });

  test("an answer is not a handshake", () => {
    const connections = table();
    expect(
      tell(connections, connection({ seenReply: true, closed: true, bytes: 100, packets: 2 })),
    ).toMatchObject({ established: 0, failed: 1 });
    expect(
      tell(
        connections,
        connection({ seenReply: true, closed: true, bytes: 100, packets: 2, final: true }),
      ),
    ).toBeNull();
  });

  test("datagrams are established by an answer", () => {
    expect(tell(table(), connection({ protocol: UDP, seenReply: true, bytes: 1 }))).toMatchObject({
      established: 1,
      failed: 0,
    });
    expect(tell(table(), connection({ protocol: UDP, final: true, bytes: 1 }))).toMatchObject({
      established: 0,
      failed: 1,
    });
  });

  test("silence fails after ten seconds, and a late answer still counts", () => {
    const connections = table();
    const silent = connection({ protocol: UDP, bytes: 30, packets: 1 });
    expect(tell(connections, silent, silent.start + 9_000)).toMatchObject({ failed: 0 });
    expect(tell(connections, silent, silent.start + 10_001)).toMatchObject({ failed: 1 });
    expect(tell(connections, silent, silent.start + 12_000)).toBeNull();
    expect(tell(connections, { ...silent, seenReply: true }, silent.start + 13_000)).toMatchObject({
      established: 1,
      failed: 0,
    });
  });
});

describe("what was there before", () => {
  const earlier = { start: SINCE - 5000, assured: true, seenReply: true };

  test("is told once as existing, and its earlier bytes are not ours", () => {
    const connections = table();
    expect(tell(connections, connection({ ...earlier, bytes: 5000, packets: 50 }))).toEqual({
      connections: 1,
      established: 1,
      failed: 0,
      bytes: 0,
      packets: 0,
    });
    expect(tell(connections, connection({ ...earlier, bytes: 5100, packets: 51 }))).toMatchObject({
      connections: 0,
      bytes: 100,
      packets: 1,
    });
  });

  test("is not told again when it is over already, as after a restart of the agent", () => {
    const connections = table();
    expect(tell(connections, connection({ ...earlier, over: true, bytes: 5000 }))).toBeNull();
    expect(
      tell(connections, connection({ ...earlier, over: true, final: true, bytes: 5000 })),
    ).toBeNull();
  });

  test("is told as established when its handshake was under way", () => {
    const connections = table();
    expect(tell(connections, connection({ start: SINCE - 100 }))).toBeNull();
    expect(tell(connections, connection({ ...earlier, start: SINCE - 100 }))).toMatchObject({
      established: 1,
    });
  });

  test("says nothing when it ends before any dump", () => {
    expect(tell(table(), connection({ ...earlier, bytes: 5000, final: true }))).toBeNull();
  });

  test("without a start time counts as before", () => {
    expect(tell(table(), connection({ ...earlier, start: 0, bytes: 5000 }))).toMatchObject({
      connections: 1,
      bytes: 0,
    });
  });
});

describe("bounds", () => {
  test("one that finds no room is counted, and told whole by its end", () => {
    const connections = table(1);
    tell(connections, connection({ id: 1, sourcePort: 1, bytes: 1 }));
    expect(tell(connections, connection({ id: 2, sourcePort: 2, bytes: 70 }))).toBeNull();
    expect(connections.untracked).toBe(1);
    expect(
      tell(
        connections,
        connection({ id: 2, sourcePort: 2, bytes: 90, final: true, assured: true }),
      ),
    ).toMatchObject({ bytes: 90, established: 1 });
  });

  test("one that two dumps do not see is forgotten and counted", () => {
    const connections = table();
    tell(connections, connection({ bytes: 1 }));
    connections.endDump();
    connections.endDump();
    expect(connections.size).toBe(1);
    connections.endDump();
    expect([connections.size, connections.orphaned]).toEqual([0, 1]);
  });
});

test("whatever the order of dumps and ends, every byte and outcome is told exactly once", () => {
  const lives = fc.array(
    fc.record({
      steps: fc.array(fc.nat(1000), { maxLength: 5 }),
      established: fc.boolean(),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(lives, fc.integer({ min: 1, max: 20 }), (list, capacity) => {
      const connections = table(capacity);
      let [bytes, established, failed] = [0, 0, 0];
      const count = (seen: Connection): void => {
        const news = tell(connections, seen);
        bytes += news?.bytes ?? 0;
        established += news?.established ?? 0;
        failed += news?.failed ?? 0;
      };
      const totals = list.map(() => 0);
      for (let step = 0; step < 5; step++) {
        list.forEach(({ steps, established: ok }, id) => {
          // A live connection is in every dump, whether it moved or not.
          if (steps.length === 0) return;
          totals[id]! += steps[step] ?? 0;
          count(connection({ id, sourcePort: id, bytes: totals[id]!, assured: ok, seenReply: ok }));
        });
        connections.endDump();
      }
      list.forEach(({ established: ok }, id) =>
        count(
          connection({
            id,
            sourcePort: id,
            bytes: totals[id]!,
            assured: ok,
            seenReply: ok,
            final: true,
          }),
        ),
      );
      expect(bytes).toBe(totals.reduce((sum, total) => sum + total, 0));
      expect(established).toBe(list.filter(({ established: ok }) => ok).length);
      expect(failed).toBe(list.filter(({ established: ok }) => !ok).length);
    }),
  );
});

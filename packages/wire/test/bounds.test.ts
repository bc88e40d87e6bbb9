/** What an agent tells has bounds, and nothing in it steers a terminal: the rest of a message stands, and what is refused is told. */
import { describe, expect, it } from "vitest";
import {
  agentLinkService,
  boundMessage,
  longestOf,
  type AgentMessage,
  type ExpectedHere,
  type FoundDependency,
  type FoundSchedule,
} from "../src/index.ts";

const { requestSerialize, requestDeserialize } = agentLinkService.connect;

const job: FoundSchedule = {
  name: "cron /etc/crontab line 1",
  kind: "cron",
  expression: "0 3 * * *",
};
const database: FoundDependency = {
  owner: { kind: "unit", cgroup: "/system.slice/app.service" },
  host: "db.example",
  place: "environment DATABASE_HOST",
};

const expected = (parts: Partial<ExpectedHere>): AgentMessage => ({
  kind: "expected",
  timeZone: "UTC",
  schedules: [],
  dependencies: [],
  problems: [],
  ...parts,
});

const endpoint = {
  kind: "container",
  name: "web",
  containerLabels: {},
  interface: "veth1",
  ifindex: 4,
  mac: "02:00:00:00:00:01",
  addresses: ["10.0.0.2"],
  netnsPath: "/proc/12/ns/net",
  listeners: [],
} as const;

const discovered = (
  parts: Partial<Extract<AgentMessage, { kind: "discovered" }>>,
): AgentMessage => ({
  kind: "discovered",
  endpoints: [],
  ports: [],
  hostAddresses: [],
  sessions: [],
  hostListeners: [],
  relays: [],
  unread: [],
  processes: [],
  ...parts,
});

describe("what is expected", () => {
  it("stands as it is within its bounds, as the same object", () => {
    const message = expected({ schedules: [job], dependencies: [database], problems: ["a b"] });
    const heard = boundMessage(message);
    expect(heard.refused).toEqual([]);
    expect(heard.message).toBe(message);
  });

  it.each([
    ["an escape", "\u001b[2Jgone"],
    ["a line break", "one\ntwo"],
    ["NUL", "a\0b"],
    ["C1", "a\u009bb"],
    ["an override of direction", "a\u202egpj"],
    ["an isolate", "a\u2066b"],
    ["a line separator", "a\u2028b"],
    ["a mark that is not seen", "a\ufeffb"],
  ])("loses the schedule and the destination with %s, and no other", (_, text) => {
    const { message, refused } = boundMessage(
      expected({
        schedules: [{ ...job, name: text }, job, { ...job, expression: text }],
        dependencies: [{ ...database, host: text }, database],
        problems: [text],
      }),
    );
    expect(message).toMatchObject({ schedules: [job], dependencies: [database] });
    expect(refused).toEqual([
      { place: "expected.schedules.name", why: "control characters", count: 1 },
      { place: "expected.schedules.expression", why: "control characters", count: 1 },
      { place: "expected.dependencies.host", why: "control characters", count: 1 },
      { place: "expected.problems", why: "control characters", count: 1 },
    ]);
    // What people read is shown with the sign in its place.
    expect((message as ExpectedHere).problems[0]).toMatch(
      /^[^\p{Cc}\p{Cf}\u2028]*\ufffd[^\p{Cc}\p{Cf}\u2028]*$/u,
    );
  });

  it("keeps so many and counts the others", () => {
    const { message, refused } = boundMessage(
      expected({
        schedules: Array.from({ length: 5003 }, () => job),
        problems: Array.from({ length: 201 }, () => "x"),
      }),
    );
    expect((message as ExpectedHere).schedules).toHaveLength(5000);
    expect((message as ExpectedHere).problems).toHaveLength(200);
    expect(refused).toEqual([
      { place: "expected.schedules", why: "number", count: 3 },
      { place: "expected.problems", why: "number", count: 1 },
    ]);
  });

  it("loses what is too long for what it is", () => {
    const { message, refused } = boundMessage(
      expected({
        schedules: [
          { ...job, name: "x".repeat(1025) },
          { ...job, name: "x".repeat(1024) },
        ],
        problems: ["y".repeat(5000)],
      }),
    );
    expect((message as ExpectedHere).schedules).toHaveLength(1);
    expect((message as ExpectedHere).problems[0]).toBe(`${"y".repeat(1023)}…`);
    expect(refused.map(({ place, why }) => `${place} ${why}`)).toEqual([
      "expected.schedules.name length",
      "expected.problems length",
    ]);
  });

  it("is not even decoded where it is too long as a whole", () => {
    const place = "p".repeat(longestOf("expected"));
    const told = requestDeserialize(
      requestSerialize(expected({ dependencies: [{ ...database, place }] })),
    );
    expect(told).toMatchObject({ kind: "unreadable", told: "expected", why: "length" });
    expect(boundMessage(told)).toEqual({
      refused: [{ place: "expected", why: "length", count: 1 }],
    });
  });

  it("does not hide behind what it begins with", () => {
    const small = requestSerialize({ kind: "rendered", id: "r", ruleset: "" });
    const place = "p".repeat(longestOf("expected"));
    const large = requestSerialize(expected({ dependencies: [{ ...database, place }] }));
    expect(requestDeserialize(Buffer.concat([small, large]))).toMatchObject({ why: "length" });
    expect(requestDeserialize(Buffer.concat([large, small]))).toMatchObject({ why: "length" });
  });
});

describe("other messages", () => {
  it("keep whom a policy goes by, whatever its name is", () => {
    const { message, refused } = boundMessage(
      discovered({
        endpoints: [{ ...endpoint, name: "a\u001bb", interface: "v\u202e1" }],
        processes: [
          {
            cgroup: "/system.slice/odd\n.service",
            form: "service",
            unit: "odd\n.service",
            sockets: [],
          },
        ],
        unread: [{ interface: "v\u001b2", ifindex: 3 }],
      }),
    );
    expect(message).toMatchObject({
      endpoints: [{ name: "a\ufffdb", interface: "v\u202e1" }],
      processes: [{ cgroup: "/system.slice/odd\n.service" }],
      unread: [{ interface: "v\u001b2" }],
    });
    expect(refused.map(({ place }) => place)).toEqual(["discovered.endpoints.name"]);
  });

  it("lose labels that steer, and keep those of several lines", () => {
    const containerLabels = { app: "web", about: "one\n\ttwo", "a\u001b": "x", tail: "\u202ex" };
    const { message } = boundMessage(discovered({ endpoints: [{ ...endpoint, containerLabels }] }));
    expect(message).toMatchObject({
      endpoints: [{ containerLabels: { app: "web", about: "one\n\ttwo", tail: "\ufffdx" } }],
    });
    expect(JSON.stringify(message)).not.toContain("\\u001b");
  });

  it("keep the label that whoever runs a container gave it, however many its image has", () => {
    const ofImage = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`a${at}`, "x"]));
    const containerLabels = { ...ofImage, trust: "none" };
    const { message, refused } = boundMessage(
      discovered({ endpoints: [{ ...endpoint, containerLabels }] }),
    );
    expect(message).toMatchObject({ endpoints: [{ containerLabels: { trust: "none" } }] });
    expect(refused).toEqual([]);
  });

  it("lose names of a flow, and not the flow", () => {
    const record = {
      start: 1,
      end: 2,
      source: "10.0.0.1",
      destination: "10.0.0.2",
      protocol: 6,
      port: 80,
      sourcePort: 4000,
      verdict: "forwarded",
      connections: 1,
      established: 1,
      failed: 0,
      bytes: 1,
      packets: 1,
    } as const;
    const odd = {
      ...record,
      sourceProcess: { name: "sh\u001b[31m", pid: 3 },
      destinationNames: ["good.example", "bad\u202e.example"],
    };
    const collector = { alive: true, received: 1, delivered: 1, lost: 0, queueDepth: 0 };
    const { message, refused } = boundMessage({
      kind: "flows",
      sequence: 1,
      records: [record, odd],
      collector,
    });
    expect(message).toMatchObject({
      records: [
        record,
        { ...record, sourceProcess: { name: "sh\ufffd[31m" }, destinationNames: ["good.example"] },
      ],
    });
    expect(refused.map(({ place }) => place)).toEqual([
      "flows.records.sourceProcess.name",
      "flows.records.destinationNames",
    ]);
  });

  it("keep the lines of what has lines", () => {
    const ruleset = "table inet bulkhead {\n\tchain a { }\n}\n";
    expect(boundMessage({ kind: "rendered", id: "r", ruleset })).toEqual({
      message: { kind: "rendered", id: "r", ruleset },
      refused: [],
    });
    const error = "Error: no\nsuch \u001b[1mfile";
    const applied = { kind: "applied", sequence: 1, revision: 1, differences: [], error } as const;
    expect(boundMessage(applied).message).toMatchObject({ error: "Error: no\nsuch \ufffd[1mfile" });
  });

  it("are refused whole where they themselves bear it", () => {
    const gone = { kind: "units", id: "u\u001b", units: [] } as const;
    expect(boundMessage(gone)).toEqual({
      refused: [{ place: "units.id", why: "control characters", count: 1 }],
    });
  });

  it("have counters by names as long as names are", () => {
    const collector = { alive: true, received: 1, delivered: 1, lost: 0, queueDepth: 0 };
    const counters = { live: 3, ["n".repeat(256)]: 1, "\u001b": 2 };
    const said = {
      kind: "health",
      at: 1,
      collector,
      capacity: 1,
      counters,
      undecided: [],
    } as const;
    const { message, refused } = boundMessage(said);
    expect(message).toMatchObject({ counters: { live: 3 } });
    expect(refused.map(({ why }) => why).toSorted()).toEqual(["control characters", "length"]);
  });
});

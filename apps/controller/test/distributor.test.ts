/** The distributor against an agent that answers as it is told: receipts are believed only when they are of what was sent. */
import { generateKeyPairSync, sign } from "node:crypto";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import type { Receipt } from "@bulkhead/model";
import type { AgentMessage, ControllerMessage } from "@bulkhead/wire";
import { AgentSession } from "../src/link/agent-session.ts";
import { Distributor, receiptFault } from "../src/policy/distributor.ts";
import { POLICY } from "./lab.ts";
import { NOW, shop } from "./fixtures.ts";

type Sent = Extract<ControllerMessage, { kind: "policy" }>;
const { privateKey } = generateKeyPairSync("ed25519");
const { reading, world } = shop([POLICY]);

let now: number;
let sent: Sent[];
let answer: (policy: Sent) => Partial<Extract<AgentMessage, { kind: "applied" }>>;
let session: AgentSession | undefined;
let distributor: Distributor;
let inForce: string[];
let kept: Extract<ControllerMessage, { kind: "keep" }>[];
let answersKeep: boolean;
let current: typeof world;

const receiptOf = (policy: Sent, more: Partial<Receipt> = {}): Receipt => ({
  revision: policy.revision,
  digest: policy.digest,
  driver: "nftables",
  readAt: now,
  entries: 1,
  signature: "",
  ...more,
});

beforeEach(() => {
  vi.useFakeTimers();
  now = NOW;
  sent = [];
  answersKeep = true;
  inForce = [];
  current = world;
  answer = (policy) => ({ receipt: receiptOf(policy) });
  const hello = {
    kind: "hello" as const,
    host: "box",
    boot: "b",
    pid: 1,
    version: "",
    driver: "nftables",
    publicKey: new Uint8Array(),
    sequence: 0,
    exemptions: { version: 1, list: [] },
  };
  kept = [];
  session = new AgentSession(hello, NOW, (message) => {
    if (message.kind === "keep") {
      kept.push(message);
      const { sequence } = message;
      if (answersKeep) queueMicrotask(() => session?.settle({ kind: "kept", sequence }));
    }
    if (message.kind !== "policy") return;
    sent.push(message);
    queueMicrotask(() =>
      session?.settle({
        kind: "applied",
        sequence: message.sequence,
        revision: message.revision,
        differences: [],
        ...answer(message),
      }),
    );
  });
  let sequence = 0;
  distributor = new Distributor(
    { revision: 0, set: shop([]).reading.set },
    {
      log: pino({ level: "silent" }),
      now: () => now,
      key: {
        publicKey: new Uint8Array(),
        sign: (text) => new Uint8Array(sign(null, Buffer.from(text), privateKey)),
      },
      session: () => session,
      world: () => current,
      nextSequence: () => Promise.resolve((sequence += 1)),
      onInForce: ({ digest }) => void inForce.push(digest),
      onChanging: () => undefined,
    },
  );
});
afterEach(async () => {
  await distributor.stop();
  vi.useRealTimers();
});

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const settled = promise.then(
    (value) => value,
    (error: unknown) => error,
  );
  await vi.runAllTimersAsync();
  return settled;
}

const intent = { revision: 1, set: reading.set };

describe("compile", () => {
  it("keeps what is as it was, and forgets all of it when something goes wrong", () => {
    const first = distributor.compile(intent);
    const again = distributor.compile({ ...intent, revision: 2 });
    expect(again.digest).toBe(first.digest);
    expect(again.result.policy.live).toBe(first.result.policy.live);

    const stages = intent.set.stages.map((stage) => ({ ...stage, onPass: stage.id }));
    const blocks = stages.flatMap((stage) => stage.blocks);
    const rules = blocks[0]!.rules.map((rule) => ({ ...rule, action: "pass" as const }));
    const circle = { ...stages[0]!, blocks: [{ ...blocks[0]!, rules }] };
    expect(() =>
      distributor.compile({ revision: 3, set: { ...intent.set, stages: [circle] } }),
    ).toThrow(RangeError);
    const after = distributor.compile(intent);
    expect(after.digest).toBe(first.digest);
    expect(after.result.policy.live).not.toBe(first.result.policy.live);
  });
});

describe("change", () => {
  it("ends when the receipt is of what was sent", async () => {
    expect(await outcome(distributor.change(intent))).toMatchObject({
      host: "box",
      receipt: { revision: 1 },
    });
    expect(sent).toMatchObject([{ sequence: 1, revision: 1 }]);
    expect(inForce).toEqual([sent[0]?.digest]);
    expect(distributor.wanted?.intent).toBe(intent);
  });

  it.each([
    ["is older than the request", { readAt: NOW - 5000 }, "stale"],
    ["has another digest", { digest: `sha256:${"0".repeat(64)}` }, "not of 1"],
    ["has another revision", { revision: 0 }, "not of 1"],
  ])("fails when the receipt %s", async (_, more, words) => {
    answer = (policy) => ({ receipt: receiptOf(policy, more) });
    const failure = await outcome(distributor.change(intent));
    expect(failure).toBeInstanceOf(ApiFailure);
    expect(failure).toMatchObject({
      code: "apply-failed",
      message: expect.stringContaining(words),
    });
    expect(inForce).toEqual([]);
  });

  it("fails with the kernel's own words, and tries again while the world changes", async () => {
    answer = () => ({ error: "no such interface" });
    expect(await outcome(distributor.change(intent))).toMatchObject({
      message: expect.stringContaining("no such interface"),
    });
    const before = sent.length;
    answer = (policy) => {
      if (sent.length < before + 3) {
        current = { ...world };
        return { error: "no such interface" };
      }
      return { receipt: receiptOf(policy) };
    };
    expect(await outcome(distributor.change(intent))).toMatchObject({ host: "box" });
  });

  it("fails when nobody answers, and when nobody is there", async () => {
    answer = () => {
      session?.disconnected();
      return {};
    };
    expect(await outcome(distributor.change(intent))).toMatchObject({ code: "agent-away" });
    session = undefined;
    expect(await outcome(distributor.change(intent))).toMatchObject({ code: "agent-away" });
  });
});

describe("by itself", () => {
  it("takes many changes of the world as one, and sends nothing that makes no difference", async () => {
    distributor.adopt(intent);
    for (let event = 0; event < 10; event += 1) distributor.refresh();
    await vi.runAllTimersAsync();
    expect(sent).toHaveLength(1);
    distributor.refresh();
    await vi.runAllTimersAsync();
    expect(sent).toHaveLength(1);
    distributor.agentConnected();
    await vi.runAllTimersAsync();
    expect(sent).toHaveLength(2);
  });

  it("says why the kernel does not hold it, and tries again until it does", async () => {
    answer = () => ({ error: "full" });
    distributor.adopt(intent);
    await vi.advanceTimersByTimeAsync(3000);
    expect(distributor.problem).toContain("full");
    answer = (policy) => ({ receipt: receiptOf(policy) });
    await vi.advanceTimersByTimeAsync(5000);
    expect(distributor.problem).toBeUndefined();
    expect(inForce).toHaveLength(1);
  });

  it("compiles again when something expires", async () => {
    const expires = new Date(NOW + 60_000).toISOString();
    const exception = `apiVersion: bulkhead.dev/v1\nkind: Exception\nmetadata: { name: repair, namespace: shop }\nspec: { from: app=evil, to: app=db, ports: [22/tcp], owner: ada, reason: repair, expires: "${expires}" }\n`;
    const { reading: timed, world: same } = shop([POLICY, { name: "e.yaml", text: exception }]);
    current = same;
    distributor.adopt({ revision: 2, set: timed.set });
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toHaveLength(1);
    now = NOW + 60_001;
    await vi.advanceTimersByTimeAsync(60_100);
    expect(sent).toHaveLength(2);
    expect(sent[1]?.digest).not.toBe(sent[0]?.digest);
  });
});

it("a receipt of the very moment is not stale", () => {
  const wanted = { revision: 1, digest: "d", sentAt: 5 };
  const receipt = {
    revision: 1,
    digest: "d",
    readAt: 5,
    driver: "nftables",
    entries: 0,
    signature: "",
  } as const;
  expect(receiptFault(receipt, wanted)).toBeUndefined();
  expect(receiptFault({ ...receipt, readAt: 4 }, wanted)).toContain("stale");
});

it("asks less and less often for what is refused, and at once when something changed", async () => {
  answer = () => ({ error: "no such interface" });
  distributor.adopt(intent);
  await vi.advanceTimersByTimeAsync(10_000);
  const first = sent.length;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(sent.length - first).toBeLessThan(16);
  answer = (policy) => ({ receipt: receiptOf(policy) });
  distributor.refresh();
  await vi.advanceTimersByTimeAsync(100);
  expect(inForce).toHaveLength(1);
  const settled = sent.length;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(sent).toHaveLength(settled);
});

describe("a trial", () => {
  it("is told to the agent, each time anew with what is left of it, until it is kept", async () => {
    await outcome(distributor.change(intent, undefined, 30_000));
    expect(sent.at(-1)).toMatchObject({ holdMs: 30_000 });
    now += 10_000;
    distributor.agentConnected();
    await vi.runAllTimersAsync();
    expect(sent.at(-1)).toMatchObject({ sequence: 2, holdMs: 20_000 });

    await outcome(distributor.keep(now + 60_000));
    await outcome(distributor.keep());
    expect(kept).toEqual([
      { kind: "keep", sequence: 2, holdMs: 60_000 },
      { kind: "keep", sequence: 2 },
    ]);
    distributor.agentConnected();
    await vi.runAllTimersAsync();
    expect(sent.at(-1)).not.toHaveProperty("holdMs");
  });

  it("is over for what is wanted without one, and goes on when the kernel refuses that", async () => {
    await outcome(distributor.change(intent, undefined, 30_000));
    answer = () => ({ error: "no room" });
    await outcome(distributor.change({ ...intent, revision: 2 }));
    answer = (policy) => ({ receipt: receiptOf(policy) });
    distributor.agentConnected();
    await vi.runAllTimersAsync();
    expect(sent.at(-1)).toMatchObject({ revision: 1, holdMs: 30_000 });
    distributor.adopt({ ...intent, revision: 3 });
    await vi.runAllTimersAsync();
    expect(sent.at(-1)).toMatchObject({ revision: 3 });
    expect(sent.at(-1)).not.toHaveProperty("holdMs");
  });

  it("that an agent does not answer for holds nobody up for ever", async () => {
    await outcome(distributor.change(intent, undefined, 30_000));
    answersKeep = false;
    expect(await outcome(distributor.keep())).toBe(undefined);
    session = undefined;
    expect(await outcome(distributor.keep())).toBe(undefined);
  });
});

/** The keeper against a driver that does as it is told: order, drift, repair, and what happens when it refuses. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DriftReport, HostPolicy } from "@bulkhead/model";
import { PolicyKeeper, type KeptDriver, type WentBack } from "../../src/state/policy-keeper.ts";
import { digestOf, type TrustedPolicy } from "../../src/state/trusted-policy.ts";

const EMPTY: HostPolicy = {
  revision: 0,
  endpoints: [],
  hostAddresses: [],
  live: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  shadow: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
};

function policy(sequence: number, host = `10.0.0.${sequence}`): TrustedPolicy {
  const body = { ...EMPTY, revision: sequence, hostAddresses: [host] };
  const digest = digestOf(body);
  return {
    policy: body,
    signed: {
      sequence,
      revision: sequence,
      digest,
      policy: new Uint8Array(),
      signature: new Uint8Array(),
    },
  };
}

class FakeKernel implements KeptDriver {
  readonly name = "nftables" as const;
  held: HostPolicy | null = null;
  wanted: HostPolicy | null = null;
  refuse: string | null = null;
  applies = 0;
  reads = 0;

  apply(wanted: HostPolicy) {
    this.applies += 1;
    if (this.refuse !== null) return Promise.reject(new Error(this.refuse));
    this.held = wanted;
    this.wanted = wanted;
    return Promise.resolve({
      revision: wanted.revision,
      digest: digestOf(wanted),
      driver: this.name,
      readAt: 1,
      entries: 1,
    });
  }

  reapply(wanted: HostPolicy) {
    return this.apply(wanted);
  }

  readBack() {
    this.reads += 1;
    const digest = this.held === null ? "sha256:none" : digestOf(this.held);
    const desiredDigest = this.wanted === null ? null : digestOf(this.wanted);
    return Promise.resolve({
      digest,
      desiredDigest,
      readAt: 2,
      entries: 1,
      differences: digest === desiredDigest ? [] : ["table missing"],
    });
  }
}

let kernel: FakeKernel;
let generation: number;
let now: number;
let drifts: DriftReport[];
let saved: number[];
let problems: string[];
let wentBack: WentBack[];
let ticks: number;
let keeper: PolicyKeeper;

beforeEach(() => {
  kernel = new FakeKernel();
  generation = 1;
  now = 0;
  ticks = 0;
  wentBack = [];
  drifts = [];
  saved = [];
  problems = [];
  keeper = new PolicyKeeper({
    driver: kernel,
    generation: () => generation,
    sign: (receipt) => ({ ...receipt, signature: "signed" }),
    save: ({ signed }) => void saved.push(signed.sequence),
    now: () => now,
    onDrift: (report) => void drifts.push(report),
    onProblem: (problem) => void problems.push(problem),
    onWentBack: (report) => void wentBack.push(report),
    ticks: () => ticks,
  });
});

describe("apply", () => {
  it("gives a signed receipt, and saves what took effect", async () => {
    const outcome = await keeper.apply(policy(1));
    expect(outcome).toMatchObject({
      kind: "applied",
      receipt: { revision: 1, digest: policy(1).signed.digest, signature: "signed" },
    });
    expect(saved).toEqual([1]);
    expect(keeper.wanted?.signed.sequence).toBe(1);
  });

  it("keeps the old one when the kernel refuses the new", async () => {
    await keeper.apply(policy(1));
    kernel.refuse = "full";
    expect(await keeper.apply(policy(2))).toEqual({ kind: "refused", error: "full" });
    expect([keeper.wanted?.signed.sequence, saved]).toEqual([1, [1]]);
  });

  it("applies only the newest of those that wait, and never goes back", async () => {
    const outcomes = await Promise.all([
      keeper.apply(policy(1)),
      keeper.apply(policy(2)),
      keeper.apply(policy(3)),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["superseded", "superseded", "applied"]);
    expect((await keeper.apply(policy(2))).kind).toBe("superseded");
    expect(kernel.applies).toBe(1);
  });

  it("hears all that came at once before it begins, each in a turn of its own", async () => {
    // As messages do that waited in the socket of a frozen process.
    const refused = keeper.apply(policy(1));
    const back = await new Promise<ReturnType<PolicyKeeper["apply"]>>((resolve) => {
      process.nextTick(() => void Promise.resolve().then(() => resolve(keeper.apply(policy(2)))));
    });
    expect([(await refused).kind, back.kind, kernel.applies]).toEqual(["superseded", "applied", 1]);
  });
});

describe("watch", () => {
  it("does nothing before the first policy", async () => {
    await keeper.watch();
    expect(kernel.reads).toBe(0);
  });

  it("reads the kernel a while after an apply, then only when its generation moved, or the last look is old", async () => {
    await keeper.apply(policy(1));
    await keeper.watch();
    expect(kernel.reads).toBe(0);
    now += 2000;
    await keeper.watch();
    await keeper.watch();
    expect(kernel.reads).toBe(1);
    generation += 1;
    await keeper.watch();
    expect(kernel.reads).toBe(2);
    now += 60_000;
    await keeper.watch();
    expect(kernel.reads).toBe(3);
    expect(drifts).toEqual([]);
  });

  it("repairs what it finds changed, and reports it once", async () => {
    await keeper.apply(policy(1));
    now += 2000;
    kernel.held = null;
    generation += 1;
    await keeper.watch();
    expect(drifts).toMatchObject([
      { repaired: true, revision: 1, actualDigest: "sha256:none", differences: ["table missing"] },
    ]);
    expect(kernel.held).not.toBeNull();
    generation += 1;
    await keeper.watch();
    expect(drifts).toHaveLength(1);
  });

  it("only reports when told so, with a receipt that tells the truth, and repairs when told otherwise", async () => {
    keeper.drift = "report";
    await keeper.apply(policy(1));
    now += 2000;
    kernel.held = null;
    for (let look = 0; look < 3; look += 1) {
      generation += 1;
      await keeper.watch();
    }
    expect(drifts).toMatchObject([{ repaired: false }]);
    expect(keeper.receipt?.digest).toBe("sha256:none");
    keeper.drift = "repair";
    await keeper.watch();
    expect(drifts).toMatchObject([{ repaired: false }, { repaired: true }]);
    expect(keeper.receipt?.digest).toBe(policy(1).signed.digest);
  });

  it("tells when the kernel cannot be repaired, and tries again", async () => {
    await keeper.apply(policy(1));
    now += 2000;
    kernel.held = null;
    kernel.refuse = "no room";
    generation += 1;
    await keeper.watch();
    expect(problems.join()).toContain("no room");
    kernel.refuse = null;
    await keeper.watch();
    expect(drifts).toMatchObject([{ repaired: true }]);
  });
});

describe("a policy on trial", () => {
  const inForce = () => [kernel.held?.revision, keeper.wanted?.signed.sequence, saved.at(-1)];
  beforeEach(async () => {
    await keeper.apply(policy(1));
    await keeper.apply(policy(2), 1000);
    ticks = 999;
    await keeper.watch();
  });

  it("is not saved, and goes back by itself when nobody keeps it in time", async () => {
    expect(inForce()).toEqual([2, 2, 1]);
    ticks = 1000;
    await keeper.watch();
    expect(inForce()).toEqual([1, 1, 1]);
    expect(wentBack).toEqual([{ sequence: 2, revision: 2, toRevision: 1 }]);
    expect(keeper.receipt).toMatchObject({ revision: 1 });
    ticks = 5000;
    await keeper.watch();
    expect(wentBack).toHaveLength(1);
    // What comes later is newer than what failed.
    expect(await keeper.apply(policy(3))).toMatchObject({ kind: "applied" });
    expect(await keeper.apply(policy(2))).toMatchObject({ kind: "superseded" });
  });

  it("stays once it is kept, and only then is the one to go back to", async () => {
    await keeper.keep(2);
    expect(inForce()).toEqual([2, 2, 2]);
    await keeper.apply(policy(3), 1000);
    ticks = 10_000;
    await keeper.watch();
    expect(inForce()).toEqual([2, 2, 2]);
    expect(wentBack).toEqual([{ sequence: 3, revision: 3, toRevision: 2 }]);
  });

  it("stays longer when told, and another one's keeping is not its own", async () => {
    await keeper.keep(2, 5000);
    await keeper.keep(1);
    ticks = 5998;
    await keeper.watch();
    expect(inForce()).toEqual([2, 2, 1]);
    ticks = 5999;
    await keeper.watch();
    expect(inForce()).toEqual([1, 1, 1]);
  });

  it("is tried to be taken back until the kernel takes the former", async () => {
    ticks = 1000;
    kernel.refuse = "no memory";
    await keeper.watch();
    expect(problems).toEqual(["the kernel could not be checked: no memory"]);
    expect(keeper.wanted?.signed.sequence).toBe(2);
    kernel.refuse = null;
    ticks = 1999;
    await keeper.watch();
    expect(keeper.wanted?.signed.sequence).toBe(2);
    ticks = 2000;
    await keeper.watch();
    expect(inForce()).toEqual([1, 1, 1]);
  });

  it("is replaced by one that is none", async () => {
    await keeper.apply(policy(3));
    ticks = 10_000;
    await keeper.watch();
    expect(inForce()).toEqual([3, 3, 3]);
    expect(wentBack).toEqual([]);
  });
});

it("keeps what is on trial when there is nothing to go back to", async () => {
  await keeper.apply(policy(1), 1000);
  ticks = 10_000;
  await keeper.watch();
  expect([keeper.wanted?.signed.sequence, saved, wentBack]).toEqual([1, [1], []]);
});

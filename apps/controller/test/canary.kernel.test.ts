/**
 * A rollout with the real controller, agent and kernel: a share of flows is cut and the rest audited, as `explain` says of
 * each; the share grows, is confirmed, reverted and brought back; probes and the reference agree with the kernel.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiFailure, ApplyAnswer, ProbeResultView, ProbeSummary } from "@bulkhead/api";
import { POLICY, TestLab, until } from "./lab.ts";

const PORTS = Array.from({ length: 12 }, (_, at) => 8000 + at);
const RESOURCES = ["Intent/shop/web-db", "Policy/shop/shut"];

let lab: TestLab;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432, ...PORTS]);
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory(), POLICY] });
});
afterAll(() => lab?.remove());

async function failing(promise: Promise<unknown>): Promise<ApiFailure> {
  return promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as ApiFailure,
  );
}

const enforce = (canary?: number, more: object = {}): Promise<ApplyAnswer> =>
  lab.client.call("apply", {
    files: [POLICY],
    mode: "enforce",
    ...(canary === undefined ? {} : { canary }),
    ...more,
  });

const explain = (port: number) =>
  lab.client.call("explain", {
    from: lab.address("evil"),
    to: lab.address("db"),
    port: `${port}/tcp`,
  });

/** Ports of the database that `explain` says are denied to evil. */
async function denied(): Promise<readonly number[]> {
  const found = await Promise.all(
    PORTS.map(async (port) => {
      const { verdict, paths } = await explain(port);
      expect(paths[0]?.decision.spared !== undefined).toBe(verdict === "allow");
      return verdict === "allow" ? [] : [port];
    }),
  );
  return found.flat();
}

/** What really is. Who should get through may try again on a busy machine. */
async function blocked(expected: readonly number[]): Promise<readonly number[]> {
  const found = await Promise.all(
    PORTS.map(async (port) => {
      for (let again = expected.includes(port) ? 1 : 20; again > 0; again -= 1)
        if ((await lab.reach("evil", "db", port)) === "connected") return [];
      return [port];
    }),
  );
  return found.flat();
}

const verdictAlarms = async (): Promise<readonly unknown[]> =>
  (await lab.client.call("status", {})).alarms.filter(({ kind }) => kind === "verdict");

describe("a rollout", () => {
  let first: readonly number[];

  it("holds for a share of flows, which `explain` tells apart as the kernel does", async () => {
    const applied = await enforce(5000);
    expect(applied).toMatchObject({
      mode: "enforce",
      changed: true,
      canary: { share: 5000, resources: RESOURCES },
    });
    expect(applied.receipts[0]?.matches).toBe(true);
    expect(applied.notices.join()).toContain("hold for 50% of flows");
    first = await denied();
    expect(await blocked(first)).toEqual(first);
    expect(await lab.reach("web", "db", 5432, 4, 5000)).toBe("connected");
    const status = await lab.client.call("status", {});
    expect(status.canary).toEqual({ share: 5000, resources: RESOURCES });
    expect(status.modes).toMatchObject({ enforce: 3 });
    const { revisions } = await lab.client.call("history", {});
    expect(revisions.map(({ canary }) => canary?.share)).toEqual([5000, undefined]);
    const plan = await lab.client.call("plan", { files: [POLICY] });
    expect(plan.canary).toEqual({ share: 5000, resources: RESOURCES });
  });

  it("audits whom it spares, and the reference finds nothing wrong, translated or not", async () => {
    const since = Date.now();
    await lab.sh(
      "host",
      `nft add table ip front
       nft add chain ip front pre '{ type nat hook prerouting priority -100; }'
       nft add rule ip front pre ip daddr 10.99.9.9 meta l4proto tcp dnat to ${lab.address("db")}:${PORTS[0]}`,
    );
    await lab.sh("evil", `ip route add 10.99.9.9 via ${lab.address("host")}`);
    // Of all these flows, which lead to one address and port, about half are spared.
    const knock = Array.from({ length: 16 }, (_, at) => 9000 + at);
    const script = `for (const port of ${JSON.stringify(knock)})
      require('node:net').connect(port, '10.99.9.9').on('error', () => {})
      setTimeout(() => process.exit(0), 500)`;
    const told = async (): Promise<boolean> => {
      await lab.sh("evil", `${process.execPath} -e "${script}"`);
      await Promise.all(PORTS.map((port) => lab.reach("evil", "db", port, 4, 200)));
      const { edges } = await lab.client.call("edges", { since });
      const seen = (port: number, verdict: string): boolean =>
        edges.some((edge) => edge.port === port && edge.verdict === verdict);
      return (
        PORTS.slice(1).every((port) =>
          first.includes(port)
            ? seen(port, "dropped") && !seen(port, "forwarded")
            : seen(port, "audit") && seen(port, "forwarded"),
        ) &&
        seen(PORTS[0] as number, "dropped") &&
        seen(PORTS[0] as number, "audit")
      );
    };
    await until(told, "not everything is told", 30_000);
    const { edges } = await lab.client.call("edges", { since, verdict: ["audit"] });
    expect(new Set(edges.map(({ rule }) => rule))).toEqual(new Set(["Policy/shop/shut#egress"]));
    expect(await verdictAlarms()).toEqual([]);
    await lab.sh("host", "nft delete table ip front");
  });

  it("proves by probes what holds already, and that the rest is spared", async () => {
    const results: ProbeResultView[] = [];
    let summary: ProbeSummary | undefined;
    for await (const event of lab.client.stream("probe", {})) {
      if (event.type === "result") results.push(event.result);
      if (event.type === "summary") summary = event.summary;
    }
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(summary?.proven).toBe(true);
    const spared = results.filter(({ probe }) => probe.spared === true);
    expect(spared).toHaveLength(summary?.spared ?? 0);
    for (const { probe, received } of spared)
      expect([probe.expected, received]).toEqual(["pass", true]);
  });

  it("grows, keeps whom it has, and goes back by itself unless confirmed", async () => {
    const { revision } = await enforce(9000, { confirmSeconds: 1 });
    await until(
      async () => (await lab.client.call("history", {})).current > revision,
      "it does not revert",
      30_000,
    );
    await lab.ready();
    expect((await lab.client.call("status", {})).canary?.share).toBe(5000);
    expect(await denied()).toEqual(first);
    await enforce(9000, { confirmSeconds: 60 });
    await lab.client.call("confirm", {});
    expect((await lab.client.call("status", {})).canary?.share).toBe(9000);
    const more = await denied();
    expect(more).toEqual(expect.arrayContaining([...first]));
    expect(await blocked(more)).toEqual(more);
  });

  it("outlives the controller, and comes back with its seed by a rollback", async () => {
    await lab.kill("controller");
    lab.startController();
    await lab.ready();
    expect((await lab.client.call("status", {})).canary?.share).toBe(9000);
    const { revisions } = await lab.client.call("history", {});
    const half = revisions.findLast(({ canary }) => canary?.share === 5000);
    await enforce();
    await lab.client.call("rollback", { revision: half?.revision ?? 0 });
    expect(await denied()).toEqual(first);
    expect(await blocked(first)).toEqual(first);
  });

  it("ends at all flows, and nothing of it is left", async () => {
    expect(await lab.ruleset()).toContain("jhash");
    const applied = await enforce();
    expect(applied.canary).toBeUndefined();
    expect(applied.resources.changed).toEqual(RESOURCES);
    expect(await denied()).toEqual(PORTS);
    expect(await blocked(PORTS)).toEqual(PORTS);
    expect(await lab.ruleset()).not.toMatch(/jhash|\bc[ei]_|_canary/);
    expect((await lab.client.call("status", {})).canary).toBeUndefined();
  });

  it("opens nothing that is enforced for all, unless it is forced", async () => {
    const edited = { ...POLICY, text: POLICY.text.replace("  ingress: []\n", "") };
    const before = await lab.ruleset();
    const request = { files: [edited], mode: "enforce" as const, canary: 1000 };
    const refused = await failing(lab.client.call("apply", request));
    expect(refused).toMatchObject({ code: "bad-request" });
    expect(refused.message).toContain("`Policy/shop/shut` is enforced for all flows");
    expect(await lab.ruleset()).toBe(before);
    // What stays as it is stays in force for all, whatever share is asked for.
    const same = await enforce(1000);
    expect(same).toMatchObject({ changed: false });
    expect(same.canary).toBeUndefined();
    const forced = { ...request, force: true, reason: "it was too strict" };
    const answer = await lab.client.call("apply", forced);
    expect(answer.canary).toEqual({ share: 1000, resources: ["Policy/shop/shut"] });
    expect(answer.notices.join()).toContain("would only audit 90% of them");
  });

  it("is refused for what only audits, and lifted by applying that", async () => {
    const refused = await failing(lab.client.call("apply", { files: [POLICY], canary: 1000 }));
    expect(refused).toMatchObject({ code: "bad-request" });
    const lifted = await lab.client.call("apply", { files: [POLICY] });
    expect(lifted).toMatchObject({ mode: "audit", changed: true });
    expect(lifted.canary).toBeUndefined();
    expect(await blocked([])).toEqual([]);
    expect(await verdictAlarms()).toEqual([]);
  });
});

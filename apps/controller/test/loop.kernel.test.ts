/** The main loop with the real controller, the real agent and the real kernel: observe, replay, audit, enforce, prove, undo. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiFailure, FlowFilter, ProbeEvent } from "@bulkhead/api";
import { SCTP } from "@bulkhead/model";
import { POLICY, TestLab, until } from "./lab.ts";
import { alertMetrics, panelQueries, RealPrometheus } from "./metrics/real-prometheus.ts";

const SIGNALLING = {
  name: "signalling.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db-signalling, namespace: shop }
spec: { from: app=web, to: app=db, ports: [2905/sctp] }
`,
};

let lab: TestLab;
let prometheus: RealPrometheus | undefined;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432, 22]);
  await lab.up({ env: { BULKHEAD_METRICS: "9464" } });
});
afterAll(async () => {
  await prometheus?.stop();
  await lab?.remove();
});

async function failing(promise: Promise<unknown>): Promise<ApiFailure> {
  return promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as ApiFailure,
  );
}

async function probe(): Promise<readonly ProbeEvent[]> {
  const events: ProbeEvent[] = [];
  for await (const event of lab.client.stream("probe", {})) events.push(event);
  return events;
}

describe("the loop", () => {
  it("finds the workloads before anybody names them", async () => {
    const { workloads } = await lab.client.call("workloads", {});
    expect(workloads.map((one) => [one.id, one.declared, one.attached, one.mode])).toEqual(
      ["db", "evil", "web"].map((name) => [
        `default/${lab.prefix}-${name}`,
        false,
        true,
        "observe",
      ]),
    );
  });

  it("takes names and labels from an Inventory", async () => {
    const applied = await lab.client.call("apply", {
      files: [lab.inventory()],
      author: "ada",
      reason: "who is who",
    });
    expect(applied).toMatchObject({ revision: 1, changed: true, mode: "audit" });
    expect(applied.receipts[0]).toMatchObject({
      revision: 1,
      digest: applied.digest,
      matches: true,
    });
    const { workloads } = await lab.client.call("workloads", {});
    expect(workloads.map((one) => one.id)).toEqual(["shop/db", "shop/evil", "shop/web"]);
    expect(workloads[0]).toMatchObject({ labels: { app: "db" }, declared: true, interface: "vdb" });
  });

  it("records flows under their names, over both families", async () => {
    for (const family of [4, 6] as const)
      expect(await lab.reach("web", "db", 5432, family)).toBe("connected");
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
    const seen = async () => {
      const { edges } = await lab.client.call("edges", { port: "5432/tcp" });
      return edges.map((edge) => [
        edge.source.name,
        edge.source.address,
        edge.destination.name,
        edge.verdict,
      ]);
    };
    await until(async () => (await seen()).length === 3, "the flows do not arrive");
    expect((await seen()).toSorted()).toEqual([
      ["shop/evil", lab.address("evil"), "shop/db", "forwarded"],
      ["shop/web", lab.address("web"), "shop/db", "forwarded"],
      ["shop/web", lab.address("web", 6), "shop/db", "forwarded"],
    ]);
  });

  it("exports what is on record, as bytes of a Parquet file", async () => {
    let total = 0;
    const pieces: Buffer[] = [];
    for await (const answer of lab.client.stream("exportFlows", { port: "5432/tcp" })) {
      if (answer.kind === "begin") {
        total = answer.bytes;
        expect(answer.rows).toBeGreaterThan(0);
      } else pieces.push(Buffer.from(answer.base64, "base64"));
    }
    const file = Buffer.concat(pieces);
    expect([file.length, file.toString("latin1", 0, 4)]).toEqual([total, "PAR1"]);
    expect(file.toString("latin1", file.length - 4)).toBe("PAR1");
  });

  it("streams flows as they come", async () => {
    const ended = new AbortController();
    const received: string[] = [];
    const following = (async () => {
      const stream = lab.client.stream(
        "flows",
        { follow: true, since: Date.now() },
        { signal: ended.signal },
      );
      for await (const flow of stream) received.push(`${flow.source.name} ${flow.port}`);
    })().catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    await lab.reach("web", "db", 22);
    await until(
      async () => received.includes("shop/web 22"),
      () => `received only ${received.join()}`,
    );
    ended.abort();
    await following;
    expect(received).toContain("shop/web 22");
  });

  it("finds flows by labels, addresses and ports, on record and as they come", async () => {
    const asked = async (filter: FlowFilter) =>
      (await lab.client.call("edges", filter)).edges
        .map((edge) => `${edge.source.name} ${edge.port}`)
        .toSorted();
    expect(
      await asked({ fromLabel: "app=web", toIp: "10.9.0.0/24", verdict: "FORWARDED" }),
    ).toEqual(["shop/web 22", "shop/web 5432"]);
    expect(await asked({ toLabel: "app=db", fromIp: "fd99::/64" })).toEqual(["shop/web 5432"]);
    expect(await asked({ fromLabel: "app in (evil,cron);app=nobody" })).toEqual(["shop/evil 5432"]);
    expect(await asked({ label: "!app", protocol: "tcp" })).toEqual([]);
    expect(await asked({ port: "1-100", protocol: "tcp" })).toEqual(["shop/web 22"]);

    const ended = new AbortController();
    const received: string[] = [];
    const following = (async () => {
      const filter = { follow: true, since: Date.now(), fromLabel: "app=evil", port: "5000-6000" };
      const stream = lab.client.stream("flows", filter, { signal: ended.signal });
      for await (const flow of stream) received.push(flow.source.name);
    })().catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    // The one that does not fit goes first.
    await lab.reach("web", "db", 5432);
    await lab.reach("evil", "db", 5432);
    await until(
      async () => received.length > 0,
      () => `received only ${received.join()}`,
    );
    ended.abort();
    await following;
    expect([...new Set(received)]).toEqual(["shop/evil"]);
  });

  it("says what a policy would cut, and changes nothing by that", async () => {
    const replay = await lab.client.call("replay", { files: [POLICY] });
    expect(
      replay.newlyDenied.map(({ edge }) => `${edge.source.name} ${edge.port}`).toSorted(),
    ).toEqual(["shop/evil 5432", "shop/web 22"]);
    // Who is affected, and single connections of theirs out of the store.
    const rows = replay.affected.map(({ change, source, destination, ports, samples }) => ({
      row: `${change} ${source.name} ${destination.name} ${ports.join()}`,
      sampled: samples.length > 0 && samples.every(({ source: { name } }) => name === source.name),
    }));
    expect(rows.toSorted((a, b) => (a.row < b.row ? -1 : 1))).toEqual([
      { row: "denied shop/evil shop/db 5432/tcp", sampled: true },
      { row: "denied shop/web shop/db 22/tcp", sampled: true },
    ]);
    const plan = await lab.client.call("plan", { files: [POLICY] });
    expect(plan.resources.added).toEqual(["Intent/shop/web-db", "Policy/shop/shut"]);
    expect(plan.capacity.fits).toBe(true);
    expect(plan.notices).toBeUndefined();
    const mistyped = POLICY.text.replace("from: app=web", "from: app=wbe");
    const { notices } = await lab.client.call("plan", { files: [{ ...POLICY, text: mistyped }] });
    expect(notices).toEqual([
      expect.stringContaining("is selected by `Intent/shop/web-db` (from)"),
    ]);
    expect((await lab.client.call("history", {})).current).toBe(1);
  });

  it("refuses bad policy whole, with every error", async () => {
    const text = `${POLICY.text}---\napiVersion: bulkhead.dev/v1\nkind: Polcy\nmetadata: { name: a }\n---\napiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata: { name: b }\nspec: { form: app=web, to: app=db }\n`;
    const failure = await failing(
      lab.client.call("apply", { files: [{ name: "bad.yaml", text }] }),
    );
    expect(failure.code).toBe("bad-policy");
    expect(failure.diagnostics.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["BH0101", "BH0102", "BH0103"]),
    );
    expect((await lab.client.call("history", {})).current).toBe(1);
  });

  it("refuses a change that breaks a test which the policy itself holds", async () => {
    const test = `---\napiVersion: bulkhead.dev/v1\nkind: PolicyTest\nmetadata: { name: basics, namespace: shop }\nspec:\n  tests:\n    - { from: web, to: db, port: 22/tcp, expect: allow }\n`;
    const failure = await failing(
      lab.client.call("apply", { files: [{ name: "policy.yaml", text: `${POLICY.text}${test}` }] }),
    );
    expect(failure.code).toBe("tests-failed");
    expect(failure.exitCode).toBe(1);
    expect(failure.message).toContain("policy.yaml:");
  });

  it("prints the exact ruleset without touching the kernel", async () => {
    const before = await lab.ruleset();
    const dry = await lab.client.call("apply", { files: [POLICY], mode: "enforce", dryRun: true });
    expect(dry.ruleset).toContain("table inet bulkhead");
    expect(dry.ruleset).toContain(lab.address("db"));
    expect(await lab.ruleset()).toBe(before);
  });

  it("drops nothing in audit, and reports what it would drop", async () => {
    const since = Date.now();
    const { capacity } = await lab.client.call("plan", { files: [POLICY], mode: "audit" });
    const { receipts } = await lab.client.call("apply", { files: [POLICY] });
    expect(receipts[0]?.entries).toBe(capacity.entries);
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
    await until(async () => {
      const { edges } = await lab.client.call("edges", { since, verdict: ["audit"] });
      return edges.some(
        (edge) => edge.source.name === "shop/evil" && edge.rule === "Policy/shop/shut#egress",
      );
    }, "the audit verdict does not arrive");
  });

  it("drops in enforce what no rule allows, and nothing else", async () => {
    const { capacity } = await lab.client.call("plan", { files: [POLICY] });
    const applied = await lab.client.call("apply", { files: [POLICY], mode: "enforce" });
    expect(applied.receipts[0]?.entries).toBe(capacity.entries);
    expect(applied.resources.changed).toEqual(["Intent/shop/web-db", "Policy/shop/shut"]);
    for (const outcomes of await Promise.all(
      ([4, 6] as const).map((family) =>
        Promise.all([
          lab.reach("evil", "db", 5432, family),
          lab.reach("web", "db", 22, family),
          lab.reach("web", "db", 5432, family),
        ]),
      ),
    ))
      expect(outcomes).toEqual(["blocked", "blocked", "connected"]);
    const status = await lab.client.call("status", {});
    expect(status.coverage).toMatchObject({
      workloads: 3,
      underPolicy: 3,
      enforced: 3,
      ratio: 1,
      enforcedRatio: 1,
    });
    expect(status.lostEvents).toBe(0);
  });

  it("says what it does not judge, and counts what it does not log", async () => {
    // Within two seconds the same is logged once.
    for (let time = 0; time < 3; time += 1) await lab.reach("evil", "db", 5432, 4, 200);
    let status = await lab.client.call("status", {});
    expect(status.profile).toEqual({ nodeExempt: true, hairpinExempt: true, default: "allow" });
    expect(status.agents[0]?.exemptions.list.join()).toContain("neighbour discovery");
    await until(
      async () => {
        status = await lab.client.call("status", {});
        return (status.agents[0]?.counters["live_suppressed"] ?? 0) > 0;
      },
      () => JSON.stringify(status.agents),
      20_000,
    );
  });

  it("names the rule that let a connection through", async () => {
    const ruled = async () => {
      const { edges } = await lab.client.call("edges", { to: ["shop/db"], port: "5432/tcp" });
      return edges
        .filter(({ verdict, source }) => verdict === "forwarded" && source.name === "shop/web")
        .map(({ rule }) => rule);
    };
    const rule = "Intent/shop/web-db#ingress/allow";
    await until(
      async () => (await ruled()).includes(rule),
      () => "no edge with its rule",
    );
    expect(await ruled()).toContain(rule);
  });

  it("counts how often each rule was hit, and knows when it last was", async () => {
    const hitsOf = async (name: string) => {
      const { policies, uncounted } = await lab.client.call("policies", {});
      expect(uncounted).toBeUndefined();
      const rules = policies.flatMap((policy) => policy.rules);
      const shut = policies.find((policy) => policy.name === "Policy/shop/shut");
      expect(shut).toMatchObject({ owner: null });
      expect(shut?.createdAt).toBeLessThanOrEqual(shut?.changedAt ?? 0);
      return rules.find(({ rule }) => rule === name);
    };
    const before = await hitsOf("Intent/shop/web-db#ingress/allow");
    // A connection in both directions, from handshake to end.
    expect(before?.allowed).toBeGreaterThan(5);
    const start = Date.now();
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
    const after = await hitsOf("Intent/shop/web-db#ingress/allow");
    expect(after?.allowed).toBeGreaterThan(before?.allowed ?? 0);
    expect(after?.lastHit).toBeGreaterThanOrEqual(start);
    expect((await hitsOf("Policy/shop/shut#egress"))?.denied).toBeGreaterThan(0);
  });

  it("changes nothing when the same is applied again", async () => {
    const again = await lab.client.call("apply", { files: [POLICY], mode: "enforce" });
    expect(again).toMatchObject({ changed: false, revision: 3 });
    expect(again.receipts[0]?.matches).toBe(true);
  });

  it("explains a deny down to the line, and its smallest change allows that flow", async () => {
    const denied = await lab.client.call("explain", { from: "web", to: "db", port: "22/tcp" });
    expect(denied).toMatchObject({ verdict: "drop", revision: 3, from: "shop/web", to: "shop/db" });
    expect(denied.paths[0]?.decision.egress.determinedBy).toMatchObject({
      kind: "isolation",
      source: { file: "policy.yaml", line: expect.any(Number) },
    });
    const change = denied.smallestChange;
    if (change === undefined) throw new Error("no change is proposed");
    const { name, text } = change;
    await lab.client.call("apply", { files: [{ name, text }], mode: "enforce" });
    expect(
      (await lab.client.call("explain", { from: "web", to: "db", port: "22/tcp" })).verdict,
    ).toBe("allow");
    expect(await lab.reach("web", "db", 22)).toBe("connected");
    expect(await lab.reach("evil", "db", 22)).toBe("blocked");
  });

  it("keeps what the files do not hold, unless asked to prune", async () => {
    const kept = await lab.client.call("apply", {
      files: [POLICY, lab.inventory()],
      mode: "enforce",
    });
    expect(kept.resources.kept).toEqual(["Intent/shop/allow-web-to-db-22-tcp"]);
    expect(await lab.reach("web", "db", 22)).toBe("connected");
    const pruned = await lab.client.call("apply", {
      files: [POLICY, lab.inventory()],
      mode: "enforce",
      prune: true,
    });
    expect(pruned.resources.removed).toEqual(["Intent/shop/allow-web-to-db-22-tcp"]);
    expect(await lab.reach("web", "db", 22)).toBe("blocked");
  });

  it("proves it with probes, SCTP as well, which leave no trace in what is learned from", async () => {
    const files = [POLICY, lab.inventory()];
    await lab.client.call("apply", { files: [...files, SIGNALLING], mode: "enforce" });
    const since = Date.now();
    const events = await probe();
    const summary = events.find((event) => event.type === "summary")?.summary;
    const bad = events.flatMap((event) =>
      event.type === "result" && event.result.outcome !== "passed" ? [event.result] : [],
    );
    expect(bad).toEqual([]);
    expect(summary).toMatchObject({ proven: true, failed: 0, skipped: 0 });
    expect(summary?.rules).toBeGreaterThanOrEqual(2);
    expect(summary?.boundaries).toBeGreaterThanOrEqual(4);
    const sctp = events.flatMap((event) =>
      event.type === "result" && event.result.probe.protocol === SCTP ? [event.result] : [],
    );
    // What is let through arrived, what is not did not, over both families.
    const seen = sctp.map(({ probe: { from, to, source, port }, sent, received }) =>
      [from, to, source.includes(":") ? 6 : 4, port, sent, received].join(" "),
    );
    expect(seen.toSorted()).toEqual([
      "shop/evil shop/db 4 2905 true false",
      "shop/evil shop/db 6 2905 true false",
      "shop/web shop/db 4 2905 true true",
      "shop/web shop/db 6 2905 true true",
    ]);
    await until(
      async () =>
        (await lab.client.call("edges", { since, probes: true, port: "2905/sctp" })).edges
          .length === 4,
      "the probes were not recorded as such",
    );
    // What began before may be told the end of only now.
    const { edges } = await lab.client.call("edges", { since });
    expect(edges.filter(({ connections }) => connections > 0)).toEqual([]);
    expect((await lab.client.call("status", {})).probe).toMatchObject({ proven: true });
    await lab.client.call("apply", { files, mode: "enforce", prune: true });
  });

  it("takes a single resource out of the kernel", async () => {
    const removed = await lab.client.call("delete", { resources: ["Policy/shop/shut"] });
    expect(removed.receipts[0]?.matches).toBe(true);
    expect(removed.permitted?.added.map(({ from }) => from)).toContain("shop/evil");
    expect((await lab.client.call("status", {})).modes).toMatchObject({ enforce: 2, observe: 1 });
    const { resources } = await lab.client.call("resources", {});
    expect(resources.map(({ name }) => name)).toEqual(["Intent/shop/web-db", "Inventory/shop/lab"]);
    expect(await lab.ruleset()).not.toContain(`${lab.address("evil")} : goto`);
  });

  it("goes back to an earlier revision as a new one", async () => {
    const unmeant = await failing(lab.client.call("rollback", { revision: 2, author: "ada" }));
    expect(unmeant.code).toBe("opens");
    expect(unmeant.message).toContain("`Intent/shop/web-db` only audits");
    expect(unmeant.message).toMatch(/newly allows .*shop\/evil/);
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    const back = await lab.client.call("rollback", { revision: 2, author: "ada", opens: true });
    expect(back).toMatchObject({ mode: "audit", changed: true });
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
    const { revisions, intact } = await lab.client.call("history", {});
    expect(revisions[0]).toMatchObject({ kind: "rollback", restores: 2, author: "ada" });
    expect(intact).toBe(true);
    await lab.client.call("rollback", { revision: 3 });
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    expect((await failing(lab.client.call("rollback", { revision: 99 }))).code).toBe(
      "unknown-revision",
    );
  });

  it("finds drift within five seconds and repairs it, or only reports it when told so", async () => {
    const drifts = async () => (await lab.client.call("drift", {})).reports;
    const before = (await drifts()).length;
    const at = Date.now();
    await lab.sh("host", "nft flush chain inet bulkhead forward");
    await until(async () => (await drifts()).length > before, "the drift is not found", 5000);
    expect((await drifts())[0]).toMatchObject({ repaired: true });
    expect(Date.now() - at).toBeLessThan(5000);
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");

    await lab.client.call("settings", { drift: "report" });
    await lab.sh("host", "nft flush chain inet bulkhead forward");
    await until(
      async () => (await drifts())[0]?.repaired === false,
      "the drift is not reported",
      5000,
    );
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
    await until(
      async () => (await lab.client.call("status", {})).state === "failing",
      "status is content with drift",
    );
    await lab.client.call("settings", { drift: "repair" });
    await until(
      async () => (await lab.reach("evil", "db", 5432)) === "blocked",
      "the drift is not repaired",
    );
  });

  it("leaves the verdicts of the kernel to the reference, which finds nothing wrong", async () => {
    const { alarms } = await lab.client.call("status", {});
    expect(alarms.filter((alarm) => alarm.kind === "verdict")).toEqual([]);
  });

  it("is measured, and a real Prometheus has every number that dashboards and alerts ask for", async () => {
    // What the loop cannot have by itself: a person's word, and a measurement that takes its time.
    const denied = { from: "shop/evil", to: "shop/db", port: "5432/tcp" };
    const reported = await lab.client.call("falseDeny", {
      ...denied,
      author: "ada",
      reason: "the report fails",
    });
    expect(reported).toMatchObject({ subject: "shop/evil → shop/db 5432/tcp", opened: true });
    await lab.client.call("latency", {
      at: Date.now(),
      exchange: { withRules: { p50: 20, p95: 31 }, without: { p50: 20, p95: 30 } },
      connect: { withRules: { p50: 60, p95: 80 }, without: { p50: 50, p95: 60 } },
      samples: 100,
      entries: 10,
    });
    const { measures, incidents } = await lab.client.call("slo", {});
    const known = Object.fromEntries(measures.map((one) => [one.id, one]));
    expect(measures.filter(({ value }) => value === null)).toEqual([]);
    expect(known["M1"]?.parts).toMatchObject({ workloads: 3, underPolicy: 3, enforced: 3 });
    expect(known["M2"]?.parts["denied"]).toBeGreaterThan(0);
    expect(known["M4"]?.parts).toMatchObject({ left: 1 });
    expect(known["M7"]?.parts["falselyDenied"]).toBeGreaterThan(0);
    expect(known["M8"]?.value).toBeLessThan(60);
    expect(incidents.find(({ kind, endedAt }) => kind === "drift" && !endedAt)).toBeUndefined();
    expect(incidents.filter(({ kind }) => kind === "drift").length).toBeGreaterThanOrEqual(2);

    prometheus = await RealPrometheus.start(lab.netns("host"), lab.state);
    const asked = [...panelQueries(), ...alertMetrics()];
    expect(asked.length).toBeGreaterThan(40);
    let empty: readonly string[] = asked;
    await until(
      async () => {
        empty = await prometheus!.withoutData(asked);
        return empty.length === 0;
      },
      () => `no data for:\n${empty.join("\n")}`,
      60_000,
    );
    expect(await prometheus.promtoolCheckMetrics()).toBe("");
    expect(await prometheus.unhealthyRules()).toEqual([]);
    const values = await prometheus.values("bulkhead_slo_target");
    expect(values.map(({ metric }) => metric["measure"]).toSorted()).toEqual(
      measures.map(({ id }) => id),
    );
    const coverage = await prometheus.values('bulkhead_slo_value{measure="M1"}');
    expect(coverage[0]?.value).toBe(known["M1"]?.value);

    // Nothing of it is forgotten with the process.
    const before = await prometheus.values("bulkhead_policy_installs_total");
    await lab.kill("controller", "SIGTERM");
    lab.startController();
    await lab.ready();
    const after = await lab.client.call("slo", {});
    const attempts = (list: typeof measures): number =>
      list.find(({ id }) => id === "M6")?.parts["attempts"] ?? 0;
    expect(attempts(after.measures)).toBeGreaterThanOrEqual(
      before.reduce((sum, { value }) => sum + value, 0),
    );
    expect(after.incidents.some(({ kind, endedAt }) => kind === "false-deny" && !endedAt)).toBe(
      true,
    );
  });

  it("reads whom workloads are configured to call once that is allowed, and no secret goes anywhere", async () => {
    const secret = "hunter2-in-the-loop";
    const child = spawn("nsenter", [`--net=${lab.netns("web")}`, "sleep", "600"], {
      env: {
        PATH: process.env["PATH"],
        DATABASE_URL: `postgres://app:${secret}@db:6432/shop`,
        DB_PASSWORD: secret,
      },
      stdio: "ignore",
    });
    const configured = async () =>
      (await lab.client.call("assess", {})).dependencies?.map(
        ({ workload, host, port, place }) => `${workload} → ${host}:${port}, ${place}`,
      ) ?? [];
    try {
      expect(await configured()).toEqual([]);
      await lab.client.call("settings", { readConfiguration: ["environment"] });
      const wanted = "shop/web → db:6432, environment DATABASE_URL";
      await until(async () => (await configured()).includes(wanted), "it is not told of");
      const answers = [
        await lab.client.call("assess", {}),
        await lab.client.call("readiness", { level: "workload" }),
        await lab.client.call("status", {}),
      ];
      const files = readdirSync(lab.state, { recursive: true, withFileTypes: true });
      const kept = files
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
      expect(
        [JSON.stringify(answers), lab.agentLog, lab.controllerLog, ...kept].join(),
      ).not.toContain(secret);
      await lab.client.call("settings", { readConfiguration: [] });
      await until(async () => (await configured()).length === 0, "it is told of still");
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("tells ports that a rule permits and nothing used, and proposes nothing while it still learns", async () => {
    const text = POLICY.text.replace("[5432/tcp]", "[5432-5433/tcp]");
    await lab.client.call("apply", { files: [{ ...POLICY, text }], mode: "enforce" });
    const broad = Date.now();
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
    let answer = await lab.client.call("policies", { broad });
    await until(
      async () => {
        answer = await lab.client.call("policies", { broad });
        return (answer.broad?.rules.length ?? 0) > 0;
      },
      () => JSON.stringify(answer),
      30_000,
    );
    expect(answer.broad).toMatchObject({ since: broad, patch: "" });
    expect(answer.broad?.rules).toMatchObject([
      { place: "policy.yaml:5:3", permits: "5432-5433/tcp", used: "5432/tcp", slack: 1 },
    ]);
    expect(answer.broad?.rules[0]?.tooEarly).toMatch(/^learning: shop\//);
    await lab.client.call("apply", { files: [POLICY], mode: "enforce" });
  });

  it("refuses a second agent and a second controller, and both go on", async () => {
    const [agent, controller] = await Promise.all([lab.runApp("agent"), lab.runApp("controller")]);
    expect(agent.code).toBe(3);
    expect(agent.said).toContain("already guards this network namespace");
    expect(controller.code).toBe(3);
    expect(controller.said).toContain("another controller uses");
    expect((await lab.ready()).agents[0]?.connected).toBe(true);
  });

  it("ends without lifting anything, and takes everything out only when asked", async () => {
    await lab.kill("agent", "SIGTERM");
    await lab.kill("controller", "SIGTERM");
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    expect((await lab.runApp("agent", ["--remove"])).code).toBe(0);
    expect(await lab.ruleset()).not.toContain("bulkhead");
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
  });
});

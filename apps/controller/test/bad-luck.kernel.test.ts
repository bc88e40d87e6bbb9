/** Bad luck with the real processes: killed at any step, cut off, lied to, out of disk. The old enforcement stays, and nothing accepted is lost. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiFailure } from "@bulkhead/api";
import { POLICY, TestLab, until } from "./lab.ts";

const run = promisify(execFile);
let lab: TestLab;

async function failing(promise: Promise<unknown>): Promise<ApiFailure> {
  return promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as ApiFailure,
  );
}

const enforce = (more: object = {}) =>
  lab.client.call("apply", { files: [lab.inventory(), POLICY], mode: "enforce", ...more });

describe("with a running lab", () => {
  beforeEach(async () => {
    lab = await TestLab.create();
    await lab.serve("db", [5432]);
    await lab.up();
  });
  afterEach(() => lab?.remove());

  it("goes on enforcing while both are dead, and comes back to the same", async () => {
    await enforce();
    await lab.kill("controller");
    await lab.kill("agent");
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
    // Somebody uses the hour; the agent alone, without its controller, puts it right.
    await lab.sh("host", "nft delete table inet bulkhead");
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
    lab.startAgent();
    await until(
      async () => (await lab.reach("evil", "db", 5432, 4, 300)) === "blocked",
      () => `not enforced from disk\n${lab.agentLog}`,
    );
    lab.startController();
    expect(await lab.ready()).toMatchObject({ revision: 1, mode: "enforce" });
  });

  it("does not believe a policy on disk that somebody changed", async () => {
    await enforce();
    await lab.kill("controller");
    await lab.kill("agent");
    const path = join(lab.state, "agent", "policy.json");
    const stored = JSON.parse(await lab.sh("host", `cat ${path}`)) as { policy: string };
    writeFileSync(
      path,
      JSON.stringify({ ...stored, policy: stored.policy.replaceAll('"drop"', '"allow"') }),
    );
    lab.startAgent();
    await until(
      async () => lab.agentLog.includes("the policy on disk is not used"),
      () => lab.agentLog,
    );
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  });

  it("loses no accepted change and never lifts enforcement, whenever a process is killed", async () => {
    await enforce();
    let accepted = 1;
    for (let round = 0; round < 8; round += 1) {
      const extra = {
        name: "extra.yaml",
        text: `apiVersion: bulkhead.dev/v1\nkind: NetworkSet\nmetadata: { name: round-${round}, namespace: shop }\nspec: { cidrs: [192.0.2.${round}/32] }\n`,
      };
      const which = round % 2 === 0 ? "controller" : "agent";
      const applying = lab.client.call("apply", { files: [extra], reason: `round ${round}` }).then(
        ({ revision }) => revision,
        () => 0,
      );
      await sleep(30 * round);
      await lab.kill(which);
      expect(await lab.reach("evil", "db", 5432, 4, 250)).toBe("blocked");
      accepted = Math.max(accepted, await applying);
      if (which === "controller") lab.startController();
      else lab.startAgent();
      const status = await lab.ready();
      expect(status.revision).toBeGreaterThanOrEqual(accepted);
      expect((await lab.client.call("history", {})).intact).toBe(true);
    }
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
  });

  it("stores flows once, also those seen while the controller was dead", async () => {
    await lab.client.call("apply", { files: [lab.inventory()] });
    await lab.reach("web", "db", 5432);
    const count = async () => {
      const { edges } = await lab.client.call("edges", { from: ["shop/web"] });
      return edges.reduce((sum, edge) => sum + edge.connections, 0);
    };
    await until(async () => (await count()) === 1, "the first flow does not arrive");
    await sleep(500);
    await lab.kill("controller");
    for (let round = 0; round < 3; round += 1) await lab.reach("web", "db", 5432);
    await sleep(1200);
    lab.startController();
    await lab.ready();
    await until(
      async () => (await count()) >= 4,
      "flows seen while the controller was dead are lost",
    );
    await sleep(600);
    expect(await count()).toBe(4);
    expect((await lab.client.call("status", {})).lostEvents).toBe(0);
    // Both at once: what was told of is on disk, and is not told of again.
    await lab.kill("agent");
    await lab.kill("controller");
    lab.startController();
    lab.startAgent();
    await lab.ready();
    expect(await count()).toBe(4);
    await lab.reach("web", "db", 5432);
    await until(async () => (await count()) >= 5, "no flow arrives after both were killed");
    expect(await count()).toBe(5);
  });

  it("goes on when a workload vanishes and comes back in the middle of changes", async () => {
    await enforce();
    const vanishing = (async () => {
      await lab.detach("evil");
      await sleep(100);
      await lab.attach("evil");
    })();
    for (let round = 0; round < 4; round += 1) {
      const applied = await enforce({
        reason: `round ${round}`,
        files: [lab.inventory(), { ...POLICY, text: `${POLICY.text}# ${round}\n` }],
      });
      expect(applied.receipts[0]?.matches).toBe(true);
    }
    await vanishing;
    await until(async () => {
      const { workloads } = await lab.client.call("workloads", {});
      return workloads.some(({ id, attached }) => id === "shop/evil" && attached);
    }, "the workload does not come back");
    await lab.ready();
    await until(
      async () => (await lab.reach("evil", "db", 5432, 4, 300)) === "blocked",
      "the workload came back unconfined",
      3000,
    );
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
  });

  it("takes no policy from a controller with another key, and says why", async () => {
    await enforce();
    await lab.kill("controller");
    rmSync(join(lab.state, "controller"), { recursive: true });
    lab.startController();
    await until(async () => {
      const problems = await lab.client.call("status", {}).then(
        (status) => status.problems,
        () => [],
      );
      return problems.join().includes("does not bear the signature");
    }, "it is not said why");
    expect((await failing(enforce())).message).toContain("controller.pub");
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
  });

  it("says that the agent is away, and changes nothing", async () => {
    await lab.client.call("apply", { files: [lab.inventory()] });
    await lab.kill("agent");
    await until(
      async () => (await lab.client.call("status", {})).agents.length === 0,
      "the loss of the agent is not noticed",
    );
    expect((await failing(enforce())).code).toBe("agent-away");
    const { revisions } = await lab.client.call("history", {});
    expect(revisions[0]?.resources.added ?? []).not.toContain("Policy/shop/shut");
    lab.startAgent();
    await lab.ready();
    expect(await lab.reach("evil", "db", 5432)).toBe("connected");
  });

  it("notices that its history was altered, and takes no change until somebody says so", async () => {
    await enforce();
    await lab.kill("controller");
    const database = new DatabaseSync(join(lab.state, "controller", "state.sqlite"));
    database.exec("DROP TRIGGER revisions_stay; UPDATE revisions SET author = 'nobody'");
    database.close();
    lab.startController();
    await lab.ready();
    expect(await lab.client.call("status", {})).toMatchObject({ state: "failing" });
    expect(await lab.client.call("history", {})).toMatchObject({ intact: false, brokenAt: 1 });
    const changed = { files: [{ ...POLICY, text: `${POLICY.text}# more\n` }] };
    expect((await failing(enforce(changed))).code).toBe("history-broken");
    expect(await enforce({ ...changed, force: true, reason: "known" })).toMatchObject({
      revision: 2,
    });
  });

  it("refuses to cut an SSH session unasked", async () => {
    // A process called sshd with an established connection is all that tells an SSH session.
    await lab.sh("db", `cp ${process.execPath} ${lab.state}/sshd`);
    const server = `require('node:net').createServer((s) => s.on('error', () => {}).on('data', () => {})).listen(2222, '0.0.0.0')`;
    const client = `require('node:net').connect(2222, '${lab.address("db")}').write('hello')`;
    const children = [
      execFile("nsenter", [`--net=${lab.netns("db")}`, join(lab.state, "sshd"), "-e", server]),
    ];
    try {
      await until(
        async () => (await lab.sh("db", "cat /proc/net/tcp")).includes(":08AE "),
        "sshd does not listen",
      );
      children.push(
        execFile("nsenter", [`--net=${lab.netns("evil")}`, process.execPath, "-e", client]),
      );
      await lab.client.call("apply", { files: [lab.inventory()] });
      await until(
        async () =>
          enforce({ dryRun: true }).then(
            () => false,
            () => true,
          ),
        "the session is not noticed",
      );
      const failure = await failing(enforce());
      expect(failure.code).toBe("lockout");
      expect(failure.message).toContain("ssh session");
      expect((await failing(enforce({ force: true }))).code).toBe("bad-request");
      expect((await enforce({ force: true, reason: "I know" })).notices.join()).toContain("forced");
    } finally {
      for (const child of children) child.kill("SIGKILL");
    }
  });
});

describe("with a liar for an agent", () => {
  afterEach(() => lab?.remove());

  it("refuses a stale receipt by name", async () => {
    lab = await TestLab.create();
    await lab.serve("db", [5432]);
    await lab.up({ env: { BULKHEAD_FAULT: "stale-receipt" } });
    const failure = await failing(enforce());
    expect(failure.code).toBe("apply-failed");
    expect(failure.message).toContain("its receipt is stale");
  });

  it("finds a driver that leaks by probing", async () => {
    lab = await TestLab.create();
    await lab.serve("db", [5432]);
    await lab.up({ env: { BULKHEAD_FAULT: "leaky-driver" } });
    const applied = await enforce();
    expect(applied.receipts[0]?.matches).toBe(true);
    const failed: string[] = [];
    for await (const event of lab.client.stream("probe", {})) {
      if (event.type === "result" && event.result.outcome === "failed") {
        const { from, to, port } = event.result.probe;
        failed.push(`${from} ${to} ${port}`);
      }
    }
    expect(failed).toContain("shop/evil shop/db 5432");
  });
});

describe("with a packet log that a burst overflows", () => {
  afterEach(() => lab?.remove());

  it("says with numbers that the kernel denied what nobody recorded, and where", async () => {
    lab = await TestLab.create();
    await lab.up({ env: { BULKHEAD_FAULT: "narrow-log" } });
    await enforce();
    const spots = async () =>
      (await lab.client.call("status", {})).alarms.filter(({ kind }) => kind === "blind-spot");
    const sums = async () => {
      const { policies } = await lab.client.call("policies", {});
      const rules = policies.flatMap((policy) => policy.rules);
      return rules.reduce((sum, { denied }) => sum + denied, 0);
    };
    // Another port each: none of them is like one that was told before.
    const burst = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 20001): s.sendto(b"x", ("${lab.address("db")}", port))`;
    await until(
      async () => {
        await lab.sh("evil", `python3 -c '${burst}'`);
        return (await spots()).length > 0;
      },
      () => `no blind spot is told of\n${lab.controllerLog}`,
      60_000,
    );
    const [spot] = await spots();
    const [, denied, missing, rule] =
      /denied (\d+) packets .* (\d+) are missing; denied and recorded by (\S+) /.exec(
        spot?.message ?? "",
      ) ?? [];
    expect(Number(missing)).toBeGreaterThan(20);
    expect(Number(denied)).toBeGreaterThanOrEqual(Number(missing));
    expect(Number(denied)).toBeLessThanOrEqual(await sums());
    expect(rule).toMatch(/^Policy\/shop\/shut#/);
    const { problems, state } = await lab.client.call("status", {});
    expect(state).not.toBe("ok");
    expect(problems.join("\n")).toContain("blind spot on");
    const { incidents } = await lab.client.call("slo", {});
    expect(incidents).toMatchObject([{ kind: "blind-spot" }]);
  });
});

describe("without room on the disk", () => {
  let state: string;
  beforeEach(async () => {
    state = mkdtempSync(join(tmpdir(), "bhk-small-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=96m", "bhk-small", state]);
    lab = await TestLab.create(state);
  });
  afterEach(async () => {
    await lab?.remove();
    await run("umount", [state]);
    rmSync(state, { recursive: true });
  });

  it("keeps the flows it cannot store, refuses changes, enforces on, and recovers with all of them", async () => {
    await lab.serve("db", [5432]);
    await lab.up();
    await enforce();
    await lab.sh("host", `dd if=/dev/zero of=${state}/ballast bs=64k 2>/dev/null || true`);
    await lab.reach("web", "db", 5432);
    await until(async () => {
      const { flows, state: health } = await lab.client.call("status", {});
      return !flows.writable && flows.waiting > 0 && health === "failing";
    }, "the full disk is not noticed");
    const big = { name: "big.yaml", text: `${POLICY.text}# ${"x".repeat(2_000_000)}\n` };
    expect((await failing(enforce({ files: [lab.inventory(), big] }))).code).toBe("store-full");
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    expect((await lab.client.call("history", {})).current).toBe(1);
    await lab.sh("host", `rm ${state}/ballast`);
    await until(async () => {
      const { flows } = await lab.client.call("status", {});
      return flows.writable && flows.waiting === 0 && flows.unstored === 0;
    }, "it does not recover");
    const { edges } = await lab.client.call("edges", { from: ["shop/web"], to: ["shop/db"] });
    expect(edges.map(({ connections }) => connections)).toEqual([1]);
    expect(await enforce({ files: [lab.inventory(), big] })).toMatchObject({
      revision: 2,
      changed: true,
    });
  });
});

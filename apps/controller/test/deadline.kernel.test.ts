/** Changes that want to be confirmed, with the real processes. Most of it is waiting for a deadline, so they wait side by side. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { POLICY, TestLab, until } from "./lab.ts";

async function withLab(work: (lab: TestLab) => Promise<void>): Promise<void> {
  const lab = await TestLab.create();
  try {
    await lab.serve("db", [5432]);
    await lab.up();
    await work(lab);
  } finally {
    await lab.remove();
  }
}

const enforce = (lab: TestLab, more: object) =>
  lab.client.call("apply", { files: [lab.inventory(), POLICY], mode: "enforce", ...more });

describe.concurrent("a change with a deadline", () => {
  it("is reverted by itself when nobody confirms it, also when the controller was killed meanwhile", () =>
    withLab(async (lab) => {
      await lab.client.call("apply", { files: [lab.inventory()] });
      // Time enough for the controller to come back first, on a busy machine too.
      await enforce(lab, { confirmSeconds: 15 });
      expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
      await lab.kill("controller");
      lab.startController();
      const status = await lab.ready();
      expect(status.confirm).toMatchObject({ revision: 2, revertsTo: 1 });
      await until(
        async () => (await lab.reach("evil", "db", 5432, 4, 300)) === "connected",
        "nothing was reverted",
        30_000,
      );
      const { revisions } = await lab.client.call("history", {});
      expect(revisions.map(({ kind, confirmed }) => [kind, confirmed])).toEqual([
        ["revert", "not-needed"],
        ["apply", "reverted"],
        ["apply", "not-needed"],
      ]);
      await expect(lab.client.call("confirm", {})).rejects.toMatchObject({
        code: "nothing-to-confirm",
      });
    }));

  it("stays when it was confirmed", () =>
    withLab(async (lab) => {
      await enforce(lab, { confirmSeconds: 6 });
      const { confirm } = await lab.client.call("status", {});
      expect(await lab.client.call("confirm", {})).toEqual({ revision: 1 });
      await sleep((confirm?.by ?? 0) - Date.now() + 500);
      expect((await lab.client.call("history", {})).revisions).toMatchObject([
        { revision: 1, confirmed: "confirmed" },
      ]);
      expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    }));
});

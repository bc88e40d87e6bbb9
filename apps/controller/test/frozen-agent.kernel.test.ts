/** An agent that is frozen while a change is refused for its silence wakes up to that change, and must not keep it. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { POLICY, TestLab, until } from "./lab.ts";

let lab: TestLab;

beforeEach(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  await lab.up({ env: { BULKHEAD_FAULT: "impatient" } });
});
afterEach(() => lab?.remove());

it("what was refused while it was frozen is gone soon after it wakes", async () => {
  // On a busy machine the impatience may hit this one as well.
  await until(
    () =>
      lab.client.call("apply", { files: [lab.inventory()] }).then(
        () => true,
        () => false,
      ),
    "nothing can be applied at all",
    60_000,
  );
  const agent = lab.agent?.pid;
  if (agent === undefined) throw new Error("no agent runs");
  const before = (await lab.client.call("status", {})).revision;
  process.kill(agent, "SIGSTOP");
  const outcome = await lab.client
    .call("apply", { files: [lab.inventory(), POLICY], mode: "enforce" })
    .then(
      () => "applied",
      (error: unknown) => String(error),
    );
  expect(outcome).toContain("did not answer");
  const { revisions } = await lab.client.call("history", {});
  expect(revisions.slice(0, 2).map(({ kind }) => kind)).toEqual(["revert", "apply"]);

  process.kill(agent, "SIGCONT");
  await until(
    async () => {
      const { agents, revision = 0 } = await lab.client.call("status", {});
      const receipt = agents.find(({ connected }) => connected)?.receipt;
      return receipt?.matches === true && revision > before && receipt.revision === revision;
    },
    () => `the refused one stays in force\n${lab.agentLog}\n${lab.controllerLog}`,
    40_000,
  );
  expect(await lab.reach("evil", "db", 5432)).toBe("connected");
});

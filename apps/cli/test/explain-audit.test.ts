/** `explain` for what is only audited: allowed, and what would cut it once enforced. */
import { expect, it } from "vitest";
import type { ExplainAnswer } from "@bulkhead/api";
import { explained, permitted } from "./answers/decisions.ts";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController } from "./fake-controller.ts";

async function shown(explain: ExplainAnswer) {
  const controller = await startFakeController({ ...answers, explain });
  try {
    return await call(["explain", "shop/web", "shop/db:5432"], { state: controller.state });
  } finally {
    await controller.stop();
  }
}

const { determinedBy } = explained.paths[0]!.decision.ingress;

it.each([
  ["drop", "dropped"],
  ["reject", "rejected"],
  ["mixed", "cut for some addresses"],
] as const)("tells what would be cut: %s", async (verdict, done) => {
  const { stdout, code } = await shown({ ...permitted, audit: { verdict, determinedBy } });
  expect(code).toBe(0);
  expect(stdout).toMatch(
    new RegExp(`allowed; would be ${done} by Policy/shop/db#ingress.* once enforced`),
  );
  expect(stdout).toContain("`bulkhead explain shop/web shop/db 5432/tcp --shadow`");
});

it("says nothing of it where enforcing changes nothing", async () => {
  expect((await shown(permitted)).stdout).not.toContain("once enforced");
});

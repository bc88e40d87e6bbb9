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

it("tells what an allow depends on above layer 4, in text and JSON", async () => {
  const [path] = permitted.paths;
  const obligations = [
    {
      kind: "only" as const,
      rules: ["CiliumNetworkPolicy/shop/db#ingress/1"],
      l7: [
        {
          kind: "http" as const,
          conditions: [
            {
              attribute: "method" as const,
              anyOf: [{ kind: "exact" as const, value: "GET" }],
              noneOf: [],
            },
            {
              attribute: "header:x-team" as const,
              anyOf: [{ kind: "present" as const }],
              noneOf: [],
            },
          ],
        },
      ],
    },
    { kind: "auth" as const, rules: ["CiliumNetworkPolicy/shop/db#ingress/1"] },
  ];
  const ingress = { ...path!.decision.ingress, obligations };
  const answer = {
    ...permitted,
    paths: [{ ...path!, decision: { ...path!.decision, ingress } }],
  };
  const { stdout } = await shown(answer);
  expect(stdout).toContain("only requests that CiliumNetworkPolicy/shop/db#ingress/1 names");
  expect(stdout).toContain("only if both ends prove who they are");
  const controller = await startFakeController({ ...answers, explain: answer });
  const asked = call(["explain", "shop/web", "shop/db:5432", "-o", "json"], {
    state: controller.state,
  });
  const told = JSON.parse((await asked.finally(() => controller.stop())).stdout);
  expect(told.paths[0].decision.ingress.obligations).toEqual(obligations);
});

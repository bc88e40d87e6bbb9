/** `delete` asks for exactly what was named, whatever way it was named, and for nothing that was not. */
import { afterEach, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

let controller: FakeController | undefined;

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
});

async function requested(args: readonly string[]): Promise<unknown> {
  controller = await startFakeController(answers);
  await call(["delete", ...args], { state: controller.state, env: { SUDO_USER: "ada" } });
  return controller.requests.find(({ route }) => route === "delete")?.request;
}

const PLAIN = { dryRun: false, force: false, reason: "", author: "ada" };

it.each([
  [["Policy/shop/default-deny"], ["Policy/shop/default-deny"]],
  [["policy/default-deny"], ["Policy/shop/default-deny"]],
  [
    ["Intent/web-to-db", "Policy/lab/old", "Policy/lab/old"],
    ["Intent/shop/web-to-db", "Policy/lab/old"],
  ],
])("%j", async (args, resources) => {
  expect(await requested(args)).toEqual({ resources, ...PLAIN });
});

it("with its options", async () => {
  const options = ["--mode", "audit", "--confirm", "60s", "--dry-run", "--force", "--reason", "x"];
  expect(await requested(["Policy/lab/old", ...options])).toEqual({
    resources: ["Policy/lab/old"],
    mode: "audit",
    confirmSeconds: 60,
    dryRun: true,
    force: true,
    reason: "x",
    author: "ada",
  });
});

it.each(["Policy/lab/odl", "old", "Policy/old", "Policy/shop/*"])(
  "nothing for %s",
  async (name) => {
    expect(await requested(["Policy/shop/default-deny", name])).toBeUndefined();
  },
);

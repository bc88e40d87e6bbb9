/** Connections that are open are named beside the new ones: in `plan`, after `apply`, and in `observe --verdict audit`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type Answers, type FakeController } from "./fake-controller.ts";

let controller: FakeController | undefined;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bcc-files-"));
  writeFileSync(join(folder, "policy.yaml"), "kind: Policy\nname: web\n");
});

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const end = (name: string, address: string) => ({ name, address, labels: {} });
const open = (family: 4 | 6, connections: number) => ({
  source: end("shop/intruder", family === 4 ? "10.0.0.66" : "fd00::66"),
  destination: end("shop/db", family === 4 ? "10.0.0.14" : "fd00::14"),
  protocol: 6,
  port: 5432,
  connections,
  verdict: "drop" as const,
  rule: "Policy/shop/db#ingress",
});
const underWay = [open(4, 2), open(6, 1)];
const ROW = /shop\/intruder +→ +shop\/db +5432\/tcp +3 +drop +Policy\/shop\/db#ingress\n/;

async function printed(args: readonly string[], over: Answers): Promise<string> {
  controller = await startFakeController({ ...answers, ...over });
  return (await call(args, { state: controller.state })).stdout;
}
const policy = (): string => join(folder, "policy.yaml");

it("are what a plan would cut", async () => {
  const stdout = await printed(["plan", policy()], { plan: { ...answers.plan, underWay } });
  expect(stdout).toContain("\n3 connections under way would be cut:\n");
  expect(stdout).toMatch(ROW);
});

it("are said to be none, where somebody looked", async () => {
  const stdout = await printed(["plan", policy()], { plan: { ...answers.plan, underWay: [] } });
  expect(stdout).toContain("\nConnections under way: none would be cut.\n");
  await controller?.stop();
  expect(await printed(["plan", policy()], {})).not.toContain("under way");
});

it("are told after an apply in audit, and after one that enforces", async () => {
  const audit = { ...answers.apply, mode: "audit" as const, underWay };
  const first = await printed(["apply", policy()], { apply: audit });
  expect(first).toContain("\n3 connections under way would be cut once this is enforced:\n");
  expect(first).toMatch(ROW);
  await controller?.stop();
  const enforced = { ...answers.apply, underWay: [open(4, 1)] };
  const second = await printed(["apply", policy(), "--mode", "enforce"], { apply: enforced });
  expect(second).toContain("\n1 connection under way is cut:\n");
});

it("are shown as cut, in edges and in flows, where they were forwarded until just now", async () => {
  const [edge] = answers.edges.edges;
  const [flow] = answers.flows;
  if (edge === undefined || flow === undefined) throw new Error("nothing was seen");
  const cut = { verdict: "forwarded", rule: undefined, cutBy: "Policy/shop/db#ingress" } as const;
  const over = { edges: { edges: [{ ...edge, ...cut }] }, flows: [{ ...flow, ...cut }] };
  const words = /forwarded, then cut .*Policy\/shop\/db#ingress/;
  expect(await printed(["observe"], over)).toMatch(words);
  const state = controller?.state ?? "";
  expect((await call(["observe", "--flows"], { state })).stdout).toMatch(words);
});

it("stand below the edges of an audit", async () => {
  const edges = { edges: [], underWay };
  const stdout = await printed(["observe", "--verdict", "audit"], { edges });
  expect(stdout).toContain("No traffic seen that fits.\n\n3 connections under way would be cut");
  expect(stdout).toMatch(ROW);
  const asJson = await call(["observe", "--verdict", "audit", "-o", "json"], {
    state: controller?.state ?? "",
  });
  expect(JSON.parse(asJson.stdout)).toMatchObject(edges);
});

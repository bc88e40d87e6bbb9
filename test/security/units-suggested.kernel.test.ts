/**
 * A service of the machine from what was seen to what is enforced: suggested by its unit, isolated by itself while the rest of
 * the machine is left alone; and whoever is denied afterwards is told by which rule.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { SuggestAnswer } from "@bulkhead/api";
import { createCgroups, type TestCgroups } from "../../apps/agent/test/cgroups.ts";
import { TestLab, until } from "../../apps/controller/test/lab.ts";

/** Listens as soon as it is in its group. */
const SERVICE = `
  const serve = (socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data));
  const server = require("node:net").createServer(serve);
  process.stdin.once("data", () => server.listen(8080, "::", () => console.log("ready")));`;

/** Nothing shorter tells a busy machine from a closed door. */
const PATIENT_MS = 20_000;

let lab: TestLab;
let groups: TestCgroups;
let child: ChildProcess | undefined;
let suggested: SuggestAnswer;

beforeAll(async () => {
  lab = await TestLab.create();
  groups = createCgroups("bhs", ".slice");
  child = spawn("nsenter", [`--net=${lab.netns("host")}`, process.execPath, "-e", SERVICE], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  groups.put(child.pid!, groups.add("front.service"));
  child.stdin!.write("go\n");
  await once(child.stdout!, "data");
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()], author: "ada", reason: "test" });
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", {});
      const front = workloads.find(({ id }) => id === "host/front.service");
      return front?.sockets?.some(({ port }) => port === 8080) === true;
    },
    "the unit is not known",
    30_000,
  );
}, 120_000);

afterAll(async () => {
  child?.kill("SIGKILL");
  await lab?.remove();
  groups?.close();
});

it("is suggested by its unit, and isolated by itself", async () => {
  expect(await lab.reach("web", "host", 8080, 4, PATIENT_MS)).toBe("connected");
  await until(
    async () => {
      suggested = await lab.client.call("suggest", {});
      return suggested.rules.length > 0;
    },
    () => JSON.stringify([suggested?.rules, suggested?.setAside], null, 1),
    30_000,
  );
  expect(suggested.rules.map(({ rule, ports }) => `${rule} ${ports}`)).toEqual([
    "web → front 8080/tcp",
  ]);
  const text = suggested.files.map((file) => file.text).join("---\n");
  expect(text).toContain("to: app=front");
  expect(text).toContain("name: default-deny-front");
  // What it sends was not seen, and is left alone; so is the rest of the machine.
  expect(text).toMatch(
    /name: default-deny-front\n {2}namespace: host\nspec:\n {2}subject: app=front\n {2}ingress: \[\]\n---/,
  );
  expect(text).not.toMatch(/name: default-deny\n {2}namespace: host/);
});

it("is enforced as suggested, and whoever is denied is told why, and what would help", async () => {
  const apply = (files: SuggestAnswer["files"]) =>
    lab.client.call("apply", { files, mode: "enforce", author: "ada", reason: "as seen" });
  await apply(suggested.files);
  expect(await lab.reach("web", "host", 8080, 4, PATIENT_MS)).toBe("connected");
  expect(await lab.reach("evil", "host", 8080)).toBe("blocked");
  let why = await lab.client.call("why", {});
  await until(
    async () => {
      why = await lab.client.call("why", {});
      return why.denial !== undefined;
    },
    () => JSON.stringify(why),
    20_000,
  );
  expect(why).toMatchObject({
    verdict: "drop",
    from: "shop/evil",
    to: "host/front.service",
    port: "8080/tcp",
    draft: { kind: "Intent", fillIn: [] },
  });
  expect(why.rules.map(({ resource }) => resource)).toContain("Policy/shop/default-deny");
  await apply([{ name: "draft.yaml", text: why.draft?.text ?? "" }]);
  await until(
    async () => (await lab.reach("evil", "host", 8080)) === "connected",
    "the draft does not help",
  );
});

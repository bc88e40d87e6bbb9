/**
 * Services of the machine from what was seen to what is enforced: suggested by their units, each isolated by itself while the
 * rest of the machine is left alone; and whoever is denied afterwards is told by which rule.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { SuggestAnswer, WhyAnswer, WhyQuery } from "@bulkhead/api";
import { createCgroups, type TestCgroups } from "../../apps/agent/test/cgroups.ts";
import { TestLab, until } from "../../apps/controller/test/lab.ts";

/** Listens where it is told to, and calls whom it is told to: a line of its input each. */
const SERVICE = `
  const net = require("node:net");
  const lines = require("node:readline").createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const [word, address, port, wait] = line.split(" ");
    if (word === "listen") {
      const serve = (socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data));
      return net.createServer(serve).listen(Number(port), address, () => console.log("ready"));
    }
    const socket = net.connect(Number(port), address);
    let told = false;
    const tell = (outcome) => { if (!told) console.log(outcome); told = true; setTimeout(() => socket.destroy(), 3000); };
    socket.on("error", () => tell("blocked")).on("connect", () => socket.write("x".repeat(2000)));
    socket.on("data", () => tell("connected"));
    setTimeout(() => tell("blocked"), Number(wait));
  });`;

/** Nothing shorter tells a busy machine from a closed door. */
const PATIENT_MS = 20_000;

let lab: TestLab;
let groups: TestCgroups;
const children: ChildProcess[] = [];
let front: Service;
let batch: Service;
let suggested: SuggestAnswer;

interface Service {
  say(line: string): Promise<string>;
}

function service(unit: string): Service {
  const child = spawn("nsenter", [`--net=${lab.netns("host")}`, process.execPath, "-e", SERVICE], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  groups.put(child.pid!, groups.add(unit));
  return {
    async say(line) {
      child.stdin.write(`${line}\n`);
      const [answer] = (await once(child.stdout, "data")) as [Buffer];
      return answer.toString().trim();
    },
  };
}

const call = (name: "web" | "db", port: number, waitMs = PATIENT_MS): Promise<string> =>
  batch.say(`call ${lab.address(name)} ${port} ${waitMs}`);

beforeAll(async () => {
  lab = await TestLab.create();
  groups = createCgroups("bhs", ".slice");
  front = service("front.service");
  batch = service("batch.service");
  await front.say("listen :: 8080");
  await lab.serve("db", [5432]);
  await lab.serve("web", [80]);
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()], author: "ada", reason: "test" });
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", {});
      const server = workloads.find(({ id }) => id === "host/front.service");
      return (
        server?.sockets?.some(({ port }) => port === 8080) === true &&
        workloads.some(({ id }) => id === "host/batch.service")
      );
    },
    "the units are not known",
    30_000,
  );
}, 120_000);

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await lab?.remove();
  groups?.close();
});

it("are suggested by their units, and isolated by themselves", async () => {
  expect(await lab.reach("web", "host", 8080, 4, PATIENT_MS)).toBe("connected");
  await until(
    async () => {
      // Where nobody could tell who called, another call is told.
      expect(await call("db", 5432)).toBe("connected");
      suggested = await lab.client.call("suggest", {});
      return suggested.rules.length > 1;
    },
    () => JSON.stringify([suggested?.rules, suggested?.setAside], null, 1),
    30_000,
  );
  expect(suggested.rules.map(({ rule, ports }) => `${rule} ${ports}`).toSorted()).toEqual([
    "batch → db 5432/tcp",
    "web → front 8080/tcp",
  ]);
  const text = suggested.files.map((file) => file.text).join("---\n");
  // Each in the direction in which it was seen, and not the whole machine.
  const alone = (unit: string, direction: string): string =>
    `name: default-deny-${unit}\n  namespace: host\nspec:\n  subject: app=${unit}\n  ${direction}: []\n---`;
  expect(text).toContain(alone("front", "ingress"));
  expect(text).toContain(alone("batch", "egress"));
  expect(text).not.toContain("name: default-deny\n  namespace: host");
});

/** Until a denial that fits is on record: where nobody could tell who called, another call is told. */
async function why(question: WhyQuery, callAgain: () => Promise<string>): Promise<WhyAnswer> {
  let answer: WhyAnswer | undefined;
  await until(
    async () => {
      expect(await callAgain()).toBe("blocked");
      answer = await lab.client.call("why", question);
      return answer.denial !== undefined;
    },
    () => JSON.stringify(answer),
    40_000,
  );
  return answer!;
}

it("are enforced as suggested, and whoever is denied is told why, and what would help", async () => {
  const apply = (files: SuggestAnswer["files"]) =>
    lab.client.call("apply", { files, mode: "enforce", author: "ada", reason: "as seen" });
  const propose = (answer: WhyAnswer) =>
    apply([{ name: "draft.yaml", text: answer.draft?.text ?? "" }]);
  await apply(suggested.files);
  expect(await lab.reach("web", "host", 8080, 4, PATIENT_MS)).toBe("connected");
  expect(await call("db", 5432)).toBe("connected");

  const evil = await why({ from: "evil" }, () => lab.reach("evil", "host", 8080));
  expect(evil).toMatchObject({
    verdict: "drop",
    from: "shop/evil",
    to: "host/front.service",
    port: "8080/tcp",
    draft: { kind: "Intent", fillIn: [] },
  });
  expect(evil.rules.map(({ resource }) => resource)).toContain("Policy/shop/default-deny");
  await propose(evil);
  await until(
    async () => (await lab.reach("evil", "host", 8080)) === "connected",
    "the draft does not help who calls a service",
  );

  const ours = await why({ from: "host/batch.service" }, () => call("web", 80, 1500));
  expect(ours).toMatchObject({
    verdict: "drop",
    from: "host/batch.service",
    to: "shop/web",
    port: "80/tcp",
    draft: { kind: "Intent", fillIn: [] },
  });
  // Of all that isolate it, one is named.
  expect(ours.rules[0]).toMatchObject({ direction: "egress", determinedBy: { kind: "isolation" } });
  expect(ours.rules[0]?.resource).toMatch(/batch/);
  await propose(ours);
  await until(
    async () => (await call("web", 80, 1500)) === "connected",
    "the draft does not help a service that calls",
  );
});

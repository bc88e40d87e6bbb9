/** No file holds up the agent: who is not read in time is passed over, told of, and comes last from then on. */
import { expect, it } from "vitest";
import { createConfigurationReader } from "../../src/expectation/configuration-reader.ts";

const unit = (cgroup: string) => ({ owner: { kind: "unit", cgroup } as const, pids: [1] });
const program = new URL("held-up.ts", import.meta.url);

it("reads everybody else, and tells whose files do not answer, while the agent goes on", async () => {
  const reader = createConfigurationReader({ program, patienceMs: 1500 });
  let turns = 0;
  const turning = setInterval(() => {
    turns += 1;
  }, 10);
  try {
    const owners = ["/a", "/stuck", "/b"].map(unit);
    const { dependencies, problems } = await reader.read(owners, ["files"]);
    expect(dependencies.map(({ owner }) => owner)).toEqual([
      { kind: "unit", cgroup: "/a" },
      { kind: "unit", cgroup: "/b" },
    ]);
    expect(problems).toEqual([
      "configuration of /stuck is not read: it did not answer within 1.5 s",
    ]);
    expect(turns).toBeGreaterThan(1);
  } finally {
    clearInterval(turning);
    reader.stop();
  }
});

it("stops after some, and reads those first the next time that held up nobody", async () => {
  const reader = createConfigurationReader({ program, patienceMs: 200 });
  try {
    const owners = ["/stuck-1", "/stuck-2", "/stuck-3", "/stuck-4", "/a"].map(unit);
    const { dependencies, problems } = await reader.read(owners, ["files"]);
    expect([dependencies, problems]).toEqual([
      [],
      [
        ...[1, 2, 3].map(
          (one) => `configuration of /stuck-${one} is not read: it did not answer within 0.2 s`,
        ),
        "configuration of 2 more is not read: too many files do not answer",
      ],
    ]);
    // A machine that has much to do may be late for the one that answers as well.
    const isRead = async () => (await reader.read(owners, ["files"])).dependencies.length === 1;
    while (!(await isRead())) expect(owners).toHaveLength(5);
  } finally {
    reader.stop();
  }
});

it("asks nobody where nothing may be read", async () => {
  const reader = createConfigurationReader({ program: new URL("absent.ts", import.meta.url) });
  expect(await reader.read([unit("/a")], [])).toEqual({ dependencies: [], problems: [] });
  expect(await reader.read([], ["files"])).toEqual({ dependencies: [], problems: [] });
  const { problems } = await reader.read([unit("/a")], ["files"]);
  expect(problems).toHaveLength(1);
  reader.stop();
});

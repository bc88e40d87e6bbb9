/** A workload that is started anew in enforce, all the way: seen, named, compiled for, and only then let near its neighbours. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { POLICY, TestLab, until } from "./lab.ts";

/** Tries again and again from the first moment on; prints the milliseconds until it was answered. */
const KNOCK = `
  const { connect } = require('node:net')
  const begun = performance.now()
  const knock = () => {
    const socket = connect(Number(process.argv[2]), process.argv[1])
    const again = setTimeout(() => socket.destroy(), 100)
    socket.on('error', () => {})
    socket.on('connect', () => { process.stdout.write(String(Math.round(performance.now() - begun))); process.exit(0) })
    socket.on('close', () => { clearTimeout(again); setTimeout(knock, 5) })
  }
  knock()`;

let lab: TestLab;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  await lab.up();
  await lab.client.call("apply", {
    files: [lab.inventory(), POLICY],
    author: "ada",
    reason: "walls",
    mode: "enforce",
  });
});
afterAll(() => lab?.remove());

it("is let in once its policy is in place, each time, and nothing differs afterwards", async () => {
  const took: number[] = [];
  for (let time = 0; time < 3; time += 1) {
    await lab.detach("web");
    await until(async () => {
      const { workloads } = await lab.client.call("workloads", {});
      return workloads.find(({ id }) => id === "shop/web")?.attached === false;
    }, "it is not missed");
    await lab.attach("web");
    const answer = await lab.sh(
      "web",
      `exec '${process.execPath}' -e "$(cat <<'END'\n${KNOCK}\nEND\n)" ${lab.address("db")} 5432`,
    );
    took.push(Number(answer));
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  }
  console.log(`answered after ${took.join(", ")} ms`);
  const { alarms, notices } = await lab.ready();
  expect(alarms.filter(({ kind }) => kind === "verdict")).toEqual([]);
  // Root of this machine serves there, as it does in no container.
  expect(notices).toContainEqual(
    expect.stringMatching(
      /shop\/db (has processes with |\()CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN( in |\))/,
    ),
  );
});

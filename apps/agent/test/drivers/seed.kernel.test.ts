/**
 * Connections that are older than the rules: with seeding they live on under a policy that permits them, whichever end
 * speaks first; without it, the end that speaks first is taken for the client. Forbidden ones are cut either way.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNftablesDriver, seedConnections } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { openPair } from "./pair.ts";
import type { Pair } from "./pair.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "./policies.ts";

let lab: Lab;
beforeEach(() => {
  lab = createLab(["near", "same"]);
});
afterEach(() => lab.close());

const workload = (name: string): LabWorkload => {
  const found = lab.workloads[name];
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
};

const connect = async (port: number, family: 4 | 6): Promise<Pair> => {
  const { path, v4, v6 } = workload("same");
  const address = family === 4 ? v4 : v6;
  const pair = await openPair({
    protocol: "tcp",
    client: workload("near").path,
    server: path,
    address,
    port,
  });
  if (pair === null) throw new Error("no connection");
  return pair;
};

const apply = async (seed: boolean): Promise<void> => {
  const paths = Object.values(lab.workloads).map(({ path }) => path);
  const driver = createNftablesDriver({
    owner: "test",
    now: () => Date.now(),
    netns: lab.hostPath,
    ...(seed ? { beforeFirstLoad: () => seedConnections(paths, lab.hostPath) } : {}),
  });
  const { v4, v6 } = workload("same");
  const near = workload("near");
  const row = portRow(6, [[5000, 5000]], ALLOW, DROP);
  await driver.apply(
    policyOf(lab, {
      live: [
        {
          direction: "ingress",
          subjects: [v4, v6],
          exact: [
            [near.v4, row],
            [near.v6, row],
          ],
          defaultRow: rowOf(DROP),
        },
        { direction: "egress", subjects: [v4, v6], defaultRow: rowOf(DROP) },
      ],
    }),
  );
};

test.each([4, 6] as const)("seeded, a permitted connection lives on (IPv%i)", async (family) => {
  const permitted = await connect(5000, family);
  const forbidden = await connect(5001, family);
  await apply(true);
  expect(await permitted.toClient()).toBe(true);
  expect(await permitted.toServer()).toBe(true);
  expect(await forbidden.toClient()).toBe(false);
  expect(await forbidden.toServer()).toBe(false);
  for (const pair of [permitted, forbidden]) pair.close();
});

test("without seeding, it would have been lost", async () => {
  const permitted = await connect(5000, 4);
  await apply(false);
  expect(await permitted.toClient()).toBe(false);
  permitted.close();
});

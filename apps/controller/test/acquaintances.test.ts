/** Who has been seen to talk: from the record, from flows since, and tried again when the record could not be read. */
import { expect, it } from "vitest";
import type { Edge, FlowEnd } from "@bulkhead/model";
import { createAcquaintances } from "../src/flows/acquaintances.ts";

const end = (workload?: string): FlowEnd => ({
  address: "10.9.0.1",
  name: workload ?? "host",
  labels: {},
  ...(workload === undefined ? {} : { workload }),
});

it("are those on record and those that came since, asked for once", async () => {
  let asked = 0;
  let broken = true;
  const counts = { connections: 1, established: 1, failed: 0, bytes: 0, packets: 1, windows: 1 };
  const edge: Edge = {
    source: end("shop/web"),
    destination: end(),
    protocol: 6,
    port: 80,
    verdict: "forwarded",
    firstSeen: 0,
    lastSeen: 0,
    ...counts,
  };
  const met = createAcquaintances(
    {
      edges: () => {
        asked += 1;
        return broken ? Promise.reject(new Error("busy")) : Promise.resolve([edge]);
      },
    },
    () => 0,
  );
  met.note({ source: end("host/cron.service"), destination: end() });
  await expect(met.all()).rejects.toThrow("busy");
  broken = false;
  expect([...(await met.all())].toSorted()).toEqual(["host/cron.service", "shop/web"]);
  met.note({ source: end(), destination: end("shop/db") });
  expect([...(await met.all())]).toContain("shop/db");
  expect(asked).toBe(2);
});

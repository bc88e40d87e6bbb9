/** Batches are never larger than what the controller takes in one request, whatever a file names. */
import { expect, it } from "vitest";
import { createBatches } from "../src/flows/batches.ts";

it("counts long names and labels, so that one file's cannot make the import fail", () => {
  const batches = createBatches("bulkhead");
  const end = (address: string) => ({ address, name: address, labels: { note: "x".repeat(4000) } });
  for (let at = 0; at < 3000; at += 1) {
    batches.add({
      start: at,
      end: at,
      source: end(`10.0.${at >> 8}.${at & 255}`),
      destination: end(`10.1.${at >> 8}.${at & 255}`),
      protocol: 6,
      port: 1,
      sourcePort: 1,
      verdict: "forwarded",
      connections: 1,
      established: 1,
      failed: 0,
      bytes: 0,
      packets: 0,
    });
  }
  const all = batches.take(true);
  expect(all.flatMap(({ flows }) => flows)).toHaveLength(3000);
  expect(Math.max(...all.map((batch) => JSON.stringify(batch).length))).toBeLessThan(8_000_000);
});

/** What `render` prints of random policies loads into an empty kernel by nft alone, and means the same. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { arbitraryHostPolicy } from "@bulkhead/datapath/testing";
import { createLab } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { nftables } from "./under-test.ts";

/** Looking for the smallest counterexample takes longer than the test may: what was found by then is told, with its seed. */
const PATIENCE_MS = 90_000;

let lab: Lab;
beforeAll(() => {
  lab = createLab([]);
});
afterAll(() => lab?.close());

test("the printed form loads into an empty kernel and means the same", async () => {
  const driver = nftables.create(lab);
  await fc.assert(
    fc.asyncProperty(arbitraryHostPolicy(Date.now()), async (policy) => {
      await driver.remove();
      lab.run(lab.host, ["nft", "-f", "-"], driver.render(policy));
      const handles = lab.run(lab.host, ["nft", "-a", "list", "table", "inet", "bulkhead"]);
      await driver.apply(policy);
      // Timeouts of the overlay run on, so only the rest can be compared as text. Links are let in by number, which the
      // driver does only where the number is that link's, and the printed form for whoever reads it.
      const steady = (text: string): string =>
        text
          .replace(/ (timeout|expires) \S+/g, "")
          .replace(/(set links \{[^{}]*?)\n\t\telements = \{[^{}]*\}/, "$1");
      const timed = [policy.live, policy.shadow, policy.canary?.maps].flatMap(
        (set) => set?.overlay ?? [],
      );
      if (timed.length === 0)
        expect(steady(lab.run(lab.host, ["nft", "-a", "list", "table", "inet", "bulkhead"]))).toBe(
          steady(handles),
        );
      expect((await driver.readBack()).differences).toEqual([]);
    }),
    { numRuns: 10, endOnFailure: false, interruptAfterTimeLimit: PATIENCE_MS },
  );
});

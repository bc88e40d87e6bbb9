/**
 * Random policies through a real kernel: each is reached from the one before by its difference, and reads back with the
 * digest of what was meant.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalHostPolicy } from "@bulkhead/model";
import { arbitraryHostPolicy } from "@bulkhead/datapath/testing";
import { digestOf } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";

/** Looking for the smallest counterexample takes longer than the test may: what was found by then is told, with its seed. */
const PATIENCE_MS = 90_000;

let lab: Lab;
beforeAll(() => {
  lab = createLab([]);
});
afterAll(() => lab?.close());

onEveryDriver((under) => {
  test("random policies, one after another", async () => {
    const driver = under.create(lab);
    await fc.assert(
      fc.asyncProperty(arbitraryHostPolicy(Date.now()), async (policy) => {
        const receipt = await driver.apply(policy);
        const found = await driver.readBack();
        expect(found.differences).toEqual([]);
        expect(found.policy === null ? null : canonicalHostPolicy(found.policy)).toBe(
          canonicalHostPolicy(policy),
        );
        expect(receipt.digest).toBe(digestOf(policy, Date.now()));
      }),
      { numRuns: 30, endOnFailure: false, interruptAfterTimeLimit: PATIENCE_MS },
    );
    await driver.remove();
  });
});

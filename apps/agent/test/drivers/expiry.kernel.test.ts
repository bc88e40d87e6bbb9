/** Time-bound entries near their end: listed a moment before they go, or gone a moment before their time, both are no drift. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "./policies.ts";

let lab: Lab;
beforeAll(() => {
  lab = createLab(["a", "b"]);
});
afterAll(() => lab?.close());

onEveryDriver((under) => {
  test.each([
    ["is read late, after its end", 800],
    ["is read early, before its end", -800],
  ])("an entry that %s", async (_, wobble) => {
    // The clock runs on between the kernel's answer and our look at the time.
    let ahead = 0;
    const now = (): number => Date.now() + ahead;
    const driver = under.create(lab, { now });
    const [a, b] = [lab.workload("a"), lab.workload("b")];
    const deadline = now() + 700;
    const policy = policyOf(lab, {
      live: [
        {
          direction: "ingress",
          subjects: [b.v4],
          defaultRow: rowOf(DROP),
          overlay: [
            { peer: [a.v4, a.v4], protocol: 6, ports: [80, 80], decision: ALLOW, deadline },
          ],
        },
      ],
    });
    await driver.apply(policy);
    ahead = wobble;
    const { digest, desiredDigest, differences } = await driver.readBack();
    expect([digest, differences]).toEqual([desiredDigest, []]);
    await driver.remove();
  });
});

/** Time-bound entries near their end: listed a moment before they go, or gone a moment before their time, both are no drift. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "./policies.ts";

let lab: Lab;
beforeAll(() => {
  lab = createLab(["a", "b"]);
});
afterAll(() => lab?.close());

/** From `a` to `b`, by TCP to one port, until the deadline. */
const allowedUntil = (deadline: number): HostPolicy => {
  const peer = lab.workload("a").v4;
  return policyOf(lab, {
    live: [
      {
        direction: "ingress",
        subjects: [lab.workload("b").v4],
        defaultRow: rowOf(DROP),
        overlay: [{ peer: [peer, peer], protocol: 6, ports: [80, 80], decision: ALLOW, deadline }],
      },
    ],
  });
};

onEveryDriver((under) => {
  test.each([
    ["is read late, after its end", 800],
    ["is read early, before its end", -800],
  ])("an entry that %s", async (_, wobble) => {
    // The clock runs on between the kernel's answer and our look at the time.
    let ahead = 0;
    const now = (): number => Date.now() + ahead;
    const driver = under.create(lab, { now });
    await driver.apply(allowedUntil(now() + 700));
    ahead = wobble;
    const { digest, desiredDigest, differences } = await driver.readBack();
    expect([digest, differences]).toEqual([desiredDigest, []]);
    await driver.remove();
  });

  test("a clock that is put right while rules are written, or a machine too busy to write in time, leaves no deadline wrong", async () => {
    let looks = 0;
    for (let isMeanwhile = true; isMeanwhile;) {
      looks += 1;
      let left = looks;
      const now = (): number => {
        left -= 1;
        return Date.now() - (left >= 0 ? 60_000 : 0);
      };
      const driver = under.create(lab, { now });
      const { digest } = await driver.apply(allowedUntil(Date.now() + 600_000));
      isMeanwhile = left < 0;
      const found = await driver.readBack();
      if (isMeanwhile)
        expect([digest, found.digest], `after ${looks} looks at the clock`).toEqual([
          found.desiredDigest,
          found.desiredDigest,
        ]);
      await driver.remove();
    }
    expect(looks).toBeGreaterThan(2);
  });
});

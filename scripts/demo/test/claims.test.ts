/** Claims decide the demo's exit code, and diagnosis names what broke: neither may be kind. */
import { describe, expect, test } from "vitest";
import { Claims } from "../claims.ts";
import { diagnose } from "../diagnosis.ts";
import type { Sabotage } from "../sabotage.ts";

function failing(...ids: readonly string[]): Claims {
  const claims = new Claims();
  for (const id of ids) claims.exactly(id, id, 1, 0);
  return claims;
}

test("a bound met exactly holds, beyond it fails", () => {
  const claims = new Claims();
  claims.atMost("a", "a", 5, 5);
  claims.atMost("b", "b", 5.01, 5);
  claims.exactly("c", "c", 0, 0);
  claims.exactly("d", "d", 1, 0);
  expect(claims.failing.map((claim) => claim.id)).toEqual(["b", "d"]);
});

test("what was never measured does not hold", () => {
  const claims = new Claims();
  claims.atMost("drift", "drift is found", Infinity, 5000);
  claims.atMost("nan", "no figure", Number.NaN, 5000);
  expect(claims.failing.map((claim) => claim.id)).toEqual(["drift", "nan"]);
});

describe("diagnosis", () => {
  test.each<readonly [Sabotage, readonly string[]]>([
    ["dead-collector", ["recorded", "collector"]],
    ["stale-receipt", ["receipt-enforce"]],
    ["stale-receipt", ["receipt-apply"]],
    ["leaky-driver", ["blast", "leaks", "beyond"]],
    ["leaky-driver", ["probes", "breached"]],
    ["missing-deny", ["blast", "beyond", "explain"]],
  ])("names %s from %j", (name, ids) => {
    expect(diagnose(failing(...ids)).map((finding) => finding.name)).toEqual([name]);
  });

  test("a probe that could not be made is nobody's leak", () => {
    expect(diagnose(failing("probes"))).toEqual([]);
  });

  test("what is needed and cut is no missing deny", () => {
    expect(diagnose(failing("replay-needed", "needed"))).toEqual([]);
  });

  test("has nothing to say when all is well", () => {
    expect(diagnose(new Claims())).toEqual([]);
  });
});

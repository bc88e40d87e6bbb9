/** Cookies as people read them, guards among them. */
import { UNKNOWN_PROCESS, UNTOLD_SOCKET } from "@bulkhead/model";
import { expect, test } from "vitest";
import { ruleNames } from "../src/flows/rule-names.ts";

test("a cookie is called by its rule, and a guard by what it guards against", () => {
  const names = ruleNames([{ cookie: "00abcdef", rule: "Policy/shop/db#ingress/web" }]);
  expect(names("00abcdef")).toBe("Policy/shop/db#ingress/web");
  expect(names(UNKNOWN_PROCESS)).toBe("(unknown process)");
  expect(names(UNTOLD_SOCKET)).toBe("(unknown socket)");
  expect(names("00000001")).toBeUndefined();
});

/** What `bulkhead label` proposes to do next. */
import { expect, test } from "vitest";
import { nextOf } from "../src/verbs/label.ts";

const [again, back] = ["label shop/web tier=front", "label shop/web tier-"];

test.each([
  [{ dryRun: true, changed: true }, [again]],
  [{ dryRun: false, changed: true }, [back, "workloads"]],
  [{ dryRun: false, changed: true, confirmBy: 1 }, ["confirm", "rollback"]],
  [{ dryRun: false, changed: false }, ["workloads"]],
])("after %j", (answer, next) => {
  const found = nextOf(answer, again, back);
  expect(found.next).toEqual(next);
  expect(found.nextNote !== undefined).toBe(next.includes(back));
});

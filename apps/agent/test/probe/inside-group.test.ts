/** Nothing is sent in the name of a process whose control group is not there. */
import { expect, it } from "vitest";
import { insideGroup } from "../../src/probe/inside-group.ts";

it("says of a unit that does not run that it does not, and makes nothing", () => {
  const make = (): never => expect.fail("it was made all the same");
  expect(() => insideGroup("/bulkhead-nowhere.slice/feed.service", make)).toThrow(
    /^feed\.service is not running, and could not be tried$/,
  );
});

it("makes what is nobody's in particular where it is", () => {
  expect(insideGroup(undefined, () => 7)).toBe(7);
});

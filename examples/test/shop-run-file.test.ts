/** The run file decides what a sweep may remove: only names of our own making are acted on. */
import { describe, expect, test } from "vitest";
import { isLeftover, ownMark, parseRun, type RunRecord } from "../shop/lab/run-file.ts";

const record: RunRecord = {
  id: "a1b2c3",
  owner: { name: "owner", pid: 1, start: "1" },
  kept: false,
  directory: "/tmp/bhd-a1b2c3",
  namespaces: ["bhd-a1b2c3-host", "bhd-a1b2c3-web"],
  processes: [],
};

describe("parseRun", () => {
  test("takes a record whose names carry its id", () => {
    expect(parseRun(JSON.stringify(record))).toEqual(record);
  });

  test.each([
    ["a namespace of somebody else", { namespaces: ["production"] }],
    ["a namespace of another run", { namespaces: ["bhd-ffffff-web"] }],
    ["a path in a namespace's name", { namespaces: ["bhd-a1b2c3-../../etc"] }],
    ["a directory that is not ours", { directory: "/home/user" }],
    ["an id that is no id", { id: "../etc" }],
  ])("does not act on %s", (_what, change) => {
    expect(parseRun(JSON.stringify({ ...record, ...change }))).toBeUndefined();
  });
});

describe("isLeftover", () => {
  test("a run whose owner lives is none", () => {
    expect(isLeftover({ ...record, owner: ownMark() })).toBe(false);
  });

  test("a run whose owner's pid went to another process is one", () => {
    expect(isLeftover({ ...record, owner: { ...ownMark(), start: "1" } })).toBe(true);
  });

  test("a run that was kept on purpose is none", () => {
    expect(isLeftover({ ...record, kept: true })).toBe(false);
  });
});

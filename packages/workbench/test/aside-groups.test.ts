import type { Edge, SetAside, SetAsideReason } from "@bulkhead/model";
import { suggest } from "@bulkhead/learn";
import { describe, expect, it } from "vitest";
import {
  listedAsides,
  listedNames,
  suggestionMarkdown,
  suggestionReport,
  suggestionText,
} from "../src/index.ts";

function end(name: string, address = "10.0.0.1") {
  return { address, workload: name, name, labels: { app: name.replace(/^.*\//, "") } };
}

const edge = (from: string, to: string, port = 80): Edge => ({
  source: end(from),
  destination: end(to),
  protocol: 6,
  port,
  verdict: "forwarded",
  connections: 3,
  established: 0,
  failed: 3,
  bytes: 180,
  packets: 3,
  firstSeen: 1000,
  lastSeen: 2000,
  windows: 3,
});

const aside = (at: number, reason: SetAsideReason): SetAside => ({
  edge: edge(`shop/w${at}`, "shop/db"),
  reason,
  detail: `told of ${at}`,
});

const MANY = [
  ...Array.from({ length: 30 }, (_, at) => aside(at, "failed")),
  ...Array.from({ length: 15 }, (_, at) => aside(100 + at, "lone")),
  ...[1, 2].map((at) => aside(200 + at, "scan")),
];

describe("what was set aside", () => {
  it("is listed whole while it can be read", () => {
    const { shown, rest } = listedAsides(MANY.slice(0, 20), false);
    expect([shown.length, rest]).toEqual([20, []]);
  });

  it("is listed by what a person decides on, and the rest is counted", () => {
    const { shown, rest } = listedAsides(MANY, false);
    const reasons = shown.map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === "lone").length).toBe(15);
    expect(reasons.filter((reason) => reason === "scan").length).toBe(2);
    expect(shown.length).toBe(20);
    expect(rest).toEqual([
      "and 27 more lines, 27 edges: never answered (27 edges); `bulkhead suggest --all` lists them",
    ]);
  });

  it("is listed whole where everything is asked for", () => {
    expect(listedAsides(MANY, true)).toMatchObject({ shown: { length: 47 }, rest: [] });
    const names = Array.from({ length: 22 }, (_, at) => `w${at}`);
    expect(listedNames(names, true)).toEqual(names);
    expect(listedNames(names, false).slice(-2)).toEqual(["w19", "and 2 more"]);
  });
});

describe("texts of a suggestion with much aside", () => {
  const inventory = { workloads: [], namespaces: [], hostAddresses: [] };
  const found = suggest(
    Array.from({ length: 40 }, (_, at) => edge(`shop/w${at}`, "shop/db")),
    inventory,
  );
  // The same thing, seen twice over: told by the dozen in lines that say the same.
  const tried = {
    ...found.setAside[0]!,
    detail: "never answered; `web-to-db` allows it all the same",
  };
  const suggestion = { ...found, covered: [tried, { ...tried }, { ...tried }] };

  it("fold what is doubtful and yet allowed, and count what they do not list", () => {
    const text = suggestionText(suggestion);
    expect(text.match(/allows it all the same/g)).toHaveLength(1);
    expect(text).toContain("# Doubtful, but allowed because ends with the same labels need it:\n");
    expect(text).toContain("(9 connections)");
    expect(text).toContain("`bulkhead suggest --all` lists them");
    const all = suggestionText(suggestion, true);
    expect(all).not.toContain("--all");
    expect(all.length).toBeGreaterThan(text.length);
  });

  it("are the same in a pull request, which says when all of it is of nobody known", () => {
    const report = suggestionReport(suggestion);
    expect(report.covered).toHaveLength(3);
    const text = suggestionMarkdown({ report, excluded: [] });
    expect(text).toContain("## Doubtful, but allowed");
    expect(text).toContain("`bulkhead suggest --all` lists them");
    expect(text).not.toContain("known workload");
    const all = suggestionMarkdown({ report, excluded: [], all: true, ofNobody: true });
    expect(all).not.toContain("--all");
    expect(all).toContain("No address in the flows is a known workload");
  });
});

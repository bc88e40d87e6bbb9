/** The golden rulesets load into the real kernel and mean the policies that they were rendered from. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readNft } from "@bulkhead/datapath";
import { SAMPLE_NOW, SAMPLE_POLICIES } from "@bulkhead/datapath/testing";
import { canonicalHostPolicy } from "@bulkhead/model";
import { createLab } from "../lab.ts";
import type { Lab } from "../lab.ts";

let lab: Lab;
beforeAll(() => {
  lab = createLab([]);
});
afterAll(() => lab?.close());

const golden = (name: string): string =>
  readFileSync(
    new URL(`../../../../../packages/datapath/test/golden/${name}.nft`, import.meta.url),
    "utf8",
  );

test.each(Object.entries(SAMPLE_POLICIES))("%s", (name, policy) => {
  lab.run(lab.host, ["nft", "flush", "ruleset"]);
  lab.run(lab.host, ["nft", "-f", "-"], golden(name));
  const list = (family: string): string =>
    lab.run(lab.host, ["nft", "-p", "-y", "list", "table", family, "bulkhead"]);
  const enforced = policy.endpoints.some(({ mode }) => mode === "enforce");
  // Loaded just now, so the deadlines count from the moment that the text was rendered for.
  const found = readNft(
    {
      inet: list("inet"),
      netdev: enforced ? list("netdev") : "",
      bridge: enforced ? list("bridge") : "",
    },
    policy,
    SAMPLE_NOW,
  );
  expect(found.differences).toEqual([]);
  expect(found.policy === null ? null : canonicalHostPolicy(found.policy)).toBe(
    canonicalHostPolicy(policy),
  );
});

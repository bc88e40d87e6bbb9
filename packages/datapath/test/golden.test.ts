/**
 * The rendered text of sample policies, as it is loaded into the kernel. A change here is a change of what runs on every
 * machine: look at the difference before you write it anew (`BULKHEAD_GOLDEN=write`).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { renderNft } from "../src/index.ts";
import { PROCESSES, SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

const MARKER = "bulkhead/1 owner=golden was=1,1,0";

describe("golden rulesets", () => {
  test.each(Object.entries({ ...SAMPLE_POLICIES, processes: PROCESSES }))("%s", (name, policy) => {
    const file = fileURLToPath(new URL(`golden/${name}.nft`, import.meta.url));
    const text = renderNft(policy, { now: SAMPLE_NOW, comment: MARKER });
    if (process.env["BULKHEAD_GOLDEN"] === "write") writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, "utf8"));
  });
});

/** Labels mended in place: every layout, every quote, and nothing else touched. */
import { expect, it } from "vitest";
import type { DeskOptions } from "../../src/desk/desk.ts";
import { openDesk } from "../../src/desk/desk.ts";
import { fixLabels, labelFindings } from "../../src/labels/index.ts";

const READING: DeskOptions = { now: Date.UTC(2026, 0, 1) };
const HEAD = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: estate }
spec:
  workloads: # all of them
`;
const good = (count: number, labels = "{ app: checkout }"): string =>
  Array.from(
    { length: count },
    (_, at) =>
      `    - { name: c${at}, namespace: vms, addresses: [10.1.0.${at + 1}], labels: ${labels} }\n`,
  ).join("");

function fixed(
  text: string,
  more: readonly { readonly name: string; readonly text: string }[] = [],
) {
  const files = [{ name: "estate.yaml", text }, ...more];
  const { inventory } = openDesk(files, READING).built;
  const found = fixLabels(files, labelFindings(inventory, []), READING);
  return {
    text: found.files.find(({ name }) => name === "estate.yaml")?.text,
    names: found.files.map(({ name }) => name),
    left: found.left.map(({ message }) => message),
    edits: found.files.flatMap(({ edits }) => edits.map(({ what }) => what)),
  };
}

const slip = (entry: string): string => `${HEAD}${good(4)}${entry}`;
const flow = (labels: string): string =>
  slip(`    - { name: typo, namespace: vms, addresses: [10.1.0.9], labels: ${labels} } # mine\n`);
const block = (labels: string): string =>
  slip(
    `    # the old one\n    - name: typo\n      namespace: vms\n      addresses: [10.1.0.9]\n      labels:\n${labels}      zone: none\n`,
  ).replace("      zone: none\n", "");

it.each([
  [flow("{ app: chekout, tier: a }"), "app: chekout", "app: checkout"],
  [flow(`{ app: "chekout" }`), `"chekout"`, `"checkout"`],
  [flow(`{ 'app': 'Check_Out' }`), "'Check_Out'", "'checkout'"],
  [block("        app: chekout # since 2019\n        tier: a\n"), "chekout #", "checkout #"],
  [block("        # a comment\n        ap_p: checkout\n"), "ap_p:", "app:"],
])("%j", (text, before, after) => {
  const { text: mended, left, edits } = fixed(text);
  expect(mended).toBe(text.replace(before, after));
  expect(left).toEqual([]);
  expect(edits).toHaveLength(1);
  // Once is enough.
  expect(fixed(mended!).text).toBeUndefined();
});

it("mends many at once, with a byte order mark and other ends of lines", () => {
  const typo = (at: number): string =>
    `    - { name: t${at}, namespace: vms, addresses: [10.1.1.${at}], labels: { app: chekout } }\n`;
  const text = `\uFEFF${HEAD}${good(12)}${typo(1)}${typo(2)}`.replaceAll("\n", "\r\n");
  expect(fixed(text).text).toBe(text.replaceAll("chekout", "checkout"));
});

it("writes a label that all others bear behind the last one, as that one stands", () => {
  const tiers = good(5, "{ app: checkout, tier: front }");
  const lacking = (labels: string): string =>
    `${HEAD}${tiers}    - name: late\n      namespace: vms\n      addresses: [10.1.0.9]\n      labels:${labels}`;
  const add = (text: string): string | undefined => {
    const files = [{ name: "estate.yaml", text }];
    const { inventory } = openDesk(files, READING).built;
    const workloads = inventory.workloads.filter(({ name }) => name === "late");
    const finding = {
      code: "BH0741" as const,
      message: "",
      workloads,
      set: { tier: "on" },
      remove: [],
    };
    return fixLabels(files, [finding], READING).files[0]?.text;
  };
  expect(add(lacking(" { app: checkout }\n"))).toBe(lacking(` { app: checkout, tier: "on" }\n`));
  const block = "\n        app: checkout # mine\n";
  expect(add(lacking(block))).toBe(lacking(`${block}        tier: "on"\n`));
});

it("leaves to a person what another system wrote, what has an anchor, and what would change somebody else", () => {
  const pod = {
    name: "pod.yaml",
    text: "apiVersion: v1\nkind: Pod\nmetadata: { name: pod, namespace: vms, labels: { app: chekout } }\nspec: { containers: [] }\n",
  };
  const { names, left } = fixed(`${HEAD}${good(4)}`, [pod]);
  expect(names).toEqual([]);
  expect(left).toEqual([expect.stringContaining("`app=chekout` of `vms/pod`")]);
  const anchored = flow("{ app: &name chekout, also: *name }");
  expect(fixed(anchored)).toMatchObject({ names: [], left: [expect.anything()] });
});

it("leaves alone what is another role's label, though it is told", () => {
  const counted = [1, 2, 3]
    .map(
      (at) =>
        `    - { name: w${at}, namespace: vms, addresses: [10.1.2.${at}], labels: { app: web-${at} } }\n`,
    )
    .join("");
  expect(fixed(`${HEAD}${counted}`)).toMatchObject({ names: [], left: [] });
});

it("leaves alone a value that stands elsewhere too, by its anchor", () => {
  const others = `  namespaces:\n    - { name: other, labels: { env: *one } }\n`;
  const slipped = (list: string): string =>
    `${HEAD}${good(4, "{ app: checkout, env: production }")}    - { name: typo, namespace: vms, addresses: [10.1.0.9], labels: ${list} }\n${others}`;
  const value = fixed(slipped("{ app: checkout, env: &one prodction }"));
  expect([value.text, value.left.length]).toEqual([undefined, 1]);
  const map = fixed(
    slipped("&all { app: checkout, env: prodction }").replace("{ env: *one }", "*all"),
  );
  expect([map.text, map.left.length]).toEqual([undefined, 1]);
  const whole = fixed(slipped("{ app: checkout, env: prodction }").replace("*one", "production"));
  expect([whole.text?.includes("prodction"), whole.left]).toEqual([false, []]);
});

/** What would deny something on record is taken out of a patch, and the rest of it stays. */
import { expect, it } from "vitest";
import { indexInventory } from "@bulkhead/engine";
import { readPolicy } from "../src/policy/reading.ts";
import { filesOf, proved, type Narrowing } from "../src/queries/broad-proof.ts";
import { broadInput, edge, policy } from "./broad-scene.ts";
import { NOW } from "./fixtures.ts";

it("halves what cannot be proved, down to what is in the way", async () => {
  const rules = [80, 81, 82, 83, 84].map(
    (port) => `    - { from: [app=web], ports: [${port}/tcp, ${port}/udp] }\n`,
  );
  const file = policy(rules.join(""));
  const used = [80, 81, 82, 83, 84].map((port) => edge(port));
  const { held, inventory } = broadInput(file, used);
  const { set } = readPolicy(held, { now: NOW, strict: false });
  /** Takes a port out, with the comma before or behind it. */
  const without = (word: string): Narrowing => {
    const at = file.text.indexOf(word);
    const end = at + word.length;
    const [from, until] = word.endsWith("/tcp") ? [at, end + 2] : [at - 2, end];
    return { file, edit: { start: from, end: until, text: "", what: word } };
  };
  const right = [80, 82, 83].map((port) => without(`${port}/udp`));
  const wrong = [without("81/tcp"), without("84/tcp")];
  const proposals = [right[0]!, wrong[0]!, right[1]!, right[2]!, wrong[1]!];
  const proof = { held, set, index: indexInventory(inventory), edges: used, now: NOW };
  const { kept, left } = await proved(proposals, proof);
  expect(kept.map(({ edit }) => edit.what)).toEqual(["80/udp", "82/udp", "83/udp"]);
  expect([...left.values()]).toEqual([
    "something on record would be denied without it",
    "something on record would be denied without it",
  ]);
  expect(filesOf(kept)[0]?.text).toContain("[82/tcp]");
});

/** What a misspelt word may have meant. */
import { expect, test } from "vitest";
import { didYouMean, nearest } from "../../src/text/near.ts";

test.each<[word: string, candidates: readonly string[], found: string | null]>([
  ["ab", ["abc", "abd"], "abc"],
  ["a", ["b"], "b"],
  ["a", ["bc"], null],
  ["abcd", ["abxy"], "abxy"],
  ["abc", ["axy"], null],
  ["abcdef", ["abcdxy", "abcdex"], "abcdex"],
  ["INGRESS", ["egress", "ingress"], "ingress"],
  ["ingress", ["EGRESS", "INGRESS"], "INGRESS"],
  ["abc", [], null],
])("%s among %j is %s", (word, candidates, found) => {
  expect(nearest(word, candidates)).toBe(found);
});

test("help names the near one, or all", () => {
  expect(didYouMean("tcpp", ["TCP", "UDP"])).toBe("did you mean `TCP`?");
  expect(didYouMean("sctp4", ["A", "B"])).toBe("allowed here: `A`, `B`");
});

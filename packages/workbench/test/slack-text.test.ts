import { describe, expect, it } from "vitest";
import { fewerRulesText, slackText, totalText } from "../src/index.ts";

describe("what a rule permits, as text", () => {
  it("is a sentence with causes", () => {
    expect(slackText({ permitted: 1, used: 1, beyond: [] })).toBe(
      "Permits 1 pair of ends and port, all seen in use",
    );
    const beyond = [
      { cause: "doubtful", pairs: 1 },
      { cause: "copies", pairs: 3001 },
    ] as const;
    expect(slackText({ permitted: 4000, used: 998, beyond })).toBe(
      "Permits 4,000 pairs of ends and port; 3,002 not seen in use: seen, and set aside (1), other copies of the same roles (3,001)",
    );
    expect(slackText({ permitted: 0, used: 0, beyond: [] })).toBe(
      "Nobody whom it names is there now",
    );
    const wide = 2 ** 112;
    const addresses = [{ cause: "addresses", pairs: wide - 1 }] as const;
    expect(slackText({ permitted: wide, used: 1, beyond: addresses })).toBe(
      "Permits about 10^33 pairs of ends and port; about 10^33 not seen in use: other addresses of the set (about 10^33)",
    );
  });

  it("is summed in one line, with its share", () => {
    const one = { slack: { permitted: 3, used: 3, beyond: [] } };
    const other = {
      slack: { permitted: 5, used: 3, beyond: [{ cause: "ports", pairs: 2 }] },
    } as const;
    expect(totalText([])).toEqual([]);
    expect(totalText([one])).toEqual([
      "Slack: the rules permit 3 pairs of ends and port, all seen in use.",
    ]);
    expect(totalText([one, other])).toEqual([
      "Slack: the rules permit 8 pairs of ends and port; 2 of them (25.0 %) not seen in use.",
    ]);
  });

  it("tells of each role with too many rules what came of it", () => {
    const role = { role: "shop/hub", application: "shop", most: 32 };
    expect(
      fewerRulesText([
        { ...role, before: 40, after: 32, added: 24 },
        { ...role, before: 33, after: 32, added: 0 },
        { ...role, before: 47, after: 35, added: 0 },
        { ...role, before: 47, after: 47, added: 0 },
      ]),
    ).toEqual([
      "shop/hub: 40 rules that name it joined to 32, which permits 24 pairs more.",
      "shop/hub: 33 rules that name it joined to 32, which permits nothing more.",
      "shop/hub: 35 rules name it (47 before joining what permits nothing more), more than 32: no join within the bounds holds them to that.",
      "shop/hub: 47 rules name it, more than 32: no join within the bounds holds them to that.",
    ]);
    const many = Array.from({ length: 12 }, () => ({ ...role, before: 40, after: 40, added: 0 }));
    expect(fewerRulesText(many).at(-1)).toBe(
      "2 more roles that too many rules name: `-o json` lists them.",
    );
  });
});

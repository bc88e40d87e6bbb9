/** Patterns of domain names mean what they mean to Hubble, and cost no more than they are long. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { domainMatches, parseDomainPattern } from "../src/index.ts";

const matches = (pattern: string, name: string): boolean => {
  const parsed = parseDomainPattern(pattern);
  if (parsed === null) throw new Error(`${pattern} is no pattern`);
  return domainMatches(parsed, name);
};

it.each([
  ["db.example.com", "db.example.com", true],
  ["DB.Example.com.", "db.example.com", true],
  ["db.example.com", "db.example.org", false],
  ["*.example.com", "a.b.example.com", true],
  ["*.example.com", "example.com", false],
  ["*example.com", "example.com", true],
  ["a.*.com", "a.b.c.com", true],
  ["a.*.com", "a.com", false],
  ["*", "anything.at-all_0", true],
  ["a**b", "ab", true],
  ["*a*b*", "xaybz", true],
  ["*a*b*", "xbya", false],
  ["example", "example.com", false],
])("%s and %s: %s", (pattern, name, expected) => expect(matches(pattern, name)).toBe(expected));

it.each(["", ".", "a..", "a b", "a?", "a/b", "é.example", "a".repeat(254)])(
  "`%s` is none",
  (text) => expect(parseDomainPattern(text)).toBeNull(),
);

it("means the regular expression that Hubble makes of it", () => {
  const part = fc.constantFrom("a", "b", ".", "*", "-");
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("")),
      fc.stringMatching(/^[ab.-]{0,8}$/),
      (text, name) => {
        const pattern = parseDomainPattern(text);
        fc.pre(pattern !== null);
        const expression = pattern.replaceAll(".", "\\.").replaceAll("*", "[-.0-9a-z]*");
        expect(domainMatches(pattern, name)).toBe(new RegExp(`^(?:${expression})$`).test(name));
      },
    ),
  );
});

it("ends soon where regular expressions try everything", () => {
  expect(matches(`${"*a".repeat(120)}b`, "a".repeat(250))).toBe(false);
});

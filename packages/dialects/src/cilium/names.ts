/**
 * Domain names and their patterns. A star stands for characters of one label (SEMANTICS trap 8); `**.` at the start for
 * one label or several; nothing but stars for every name. Cilium's `pkg/fqdn/matchpattern`, without its final dots.
 */
import { fields, optional } from "../text/fields.ts";
import { mapped, refined, type Shape } from "../text/shape.ts";

/** What counts, for whole names in lower case without a final dot; RE2. */
export interface DomainMatch {
  readonly pattern: string;
  readonly regex: string;
}

const LONGEST = 255;
const CHARACTER = "[-a-z0-9_]";

const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, "");

export const nameExpression = (name: string): string => canonical(name).replaceAll(".", "[.]");

export const patternExpression = (pattern: string): string => {
  const text = canonical(pattern);
  if (/^\*+$/.test(text)) return `(?:${CHARACTER}+[.])*${CHARACTER}+`;
  const several = /^\*{2,}\./.exec(text)?.[0] ?? "";
  const rest = text
    .slice(several.length)
    .replaceAll(".", "[.]")
    .replaceAll(/\*+/g, `${CHARACTER}*`);
  return several === "" ? rest : `${CHARACTER}+(?:[.]${CHARACTER}+)*[.]${rest}`;
};

const letters = (what: string, allowed: RegExp, help: string): Shape<string> =>
  refined<string>((value) => {
    if (value.length > LONGEST) {
      return { code: "BH0107", error: `a name has at most ${LONGEST} characters` };
    }
    return allowed.test(value) && canonical(value) !== ""
      ? { value }
      : { code: "BH0107", error: `\`${value}\` is not ${what}`, help };
  });

const domainName = letters(
  "a domain name",
  /^[-a-zA-Z0-9_.]+$/,
  "letters, digits, `-`, `_` and `.`; stars belong into `matchPattern`",
);
const domainPattern = letters(
  "a pattern of domain names",
  /^[-a-zA-Z0-9_.*]+$/,
  "letters, digits, `-`, `_`, `.` and `*`; it is no regular expression",
);

/** `FQDNSelector`, and `PortRuleDNS`, which has the same fields. */
export const domainSelector = (what: string): Shape<DomainMatch> =>
  mapped(
    fields(what, { matchName: optional(domainName), matchPattern: optional(domainPattern) }),
    ({ matchName, matchPattern }, node, at): DomainMatch | undefined => {
      if (matchName !== undefined && matchPattern !== undefined) {
        at.report(
          "BH0109",
          node,
          "`matchName` and `matchPattern` exclude each other",
          "make it two entries",
        );
        return undefined;
      }
      if (matchName !== undefined) {
        return { pattern: canonical(matchName), regex: nameExpression(matchName) };
      }
      if (matchPattern !== undefined) {
        return { pattern: canonical(matchPattern), regex: patternExpression(matchPattern) };
      }
      at.report("BH0103", node, `${what} needs one of \`matchName\`, \`matchPattern\``);
      return undefined;
    },
  );

/** Names that a client asks for in TLS: a star only as a whole label, and `**.` in front for several. */
export const serverName: Shape<DomainMatch> = mapped(
  letters(
    "a server name",
    /^(?:\*\*\.)?(?:(?:\*|[-a-zA-Z0-9_]+)\.)*(?:\*|[-a-zA-Z0-9_]+)\.?$/,
    "a domain name, labels of which may be `*`, and which may begin with `**.`",
  ),
  (value): DomainMatch => ({ pattern: canonical(value), regex: patternExpression(value) }),
);

/**
 * Istio's patterns: `abc`, `abc*`, `*abc`, and `*` for anything that is not empty (AuthorizationPolicy, message Rule of istio/api).
 * Paths may have `{*}` and `{**}` for one segment and for any (since Istio 1.22), and then no other `*`.
 */
import { parseCidrOrAddress, type TextMatch } from "@bulkhead/model";
import { RE2JS } from "re2js";
import { readCidr } from "../native/networks.ts";
import { refined, type Refined, type Shape } from "../text/shape.ts";

export interface Pattern {
  readonly text: string;
  readonly match: TextMatch;
}

/** A `*` in the middle stands for itself, as it does in Istio. */
export function patternOf(text: string, ignoreCase = false): Pattern {
  const mark = ignoreCase ? { ignoreCase: true as const } : {};
  if (text === "*") return { text, match: { kind: "present" } };
  if (text.startsWith("*"))
    return { text, match: { kind: "suffix", value: text.slice(1), ...mark } };
  if (text.endsWith("*"))
    return { text, match: { kind: "prefix", value: text.slice(0, -1), ...mark } };
  return { text, match: { kind: "exact", value: text, ...mark } };
}

const nonEmpty = (what: string, read: (value: string) => Refined<Pattern>): Shape<Pattern> =>
  refined((value) =>
    value === ""
      ? { code: "BH0105", error: `an empty ${what} matches nothing`, help: "leave it out" }
      : read(value),
  );

const misplaced = (value: string): boolean => value.slice(1, -1).includes("*");

/** Text with a `*` where it means nothing is read as it stands, aloud. */
export const pattern = nonEmpty("pattern", (value) => ({
  value: patternOf(value),
  ...(misplaced(value) ? { warning: inTheMiddle(value) } : {}),
}));

export const hostPattern = nonEmpty("host", (value) => ({
  value: patternOf(value, true),
  ...(misplaced(value) ? { warning: inTheMiddle(value) } : {}),
}));

const inTheMiddle = (value: string) => ({
  code: "BH0404" as const,
  error: `the \`*\` within \`${value}\` stands for itself`,
  help: "only a `*` at the beginning or the end matches other text",
});

/** Characters that stand for themselves in a segment of a template: `pchar` of RFC 3986, as Istio checks it. */
const LITERAL = /^[-a-zA-Z0-9._~%!$&'()+,;:@=]+$/;

export const pathPattern = nonEmpty("path", (value) => {
  const template = /\{\*{1,2}\}/.test(value);
  if (!template && /[{}]/.test(value))
    return {
      code: "BH0105",
      error: `\`${value}\` has braces that are no operator`,
      help: "`{*}` stands for one segment of a path, `{**}` for any number",
    };
  if (!template)
    return {
      value: patternOf(value),
      ...(misplaced(value) ? { warning: inTheMiddle(value) } : {}),
    };
  const parts = value.split("/").slice(1);
  const sound =
    value.startsWith("/") &&
    parts.every((part, at) =>
      part === "{*}" || part === "{**}"
        ? part === "{*}" || !parts.slice(at + 1).some((later) => later.startsWith("{"))
        : LITERAL.test(part) || (part === "" && at === parts.length - 1),
    );
  if (!sound)
    return {
      code: "BH0105",
      error: `\`${value}\` is not a path template`,
      help: "`{*}` and `{**}` stand for whole segments, no other operator follows `{**}`, and the rest is what a path may hold",
    };
  const expression = parts
    .map((part) => (part === "{*}" ? "/[^/]+" : part === "{**}" ? "/.*" : `/${RE2JS.quote(part)}`))
    .join("");
  return { value: { text: value, match: { kind: "regex", value: expression } } };
});

/** `10.0.0.0/8` or a single address; Istio masks host bits. */
export const ipBlock = refined<string>((value) => {
  const parsed = parseCidrOrAddress(value);
  if (parsed === null)
    return { code: "BH0203", error: `\`${value}\` is neither an address nor a prefix` };
  return readCidr(value, parsed);
});

const HTTP_PORT = /^\d{1,5}$/;

/** Written as text in AuthorizationPolicy. */
export const portText = refined<number>((value) => {
  const port = HTTP_PORT.test(value) ? Number(value) : Number.NaN;
  return port <= 65535
    ? { value: port }
    : { code: "BH0205", error: `\`${value}\` is not a port`, help: "a number from 0 to 65535" };
});

const LONGEST_ACCOUNT = 320;

/** `account` of the policy's own namespace, or `namespace/account`. No pattern. */
export const accountName = refined<string>((value) => {
  const isSound = /^[^/*]+(?:\/[^/*]+)?$/.test(value) && value.length <= LONGEST_ACCOUNT;
  if (isSound) return { value };
  return {
    code: "BH0107",
    error: `\`${value.slice(0, LONGEST_ACCOUNT)}\` is not a service account`,
    help: "write `account` or `namespace/account`, without `*`",
  };
});

const wildcard = "a selector of Istio knows no `*`";

export const selectedLabel = refined<string>((value) =>
  value.includes("*") ? { code: "BH0202", error: `\`${value}\`: ${wildcard}` } : { value },
);

export const selectedKeyProblem = (key: string): string | null => {
  if (key === "") return "a label key cannot be empty";
  return key.includes("*") ? wildcard : null;
};

/** Does the pattern hold this text? For questions of identity, which are settled when a policy is read. */
export function holdsText({ match }: Pattern, text: string): boolean {
  switch (match.kind) {
    case "present":
      return text !== "";
    case "exact":
      return text === match.value;
    case "prefix":
      return text.startsWith(match.value);
    case "suffix":
      return text.endsWith(match.value);
    case "regex":
    case "cidr":
      return false;
  }
}

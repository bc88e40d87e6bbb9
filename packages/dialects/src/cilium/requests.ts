/** What a port rule asks above layer 4: requests of HTTP, questions of DNS. `build` makes predicates of it. */
import type { Condition, Predicate, TextMatch } from "@bulkhead/model";
import { expression } from "../text/expression.ts";
import { fields, optional, refused, required } from "../text/fields.ts";
import {
  list,
  mapped,
  refined,
  text,
  word,
  type Read,
  type Refined,
  type Shape,
} from "../text/shape.ts";
import { domainSelector } from "./names.ts";

const REMOVED = "Cilium has taken it out, and HTTP, DNS and server names are what it looks into";

const on = (attribute: Condition["attribute"], ...anyOf: readonly TextMatch[]): Condition => ({
  attribute,
  anyOf,
  noneOf: [],
});

/** Also where it is empty, which `present` would not hold. */
const EVEN_EMPTY: TextMatch = { kind: "prefix", value: "" };

/** RFC 9110 §5.1. */
const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;

const badHeader = (name: string): Refined<never> => ({
  code: "BH0107",
  error: `\`${name}\` is not the name of a header`,
});

const headerName = refined<string>((value) =>
  HEADER_NAME.test(value) ? { value: value.toLowerCase() } : badHeader(value),
);

/** `X-Token: secret`, `X-Token secret`, or `X-Token` for whatever it says. */
const headerLine = refined<Condition>((value) => {
  const space = value.indexOf(" ");
  const name = space < 0 ? value : value.slice(0, space).replace(/:+$/, "");
  if (!HEADER_NAME.test(name)) return badHeader(name);
  const wanted: TextMatch =
    space < 0 ? EVEN_EMPTY : { kind: "exact", value: value.slice(space + 1) };
  return { value: on(`header:${name.toLowerCase()}`, wanted) };
});

/** A mismatch that is only told, or set right, lets the request through. */
const headerMatch = mapped(
  fields("a match of a header", {
    name: required(headerName),
    value: optional(text),
    mismatch: optional(word("action", "LOG", "ADD", "DELETE", "REPLACE")),
    secret: optional(
      fields("a reference to a Secret", { name: required(text), namespace: optional(text) }),
    ),
  }),
  ({ name, value, mismatch, secret }, node, at): readonly Condition[] | undefined => {
    if (mismatch !== undefined) return [];
    if (secret !== undefined) {
      at.report(
        "BH0402",
        node,
        "a header that must say what a Secret holds cannot be represented",
        "what a Secret holds is not among policies; give the header a `value`",
      );
      return undefined;
    }
    const wanted: TextMatch =
      value === undefined || value === "" ? EVEN_EMPTY : { kind: "exact", value };
    return [on(`header:${name}`, wanted)];
  },
);

const matching = (attribute: Condition["attribute"], value: string | undefined): Condition[] =>
  value === undefined || value === "" ? [] : [on(attribute, { kind: "regex", value })];

/** The path is matched as it was sent, with its query. */
const httpRule = mapped(
  fields("an HTTP rule", {
    path: optional(expression),
    method: optional(expression),
    host: optional(expression),
    headers: optional(list(headerLine, "headers")),
    headerMatches: optional(list(headerMatch, "matches of headers")),
  }),
  ({ path, method, host, headers = [], headerMatches = [] }): Predicate => ({
    kind: "http",
    conditions: [
      ...matching("method", method),
      ...matching("target", path),
      ...matching("host", host),
      ...headers,
      ...headerMatches.flat(),
    ],
  }),
);

const dnsRule: Shape<Predicate> = mapped(domainSelector("a DNS rule"), ({ regex }): Predicate => ({
  kind: "dns",
  conditions: [on("dns", { kind: "regex", value: regex })],
}));

/** Exactly one of the protocols: a mixture is what Cilium rejects (SEMANTICS trap 9). */
export const requestRules = mapped(
  fields("layer 7 rules", {
    http: optional(list(httpRule, "HTTP rules")),
    dns: optional(list(dnsRule, "DNS rules")),
    kafka: refused(REMOVED),
    l7proto: refused(REMOVED),
    l7: refused(REMOVED),
  }),
  (value, node, at) => {
    const { http, dns } = value;
    if (http !== undefined && dns !== undefined) {
      at.report("BH0109", node, "`http` and `dns` exclude each other", "make it two rules");
      return undefined;
    }
    if ((http ?? dns ?? []).length === 0) {
      at.report(
        "BH0404",
        node,
        "layer 7 rules that are empty have no effect",
        "every request passes; to let none pass, take the port out",
      );
    }
    return value;
  },
);

export type RequestRules = Read<typeof requestRules>;

/**
 * `l7Protocols`: what a rule asks of HTTP and TLS, as antrea-io/antrea's `l7engine/reconciler.go` puts it to Suricata. A star
 * at an end stands for any text, elsewhere for itself.
 */
import type { Predicate, TextMatch } from "@bulkhead/model";
import { RE2JS } from "re2js";
import { fields, optional } from "../text/fields.ts";
import { list, mapped, refined, word, type Shape } from "../text/shape.ts";

export const patternMatch = (pattern: string, ignoreCase: boolean): TextMatch => {
  const mark = ignoreCase ? { ignoreCase: true as const } : {};
  const [before, after] = [pattern.startsWith("*"), pattern.endsWith("*")];
  if (before && after) {
    const inside = RE2JS.quote(pattern.slice(1, -1));
    return { kind: "regex", value: `(?${ignoreCase ? "is" : "s"}).*${inside}.*` };
  }
  if (before) return { kind: "suffix", value: pattern.slice(1), ...mark };
  if (after) return { kind: "prefix", value: pattern.slice(0, -1), ...mark };
  return { kind: "exact", value: pattern, ...mark };
};

/** Names of hosts are compared in lower case, paths as they are. */
const pattern = (what: string, ignoreCase: boolean): Shape<TextMatch> =>
  refined<TextMatch>((value) => {
    if (/^\*{0,2}$/.test(value)) {
      const help = "leave the field out: it holds every request then";
      return { code: "BH0105", error: `\`${value}\` is not ${what}`, help };
    }
    const match = patternMatch(value, ignoreCase);
    if (!value.slice(1, -1).includes("*")) return { value: match };
    const warning = {
      code: "BH0404",
      error: `the \`*\` within \`${value}\` stands for itself`,
      help: "only a `*` at the beginning or the end matches other text",
    } as const;
    return { value: match, warning };
  });

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "HEAD",
  "DELETE",
  "TRACE",
  "OPTIONS",
  "CONNECT",
  "PATCH",
] as const;

const condition = (attribute: "method" | "host" | "target" | "sni", match: TextMatch | undefined) =>
  match === undefined ? [] : [{ attribute, anyOf: [match], noneOf: [] }];

const http = mapped(
  fields("an HTTP protocol", {
    host: optional(pattern("a host", true)),
    method: optional(word("method", ...METHODS)),
    path: optional(pattern("a path", false)),
  }),
  ({ host, method, path }): Predicate => ({
    kind: "http",
    conditions: [
      ...condition("method", method === undefined ? undefined : { kind: "exact", value: method }),
      ...condition("host", host),
      // Suricata's `http.uri` has the query, too.
      ...condition("target", path),
    ],
  }),
);

const tls = mapped(
  fields("a TLS protocol", { sni: optional(pattern("a server name", true)) }),
  ({ sni }): Predicate => ({ kind: "tls", conditions: condition("sni", sni) }),
);

const protocol: Shape<Predicate> = mapped(
  fields("a layer 7 protocol", { http: optional(http), tls: optional(tls) }),
  (value, node, at): Predicate | undefined => {
    const { http: ofHttp, tls: ofTls } = value;
    if (ofHttp !== undefined && ofTls !== undefined) {
      at.report("BH0109", node, "`http` and `tls` exclude each other", "make it two entries");
      return undefined;
    }
    const found = ofHttp ?? ofTls;
    if (found === undefined) {
      at.report("BH0103", node, "a layer 7 protocol needs one of `http`, `tls`");
    }
    return found;
  },
);

export const requestList = list(protocol, "layer 7 protocols");

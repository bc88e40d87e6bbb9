/**
 * What a rule asks of a connection above layer 4: of the requests in it, of the name it was opened under. A rule without
 * predicates asks nothing; `decide` says what holds where the flow does not tell what its requests are.
 */

/** A test of one text. Regular expressions are RE2's, and must match the whole text (Envoy, Cilium and Istio agree). */
export type TextMatch =
  | {
      readonly kind: "exact" | "prefix" | "suffix";
      readonly value: string;
      readonly ignoreCase?: true;
    }
  /** Any text but the empty one (Istio's `*`). */
  | { readonly kind: "present" }
  | { readonly kind: "regex"; readonly value: string }
  /** An address in a prefix. */
  | { readonly kind: "cidr"; readonly value: string };

/**
 * `path` is without the query, `target` with it, as it was sent; where none is told, `target` is the path. `header:NAME`,
 * lower case. `sni` and `dns` are host names, lower case. `remote-ip` is the client's address as a trusted proxy tells it;
 * `request-principal` and `claim:NAME` come from a verified token.
 */
export type AttributeName =
  | "method"
  | "path"
  | "target"
  | "host"
  | "sni"
  | "dns"
  | "remote-ip"
  | "request-principal"
  | `header:${string}`
  | `claim:${string}`;

/** Holds when the attribute matches one of `anyOf`, if there are any, and none of `noneOf`. An absent one matches nothing. */
export interface Condition {
  readonly attribute: AttributeName;
  readonly anyOf: readonly TextMatch[];
  readonly noneOf: readonly TextMatch[];
}

/** All conditions hold, and the request is of this kind. `any`: of whichever kind. */
export interface Predicate {
  readonly kind: RequestKind | "any";
  readonly conditions: readonly Condition[];
}

export type RequestKind = "http" | "dns" | "tls";

/**
 * One request in a connection, as far as it is told. Names of headers and claims are lower case; several values of one
 * header are joined by commas, as a proxy does. `opaque`: the connection is known to carry nothing that can be looked into.
 */
export type Request =
  | { readonly kind: RequestKind; readonly attributes: Readonly<Record<string, string>> }
  | { readonly kind: "opaque" };

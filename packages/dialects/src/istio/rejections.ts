/**
 * What Istio's own check says of a whole policy (istio/istio `pkg/config/validation`, ValidateAuthorizationPolicy), apart from
 * what a single field can be wrong about.
 */
import type { IstioRule, Source } from "./authorization-policy.ts";

export const MOST_ACCOUNTS = 16;

/** An external judge is asked before anybody's identity or token has been looked at. */
const UNKNOWN_TO_JUDGES = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
] as const satisfies readonly (keyof Source)[];

const TOKENS = ["request-principal", "claim:"];

/** Names of what rules for such a judge ask and must not. */
export const customProblems = (rules: readonly IstioRule[]): readonly string[] => {
  const sources = rules.flatMap(({ from = [] }) => from.map((one) => one.source));
  const asked = UNKNOWN_TO_JUDGES.filter((field) =>
    sources.some((source) => (source[field] ?? []).length > 0),
  );
  const keys = rules.flatMap(({ when = [] }) =>
    when.flatMap(({ key }) => {
      if (key.kind === "identity") return [`source.${key.of}`];
      if (key.kind !== "attribute") return [];
      return TOKENS.some((start) => key.attribute.startsWith(start)) ? ["request.auth"] : [];
    }),
  );
  return [...new Set([...asked, ...keys])].map((name) => `\`${name}\``);
};

/** Without rules nothing matches, which is of use where nothing is what shall be allowed, and nowhere else. */
export const isNeverAsked = ({
  action,
  rules = [],
}: {
  readonly action?: string;
  readonly rules?: readonly unknown[];
}): boolean => rules.length === 0 && (action === "DENY" || action === "CUSTOM");

/**
 * Keys of `when` (istio.io, "Authorization Policy Conditions"): what the connection shows, or what the request does. Only the
 * former mean anything where traffic is not HTTP.
 */
import type { AttributeName } from "@bulkhead/model";
import { refined } from "../text/shape.ts";

export type ConditionKey =
  /** Who calls, by its certificate. */
  | { readonly kind: "identity"; readonly of: "principal" | "namespace" | "serviceAccount" }
  | { readonly kind: "source-ip" }
  | { readonly kind: "destination-ip" }
  | { readonly kind: "port" }
  | {
      readonly kind: "attribute";
      readonly attribute: AttributeName;
      readonly asks: "http" | "tls" | "any";
    };

const PLAIN: Readonly<Record<string, ConditionKey>> = {
  "source.principal": { kind: "identity", of: "principal" },
  "source.namespace": { kind: "identity", of: "namespace" },
  "source.serviceAccount": { kind: "identity", of: "serviceAccount" },
  "source.ip": { kind: "source-ip" },
  "destination.ip": { kind: "destination-ip" },
  "destination.port": { kind: "port" },
  "remote.ip": { kind: "attribute", attribute: "remote-ip", asks: "any" },
  "connection.sni": { kind: "attribute", attribute: "sni", asks: "tls" },
  "request.auth.principal": { kind: "attribute", attribute: "request-principal", asks: "http" },
  "request.auth.audiences": { kind: "attribute", attribute: "claim:aud", asks: "http" },
  "request.auth.presenter": { kind: "attribute", attribute: "claim:azp", asks: "http" },
};

export const conditionKey = refined<ConditionKey>((value) => {
  if (Object.hasOwn(PLAIN, value)) return { value: PLAIN[value]! };
  const header = /^request\.headers\[([^[\]]+)\]$/.exec(value)?.[1];
  if (header !== undefined) return { value: attributeOf(`header:${header.toLowerCase()}`) };
  const claim = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/.exec(value)?.[1];
  if (claim !== undefined)
    return { value: attributeOf(`claim:${claim.slice(1, -1).replaceAll("][", ".")}`) };
  const refusal = /^(?:request\.)?experimental\./.test(value);
  return refusal
    ? {
        code: "BH0402",
        error: `\`${value}\` cannot be represented`,
        help: "take the condition out, or ask for a header that says the same",
      }
    : {
        code: "BH0105",
        error: `unknown key \`${value}\``,
        help: "for example `request.headers[x-user]` or `source.namespace`",
      };
});

const attributeOf = (attribute: AttributeName): ConditionKey => ({
  kind: "attribute",
  attribute,
  asks: "http",
});

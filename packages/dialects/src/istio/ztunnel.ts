/**
 * What is left of a rule for a ztunnel, which looks into no request (istio/istio `ambient/authorization.go` handleRule; ztunnel
 * `rbac.rs`). A rule that allows is left out where it asks for one. One that denies goes without what it asks, and where a whole
 * part of it asked for nothing else, that part holds nobody: the denial never does anything (istio/istio issue 61126).
 */
import type { IstioCondition, IstioRule, Operation, Source } from "./authorization-policy.ts";

const SOURCES = [
  "principals",
  "notPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
  "ipBlocks",
  "notIpBlocks",
] as const satisfies readonly (keyof Source)[];
const SOURCES_OF_REQUESTS = [
  "requestPrincipals",
  "notRequestPrincipals",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
] as const satisfies readonly (keyof Source)[];
const OPERATIONS = ["ports", "notPorts"] as const satisfies readonly (keyof Operation)[];
const OPERATIONS_OF_REQUESTS = [
  "hosts",
  "notHosts",
  "methods",
  "notMethods",
  "paths",
  "notPaths",
] as const satisfies readonly (keyof Operation)[];

const says = <K extends string>(
  part: Readonly<Partial<Record<K, readonly unknown[]>>>,
  names: readonly K[],
): boolean => names.some((name) => (part[name] ?? []).length > 0);

/** Accounts have a field among sources and no condition that a ztunnel knows. */
const isKnown = ({ key }: IstioCondition): boolean =>
  key.kind === "identity" ? key.of !== "serviceAccount" : key.kind !== "attribute";

/** Null: the rule holds nobody. */
export const forZtunnel = (rule: IstioRule, isAllow: boolean): IstioRule | null => {
  const { from, to, when = [] } = rule;
  if (!when.every(isKnown)) return null;
  if (isAllow) {
    const asks =
      (from ?? []).some(({ source }) => says(source, SOURCES_OF_REQUESTS)) ||
      (to ?? []).some(({ operation }) => says(operation, OPERATIONS_OF_REQUESTS));
    return asks ? null : rule;
  }
  const sources = from?.filter(({ source }) => says(source, SOURCES));
  const operations = to?.filter(({ operation }) => says(operation, OPERATIONS));
  if (sources?.length === 0 || operations?.length === 0) return null;
  return {
    source: rule.source,
    when,
    ...(sources === undefined ? {} : { from: sources }),
    ...(operations === undefined ? {} : { to: operations }),
  };
};

/**
 * `destination.ip`: a rule for some of a policy's workloads only. Which are at the prefixes that policies name is told by labels
 * that nobody can declare, and by those its rule has blocks of its own, beside the one that all rules share.
 */
import {
  cidrCovers,
  cidrRange,
  hostCidr,
  parseCidrOrAddress,
  type Cidr,
  type IpAddress,
  type Labels,
  type Requirement,
  type Workload,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { AuthorizationPolicy, IstioRule } from "./authorization-policy.ts";

const labelOf = (prefix: Cidr): string => `:mesh-at/${prefix}`;

interface Clause {
  readonly values: readonly Cidr[];
  readonly notValues: readonly Cidr[];
}

const clausesOf = ({ when = [] }: IstioRule): readonly Clause[] =>
  when.flatMap(({ key, values = [], notValues = [] }) =>
    key.kind === "destination-ip"
      ? [
          {
            values: values.map(({ text }) => parseCidrOrAddress(text)!.cidr),
            notValues: notValues.map(({ text }) => parseCidrOrAddress(text)!.cidr),
          },
        ]
      : [],
  );

/** All that policies ask about. */
export const askedPrefixes = (policies: readonly AuthorizationPolicy[]): readonly Cidr[] => [
  ...new Set(
    policies
      .flatMap(({ spec }) => spec?.rules ?? [])
      .flatMap(clausesOf)
      .flatMap(({ values, notValues }) => [...values, ...notValues]),
  ),
];

const isAt = (prefix: Cidr) => (address: IpAddress) => cidrCovers(prefix, hostCidr(address));

export const placeLabels = ({ addresses }: Workload, prefixes: readonly Cidr[]): Labels =>
  Object.fromEntries(
    prefixes.filter((one) => addresses.some(isAt(one))).map((one) => [labelOf(one), ""]),
  );

/** Which of the workloads the rule is for: one of these lists must hold. Null: it is for all. */
export const placesOf = (rule: IstioRule): readonly (readonly Requirement[])[] | null => {
  const clauses = clausesOf(rule);
  if (clauses.length === 0) return null;
  return clauses.reduce<readonly (readonly Requirement[])[]>(
    (lists, { values, notValues }) => {
      const outside = notValues.map((one): Requirement => ({
        key: labelOf(one),
        operator: "DoesNotExist",
      }));
      const inside = values.map((one): Requirement => ({ key: labelOf(one), operator: "Exists" }));
      return lists.flatMap((list) =>
        inside.length === 0
          ? [[...list, ...outside]]
          : inside.map((one) => [...list, one, ...outside]),
      );
    },
    [[]],
  );
};

/** Labels are the workload's, not one of its addresses': where these differ, a rule cannot be told whom it is for. */
export const tellTornWorkloads = (
  policies: readonly AuthorizationPolicy[],
  workloads: readonly Workload[],
  { report }: BuildContext,
): void => {
  for (const { source, spec } of policies) {
    const asked = (spec?.rules ?? []).flatMap(clausesOf);
    const torn = asked
      .flatMap(({ values, notValues }) => [...values, ...notValues])
      .find((prefix) =>
        workloads.some(
          ({ addresses }) => addresses.some(isAt(prefix)) && !addresses.every(isAt(prefix)),
        ),
      );
    if (torn === undefined) continue;
    const family = cidrRange(torn).family;
    report(
      "BH0402",
      source,
      `\`destination.ip\` cannot be represented where workloads have addresses inside and outside \`${torn}\``,
      `select the workloads by their labels; the prefix is of IPv${family}`,
    );
  }
};

/**
 * What the machine must be able to do, against a change of policy: refused where the policy itself says that it would
 * break it, and taken back where a look from the machine says that it did. What did not work before is not held against it.
 */
import { decide } from "@bulkhead/engine";
import {
  createDiagnostic,
  formatInvariant,
  formatSpan,
  invariantKey,
  invariantProtocol,
  NOWHERE,
  type DeclaredInvariant,
  type Determinant,
  type Diagnostic,
  type Invariant,
  type InvariantCheck,
  type PolicySet,
} from "@bulkhead/model";
import type { InvariantView } from "@bulkhead/api";
import type { World } from "../world/world.ts";

export interface Side {
  readonly set: PolicySet;
  readonly world: World;
}

/** Errors for what `before` allows and `after` denies, at the rule that does it. */
export function brokenByPolicy(
  checks: readonly InvariantCheck[],
  declared: readonly DeclaredInvariant[],
  { before, after, now }: { readonly before: Side; readonly after: Side; readonly now: number },
): readonly Diagnostic[] {
  const places = new Map(declared.map((one) => [invariantKey(one), one.source]));
  const options = { now, view: "live" } as const;
  return checks.flatMap((check) => {
    if (check.outcome === "failed") return [];
    for (const query of queriesOf(check, after.world)) {
      if (decide(before.set, before.world.index, query, options).verdict !== "allow") continue;
      const decision = decide(after.set, after.world.index, query, options);
      if (decision.verdict === "allow") continue;
      const side = decision.egress.verdict === "allow" ? decision.ingress : decision.egress;
      const place = places.get(invariantKey(check));
      const said = place === undefined ? "" : `, declared at ${formatSpan(place)}`;
      const by = causeOf(side.determinedBy);
      return [
        createDiagnostic(
          "BH0606",
          by.span ?? place ?? NOWHERE,
          `\`${formatInvariant(check)}\`${said} would be broken by \`${by.name}\``,
          "allow it first, or, if it is meant, say `--force --reason '…'`",
        ),
      ];
    }
    return [];
  });
}

/** Of the machine's own addresses the one that is in use, or all that could be. */
function queriesOf({ kind, address, port, local }: InvariantCheck, { inventory }: World) {
  const family = address.includes(":");
  const own =
    local === undefined
      ? inventory.hostAddresses.filter((one) => one.includes(":") === family)
      : [local];
  const protocol = invariantProtocol(kind);
  return own.map((here) =>
    kind === "ssh"
      ? { source: address, destination: here, protocol, port }
      : { source: here, destination: address, protocol, port },
  );
}

function causeOf(determinedBy: Determinant) {
  if (determinedBy.kind === "rule") return { name: determinedBy.rule, span: determinedBy.source };
  if (determinedBy.kind === "isolation")
    return { name: determinedBy.block, span: determinedBy.source };
  return { name: "the default", span: undefined };
}

/** To be looked at again once a change is in force. */
export function thoseThatHeld(checks: readonly InvariantCheck[]): readonly Invariant[] {
  return checks
    .filter(({ outcome }) => outcome === "held")
    .map(({ kind, address, port }) => ({ kind, address, port }));
}

/** One line for each. */
export const brokenLines = (after: readonly InvariantCheck[]): readonly string[] =>
  after
    .filter(({ outcome }) => outcome === "failed")
    .map((one) => `\`${formatInvariant(one)}\` (${one.detail ?? "no answer"})`);

/** Both looks together, for people. */
export function invariantViews(
  before: readonly InvariantCheck[],
  after: readonly InvariantCheck[],
): InvariantView[] {
  const later = new Map(after.map((one) => [invariantKey(one), one]));
  return before.map((one) => {
    const now = later.get(invariantKey(one));
    const { kind, address, port, outcome, detail } = now ?? one;
    return {
      name: formatInvariant(one),
      kind,
      address,
      port,
      before: one.outcome,
      ...(now === undefined ? {} : { after: outcome }),
      ...(detail === undefined ? {} : { detail }),
    };
  });
}

/** AuthorizationPolicies to blocks: one for each way in which the workloads they are for stand in the mesh. */
import {
  isReservedLabel,
  matches,
  selectorOf,
  TCP,
  type PolicyRef,
  type PortMatch,
  type Requirement,
  type Rule,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import { refId, type StagedBlock } from "../build/native-blocks.ts";
import { contentName } from "../build/rule-id.ts";
import type { BuildInput, RankedStage } from "../dialect.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { AuthorizationPolicy, IstioRule } from "./authorization-policy.ts";
import type { CallerIndex } from "./callers.ts";
import { placesOf } from "./destinations.ts";
import { TLS_STAGE } from "./peer-authentication.ts";
import { plainText } from "./plaintext.ts";
import { ruleContents, type RuleContent, type RuleSetting } from "./rules.ts";
import {
  standingRequirements,
  standingsOf,
  subjectOf,
  type Standing,
  type Subject,
} from "./subjects.ts";
import { targetParts, targetsOf } from "./targets.ts";
import { CAPTURED } from "./waypoints.ts";
import { forZtunnel } from "./ztunnel.ts";

const WAYPOINT_CUSTOM_STAGE = "istio/waypoint-custom";
const WAYPOINT_DENY_STAGE = "istio/waypoint-deny";
const WAYPOINT_ALLOW_STAGE = "istio/waypoint-allow";
const CUSTOM_STAGE = "istio/custom";
const DENY_STAGE = "istio/deny";
const ALLOW_STAGE = "istio/allow";

const OVERRIDING = { plane: "mesh", mode: "denyOverrides", endIfApplied: "pass" } as const;

/**
 * CUSTOM, then DENY, then ALLOW; callers without a certificate fail before any of them. All after the network's own stages. What a
 * waypoint lets through goes on to the ztunnel, so that there an ALLOW passes, and a denial of everything else follows.
 */
export const ISTIO_STAGES: readonly RankedStage[] = [
  { id: TLS_STAGE, rank: 300, plane: "mesh", mode: "firstMatch", endIfApplied: "pass" },
  { id: WAYPOINT_CUSTOM_STAGE, rank: 302, ...OVERRIDING },
  { id: WAYPOINT_DENY_STAGE, rank: 304, ...OVERRIDING },
  { id: WAYPOINT_ALLOW_STAGE, rank: 306, plane: "mesh", mode: "firstMatch", endIfApplied: "pass" },
  { id: CUSTOM_STAGE, rank: 310, ...OVERRIDING },
  { id: DENY_STAGE, rank: 320, ...OVERRIDING },
  { id: ALLOW_STAGE, rank: 330, plane: "mesh", mode: "anyAllow", endIfApplied: "deny" },
];

const STAGE = {
  CUSTOM: CUSTOM_STAGE,
  DENY: DENY_STAGE,
  AUDIT: DENY_STAGE,
  ALLOW: ALLOW_STAGE,
} as const;
const WAYPOINT_STAGE = {
  CUSTOM: WAYPOINT_CUSTOM_STAGE,
  DENY: WAYPOINT_DENY_STAGE,
  AUDIT: WAYPOINT_DENY_STAGE,
  ALLOW: WAYPOINT_ALLOW_STAGE,
} as const;

/** A mesh redirects TCP and nothing else, so what it isolates stays open to all other protocols. */
const NOT_TCP: readonly PortMatch[] = Array.from({ length: 256 }, (_, protocol) => protocol)
  .filter((protocol) => protocol !== TCP)
  .map((protocol) => ({ kind: "protocol", protocol }));

interface Part {
  readonly name: string;
  readonly subject: Subject;
  readonly standing: Standing;
}

export function authorizationBlocks(
  policy: AuthorizationPolicy,
  input: BuildInput,
  callers: CallerIndex,
  context: BuildContext,
): readonly StagedBlock[] {
  const { metadata, spec = { source: policy.source }, source } = policy;
  const home = metadata.namespace ?? DEFAULT_NAMESPACE;
  const ref: PolicyRef = { kind: "AuthorizationPolicy", namespace: home, name: metadata.name };
  const action = spec.action ?? "ALLOW";
  const isDryRun = metadata.annotations?.["istio.io/dry-run"] === "true";
  const enforce: Rule["enforce"] =
    context.options.mode === "enforce" && !isDryRun ? "on" : "staged";
  const rules = spec.rules ?? [];
  const shared = rules.filter((rule) => placesOf(rule) === null);
  return partsOf(spec, home, input, callers, context).flatMap(
    ({ name, subject, standing }): StagedBlock[] => {
      // A ztunnel knows neither CUSTOM nor AUDIT.
      if (standing.plane === "ambient" && (action === "CUSTOM" || action === "AUDIT")) return [];
      const setting: RuleSetting = { action, namespace: home, callers, ...standing };
      const isWaypoint = standing.way.kind === "to-waypoint";
      if (standing.way.kind === "direct" && isMetBy(callers, subject))
        tellIdle(rules, setting, context);
      const blockOf = (id: string, some: readonly IstioRule[], more: readonly Requirement[]) => ({
        stage: (isWaypoint ? WAYPOINT_STAGE : STAGE)[action],
        block: {
          id,
          source,
          subject: narrowed(subject, more),
          direction: "ingress" as const,
          order: [0],
          isolates: action === "ALLOW" && !isWaypoint,
          enforce,
          rules: [
            ...rulesOf(
              id,
              some
                .flatMap((rule) => ruleContents(rule, setting))
                .map((one) =>
                  isWaypoint && action === "ALLOW" ? { ...one, action: "pass" } : one,
                ),
              enforce,
            ),
            ...(action === "ALLOW" && !isWaypoint ? [others(id, source, enforce)] : []),
          ],
          policy: ref,
        },
      });
      const id = `${refId(ref)}#ingress${name}`;
      return [
        blockOf(id, shared, []),
        ...(isWaypoint && action === "ALLOW" ? [denyingRest(blockOf(`${id}@rest`, [], []))] : []),
        ...rules.flatMap((rule, number) =>
          (placesOf(rule) ?? []).map((more, at) =>
            blockOf(`${id}@to${number}.${at}`, [rule], more),
          ),
        ),
      ];
    },
  );
}

const isMetBy = (
  { workloads, planes }: CallerIndex,
  { namespaces, selector: { requirements } }: Subject,
): boolean => {
  const own = selectorOf(requirements.filter(({ key }) => !isReservedLabel(key)));
  return workloads.some(
    ({ id, namespace, labels }) =>
      planes.get(id) === "ambient" &&
      (namespaces.kind === "all" ||
        (namespaces.kind === "named" && namespaces.name === namespace)) &&
      matches(own, labels),
  );
};

/** Whoever wrote it wants something that nobody does. */
const tellIdle = (
  rules: readonly IstioRule[],
  { plane, action }: RuleSetting,
  { report }: BuildContext,
): void => {
  if (plane !== "ambient") return;
  for (const rule of rules) {
    if (forZtunnel(rule, action === "ALLOW") !== null) continue;
    report(
      "BH0308",
      rule.source,
      "a ztunnel looks into no request, and never applies this rule",
      action === "ALLOW"
        ? "give the workloads a waypoint, and the policy a `targetRefs` with it"
        : "nothing is denied by it; name ports or callers, or give the workloads a waypoint and the policy a `targetRefs` with it",
    );
  }
};

const narrowed = (subject: Subject, more: readonly Requirement[]): Subject =>
  more.length === 0
    ? subject
    : { ...subject, selector: selectorOf([...subject.selector.requirements, ...more]) };

const nameOf = ({ plane, plain, way }: Standing): string => {
  if (way.kind === "from-waypoint") return `@behind ${way.waypoint}`;
  if (plain !== null) return `@plaintext-${plainText(plain)}`;
  return plane === "ambient" ? "@ambient" : "";
};

function partsOf(
  spec: NonNullable<AuthorizationPolicy["spec"]>,
  home: string,
  input: BuildInput,
  index: CallerIndex,
  context: BuildContext,
): readonly Part[] {
  const targets = targetsOf(spec);
  if (targets.length === 0) {
    return standingsOf(index).map((standing) => ({
      name: nameOf(standing),
      subject: subjectOf(home, spec.selector?.matchLabels, standingRequirements(standing)),
      standing,
    }));
  }
  return targets.flatMap((target, number) => {
    const parts = targetParts(target, home, input);
    if (parts === null) {
      context.report(
        "BH0402",
        target.source,
        `a policy for a ${target.kind} cannot be represented`,
        "name the waypoint's Gateway, or select the workloads",
      );
      return [];
    }
    return parts.map(({ subject, isBehind }, at) => ({
      name: `@${number}.${at}`,
      subject,
      // A waypoint and a gateway are proxies like a sidecar: they look into requests.
      standing: {
        plane: "sidecar",
        plain: null,
        way: { kind: isBehind ? "to-waypoint" : "direct" },
      },
    }));
  });
}

function rulesOf(
  id: string,
  contents: readonly RuleContent[],
  enforce: Rule["enforce"],
): readonly Rule[] {
  const taken = new Set<string>();
  return contents.map((content): Rule => {
    const { action, peers, ports, l7 } = content;
    const name = contentName({ action, peers, ports: [ports, l7] }, taken);
    taken.add(name);
    return { id: `${id}/${name}`, ...content, enforce };
  });
}

/** After all that pass, in whatever policy. */
function denyingRest({ stage, block }: StagedBlock): StagedBlock {
  const { id, source, enforce } = block;
  const rule = {
    id: `${id}/deny`,
    source,
    action: "deny",
    peers: [CAPTURED],
    ports: [{ kind: "protocol", protocol: TCP }],
    enforce,
    description: "no policy of the waypoint allows it",
  } as const;
  return { stage, block: { ...block, order: [1], rules: [rule] } };
}

function others(id: string, source: Rule["source"], enforce: Rule["enforce"]): Rule {
  return {
    id: `${id}/not-tcp`,
    source,
    action: "allow",
    peers: [{ kind: "any" }],
    ports: NOT_TCP,
    enforce,
    description: "a mesh looks at TCP only",
  };
}

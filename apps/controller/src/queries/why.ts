/**
 * Why a connection failed: finds the denial that is meant, has the reference explain it under the policy in force, and adds
 * what a person needs to go on: who answers for the rule, its commit, since when, and the resource to propose.
 */
import { ApiFailure, type WhyAnswer, type WhyQuery, type WhyRule } from "@bulkhead/api";
import { formatResourceName, printResources } from "@bulkhead/dialects";
import {
  formatPort,
  isShortFor,
  type Decision,
  type Determinant,
  type DirectionDecision,
  type Edge,
  type FileOrigin,
  type Flow,
} from "@bulkhead/model";
import type { FlowFilter, Revision } from "@bulkhead/store";
import type { HeldResource } from "../policy/candidate.ts";
import { resolveEnd } from "./ends.ts";
import { explainPaths, type ExplainContext, type Explained } from "./explain.ts";

export interface WhyContext extends Omit<ExplainContext, "edges"> {
  /** Own probes left out; newest last. */
  readonly flows: (filter: Omit<FlowFilter, "probes">) => Promise<readonly Flow[]>;
  readonly edges: (filter: Omit<FlowFilter, "probes">) => Promise<readonly Edge[]>;
  /** Newest first. */
  readonly revisions: () => Promise<readonly Revision[]>;
}

const DENIED = ["dropped", "rejected"] as const;
/** So many denials are looked through for one of the asker's own. */
const LOOKED_AT = 500;

export async function whyDenied(query: WhyQuery, context: WhyContext): Promise<WhyAnswer> {
  const uid = query.uid === undefined ? undefined : Number(query.uid);
  const found = await latestDenial(query, uid, context);
  const { revision } = context.inForce;
  const asked = endsOf(query, found);
  if (asked === undefined) {
    // Of somebody there is nothing on record; of nobody there cannot be.
    const sets = context.inForce.reading.networkSets;
    for (const name of [query.from, query.to]) {
      if (name !== undefined) resolveEnd(name, context.world, sets);
    }
    return { revision, rules: [] };
  }
  const denial = found === undefined ? {} : { denial: await denialOf(found, uid, context) };
  const named = { from: asked.from, to: asked.to, port: asked.port };
  let explained: Explained;
  try {
    explained = explainPaths({ ...asked, preferIntent: true }, context);
  } catch (error) {
    // Who was denied is gone: what is on record is all there is to tell.
    const gone = error instanceof ApiFailure && error.code === "unknown-workload";
    if (!gone || found === undefined || query.from !== undefined) throw error;
    return { revision, ...named, ...denial, rules: [] };
  }
  const denied = explained.paths.find(({ explanation }) => isDenied(explanation.decision));
  const base = {
    revision,
    verdict: explained.verdict,
    from: explained.from.name,
    to: explained.to.name,
    port: formatPort(explained.protocol, explained.port),
    ...denial,
  };
  if (denied === undefined) return { ...base, rules: [] };
  const { decision, smallestChange } = denied.explanation;
  const revisions = await context.revisions();
  return {
    ...base,
    rules: [decision.egress, decision.ingress]
      .filter(({ verdict }) => verdict !== "allow")
      .map((judged) => ruleOf(judged, context, revisions)),
    ...draftOf(smallestChange, decision, context.inForce.held),
  };
}

function isDenied({ verdict }: Decision): boolean {
  return verdict !== "allow";
}

/** The newest that fits; of the asker's own processes the newest, where any is known to be theirs. */
async function latestDenial(
  { from, to, port }: WhyQuery,
  uid: number | undefined,
  context: WhyContext,
): Promise<Flow | undefined> {
  // Names are looked up by the explanation, which knows every way to say them: here only what was seen bears them.
  const flows = await context.flows({ verdicts: DENIED, limit: LOOKED_AT });
  const fits = (name: string | undefined, end: Flow["source"]): boolean =>
    name === undefined ||
    name === end.name ||
    name === end.address ||
    end.name.endsWith(`/${name}`) ||
    isShortFor(name, end.name, end.labels) ||
    end.names?.includes(name) === true;
  const wanted = flows.filter(
    (flow) =>
      fits(from, flow.source) &&
      fits(to, flow.destination) &&
      (port === undefined || portFits(port, flow)),
  );
  return wanted.findLast((flow) => isOf(uid, flow)) ?? wanted.at(-1);
}

function portFits(text: string, { protocol, port }: Flow): boolean {
  const formatted = formatPort(protocol, port);
  return formatted === text || formatted === `${text}/tcp`;
}

function isOf(uid: number | undefined, { source, destination }: Flow): boolean {
  if (uid === undefined) return false;
  return source.process?.uid === uid || destination.process?.uid === uid;
}

/** What was asked, completed by what was seen. Undefined where neither says it whole. */
function endsOf(
  query: WhyQuery,
  found: Flow | undefined,
): { readonly from: string; readonly to: string; readonly port: string } | undefined {
  // A domain name stands for the address that was denied: what else it stands for nobody was denied.
  const endOf = (name: string | undefined, end: Flow["source"] | undefined) =>
    name !== undefined && end?.names?.includes(name) !== true ? name : end && nameOf(end);
  const from = endOf(query.from, found?.source);
  const to = endOf(query.to, found?.destination);
  const port = query.port ?? (found && formatPort(found.protocol, found.port));
  return from === undefined || to === undefined || port === undefined
    ? undefined
    : { from, to, port };
}

/** As `explain` takes it. The world and those who listen are too many to be meant. */
function nameOf({ workload, name, address }: Flow["source"]): string {
  return workload ?? (["world", "broadcast", "multicast"].includes(name) ? address : name);
}

async function denialOf(
  flow: Flow,
  uid: number | undefined,
  context: WhyContext,
): Promise<NonNullable<WhyAnswer["denial"]>> {
  const { source, destination, protocol, port, verdict, rule } = flow;
  const edges = await context.edges({
    verdicts: DENIED,
    from: [source.name],
    to: [destination.name],
    ports: [{ protocol, first: port, last: port }],
  });
  return {
    source,
    destination,
    verdict: verdict === "rejected" ? "rejected" : "dropped",
    ...(rule === undefined ? {} : { rule }),
    connections: edges.reduce((sum, edge) => sum + edge.connections, 0),
    began: Math.min(flow.start, ...edges.map((edge) => edge.firstSeen)),
    last: Math.max(flow.end, ...edges.map((edge) => edge.lastSeen)),
    yours: isOf(uid, flow),
  };
}

function ruleOf(
  { direction, determinedBy }: DirectionDecision,
  { inForce }: WhyContext,
  revisions: readonly Revision[],
): WhyRule {
  const resource = resourceOf(determinedBy);
  const held = inForce.held.find(({ stored }) => stored.key === resource);
  if (resource === undefined || held === undefined) return { direction, determinedBy };
  const { stored } = held;
  const owner = ownerOf(determinedBy, held);
  const brought = revisions.find(
    ({ changes }) => changes.added.includes(stored.key) || changes.changed.includes(stored.key),
  );
  return {
    direction,
    determinedBy: withinRepository(determinedBy, stored.origin),
    resource,
    mode: stored.mode,
    ...(owner === undefined ? {} : { owner }),
    ...(stored.origin && { origin: stored.origin }),
    ...(brought && {
      since: {
        revision: brought.revision,
        time: brought.time,
        author: brought.author,
        reason: brought.reason,
      },
    }),
  };
}

/** The place in the repository tells more to others than the place on the disk of whoever applied it. */
function withinRepository(by: Determinant, origin: FileOrigin | undefined): Determinant {
  if (origin === undefined || (by.kind !== "rule" && by.kind !== "isolation")) return by;
  return { ...by, source: { ...by.source, file: origin.path } };
}

function resourceOf(by: Determinant): string | undefined {
  if (by.kind !== "rule" && by.kind !== "isolation") return undefined;
  return formatResourceName(by.policy);
}

/** For dialects without an `owner` of their own. */
const OWNER_ANNOTATIONS = ["bulkhead.dev/owner", "owner", "team"];

function ownerOf(by: Determinant, { resource }: HeldResource): string | undefined {
  const own = by.kind === "rule" || by.kind === "isolation" ? by.policy.owner : undefined;
  if (own !== undefined) return own;
  const { metadata } = resource.object;
  const annotations: Readonly<Record<string, string>> =
    "annotations" in metadata ? (metadata.annotations ?? {}) : {};
  return OWNER_ANNOTATIONS.flatMap((key) => annotations[key] ?? [])[0];
}

function draftOf(
  change: Explained["paths"][number]["explanation"]["smallestChange"],
  decision: Decision,
  held: readonly HeldResource[],
): Pick<WhyAnswer, "draft" | "inTheWay"> {
  if (change === null) return {};
  if (change.kind === "blocked") return { inTheWay: change.reason };
  const { manifest, fillIn } = change;
  const file = neighbourhood(manifest.metadata.namespace ?? "default", decision, held);
  return {
    draft: {
      kind: manifest.kind,
      text: printResources([manifest]),
      fillIn: [...fillIn],
      file: file ?? `${manifest.metadata.name}.yaml`,
      exists: file !== undefined,
    },
  };
}

/** The file that holds what denies it, if that is of the same namespace; else the one that holds most of that namespace. */
function neighbourhood(
  namespace: string,
  { egress, ingress }: Decision,
  held: readonly HeldResource[],
): string | undefined {
  const own = held.filter(
    ({ stored }) => stored.key.split("/")[1] === namespace && stored.fileName !== "-",
  );
  const nameOf = ({ stored }: HeldResource): string => stored.origin?.path ?? stored.fileName;
  const denying = [ingress, egress]
    .filter(({ verdict }) => verdict !== "allow")
    .map(({ determinedBy }) => resourceOf(determinedBy));
  const near = own.find(({ stored }) => denying.includes(stored.key));
  if (near !== undefined) return nameOf(near);
  const counts = new Map<string, number>();
  for (const one of own) counts.set(nameOf(one), (counts.get(nameOf(one)) ?? 0) + 1);
  return [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]?.[0];
}

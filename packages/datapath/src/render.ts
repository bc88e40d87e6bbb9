/**
 * HostPolicy → Ruleset. Look-up trees (live and shadow, and canary while a rollout is under way; egress and ingress), each: subject address → class chain
 * → row chain → leaf. What is written here is exactly what `read-back.ts` accepts.
 */
import { familyOf } from "@bulkhead/model";
import type {
  ClassId,
  HostPolicy,
  IpAddress,
  IpFamily,
  MapSet,
  Row,
  RowDecision,
  RowId,
} from "@bulkhead/model";
import { hasProcesses } from "./bindings.ts";
import { renderBridge } from "./bridge-guard.ts";
import { writeClass } from "./class-chain.ts";
import { writeEndpoints, writePorts } from "./endpoints.ts";
import { exemptJumps, writeExemptions } from "./exemptions.ts";
import { BOTH, wordsOf } from "./family.ts";
import { groupRules } from "./group-guard.ts";
import { HOST, writeFrame } from "./frame.ts";
import { writeLeaf } from "./leaf-chain.ts";
import { writeNewLinks } from "./link-guard.ts";
import {
  TREES,
  classChain,
  judgedName,
  nearChain,
  nearName,
  subjectsName,
  viaChain,
} from "./names.ts";
import type { Tree } from "./names.ts";
import { nodeRules, writeProcessHooks } from "./process-hooks.ts";
import { nearClasses, writeNear } from "./process-peers.ts";
import { processesOf, writeJudged, writeOwners, writeProcesses } from "./process-sets.ts";
import { writeRow } from "./row-chain.ts";
import { LOCAL_ADDRESSES, TableBuilder } from "./ruleset.ts";
import type { Ruleset } from "./ruleset.ts";
import { renderGuard } from "./spoof-guard.ts";

const mapSetOf = ({ live, shadow, canary }: HostPolicy, { plane }: Tree): MapSet | undefined =>
  ({ live, shadow, canary: canary?.maps })[plane];

/** Whose packets drop, as a plain set. */
export const writeJudgedAddresses = (
  table: TableBuilder,
  tree: Tree,
  family: IpFamily,
  subjects: readonly (readonly [IpAddress, ClassId])[],
): void => {
  const own = subjects.filter(([address]) => familyOf(address) === family);
  table.set(
    { name: judgedName(tree, family), kind: "set", type: wordsOf(family).type, flags: [] },
    own.map(([key]) => ({ key })),
  );
};

/** Who hangs where, what else does, and the machine's own addresses. */
export const writeRecords = (table: TableBuilder, policy: HostPolicy): void => {
  writeEndpoints(table, policy.endpoints);
  writePorts(table, policy.ports ?? []);
  for (const { family, type } of BOTH)
    table.set(
      { name: HOST[family], kind: "set", type, flags: [] },
      policy.hostAddresses.filter((a) => familyOf(a) === family).map((key) => ({ key })),
    );
};

/** The tables of links: who may send as whom, and what reaches whom. */
export const renderLinkTables = (
  policy: HostPolicy,
  comment: string,
): Pick<Ruleset, "netdev" | "bridge"> => {
  const netdev = renderGuard(
    policy.endpoints,
    new Set(policy.live.subjects.ingress.map(([address]) => address)),
    policy.hostAddresses,
    (endpoint) => groupRules(policy, endpoint),
    comment,
  );
  const bridge = renderBridge(policy.endpoints, policy.ports ?? [], policy.hostAddresses, comment);
  return {
    ...(netdev === undefined ? {} : { netdev }),
    ...(bridge === undefined ? {} : { bridge }),
  };
};

const writeSubjects = (
  table: TableBuilder,
  tree: Tree,
  subjects: readonly (readonly [IpAddress, ClassId])[],
): void => {
  for (const { family, type } of BOTH) {
    const own = subjects.filter(([address]) => familyOf(address) === family);
    table.set(
      {
        name: subjectsName(tree, family),
        kind: "map",
        type: `${type} : verdict`,
        flags: [],
        size: 2 * LOCAL_ADDRESSES,
      },
      own.map(([key, id]) => ({ key, value: `jump ${classChain(tree, id)}` })),
    );
    // Packets without a connection are asked about by their own addresses; only live subjects drop.
    if (tree.plane === "live") writeJudgedAddresses(table, tree, family, subjects);
  }
};

const writeTree = (
  table: TableBuilder,
  set: MapSet,
  tree: Tree,
  leaf: (decision: RowDecision) => string,
  rows: ReadonlyMap<RowId, Row>,
  policy: HostPolicy,
): void => {
  const { subjects, maps, overlay } = set;
  const own = maps.filter(({ direction }) => direction === tree.direction);
  const needed = new Set<RowId>();
  for (const map of own) {
    for (const [, id] of map.exact) needed.add(id);
    for (const [, , id] of map.ranges) needed.add(id);
    for (const [, id] of map.processes ?? []) needed.add(id);
    needed.add(map.defaultRow);
  }
  for (const id of needed) {
    const row = rows.get(id);
    if (row === undefined) throw new Error(`row ${id} is used but not given`);
    writeRow(table, tree, row, leaf);
  }
  for (const map of own) {
    const entries = overlay.filter(
      ({ classId, direction }) => classId === map.classId && direction === map.direction,
    );
    writeClass(table, tree, map, entries, leaf);
  }
  writeSubjects(table, tree, subjects[tree.direction]);
  writeProcessTree(table, set, tree, leaf, policy);
};

/** What of a tree asks for processes: how they are led to their classes, and how classes tell them apart. */
const writeProcessTree = (
  table: TableBuilder,
  { subjects, maps, processes: judged, processOverlay = [] }: MapSet,
  tree: Tree,
  leaf: (decision: RowDecision) => string,
  policy: HostPolicy,
): void => {
  const known = processesOf(policy);
  const own = judged?.[tree.direction] ?? [];
  writeJudged(table, tree, own, known);
  if (tree.direction === "egress") return;
  const near = nearClasses({ maps, processOverlay }, tree);
  const exempt = policy.profile.nodeExempt ? nodeRules(tree.plane) : [];
  const leading = exempt.length > 0 ? viaChain : nearChain;
  for (const map of maps) {
    if (map.direction !== tree.direction || !near.has(map.classId)) continue;
    const entries = processOverlay.filter(({ classId }) => classId === map.classId);
    writeNear(table, tree, map, entries, leaf, known, exempt);
  }
  if (near.size > 0)
    for (const { family, type } of BOTH)
      table.set(
        { name: nearName(tree, family), kind: "map", type: `${type} : verdict`, flags: [] },
        subjects.ingress
          .filter(([address, id]) => familyOf(address) === family && near.has(id))
          .map(([key, id]) => ({ key, value: `goto ${leading(tree, id)}` })),
      );
  if (own.length > 0) writeOwners(table, tree, own, policy.sockets ?? [], near);
};

/** The desired ruleset. `comment` marks the tables as ours (see `owner.ts`). */
export const renderRuleset = (policy: HostPolicy, comment: string): Ruleset => {
  const table = new TableBuilder("inet", comment);
  const newLinks = writeNewLinks(table, policy.endpoints, policy.ports ?? []);
  const processes = hasProcesses(policy);
  writeFrame(table, { ...policy.profile, canary: policy.canary, newLinks, processes });
  if (processes) {
    writeProcessHooks(table, policy);
    writeProcesses(table, policy);
  }
  writeRecords(table, policy);
  writeExemptions(table, policy);
  const rows = new Map(policy.rows.map((row) => [row.id, row]));
  for (const tree of TREES) {
    const set = mapSetOf(policy, tree);
    if (set === undefined) continue;
    const exemptions = exemptJumps(policy, tree.direction);
    const leaf = (decision: RowDecision): string =>
      writeLeaf(table, tree, decision, exemptions, policy.canary !== undefined);
    writeTree(table, set, tree, leaf, rows, policy);
  }
  return { inet: table.build(), ...renderLinkTables(policy, comment) };
};

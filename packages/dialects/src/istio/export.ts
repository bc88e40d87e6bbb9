/**
 * Common form to Istio. A mesh judges TCP at the destination, by certificates: what denies other protocols, or what goes out, is
 * refused or given up by an over-approximation. Where all who may call are known by certificates, a PeerAuthentication demands them.
 */
import {
  allPorts,
  isEmptyPorts,
  portsOf,
  subtract,
  TCP,
  type Block,
  type Inventory,
  type PolicySet,
  type Rule,
} from "@bulkhead/model";
import {
  createLosses,
  exported,
  freeName,
  plainBlocks,
  refuseStages,
  shortKind,
  type Exported,
  type ExportedObject,
  type ExportOptions,
  type Losses,
} from "../export/exported.ts";
import { NETWORK_POLICY_STAGE } from "../kubernetes/export.ts";
import { MESH_LABEL } from "./mesh.ts";
import { PLAINTEXT_LABEL } from "./plaintext.ts";
import { TLS_STAGE } from "./peer-authentication.ts";
import { chosenWorkloads, meshView, type MeshView } from "./print-callers.ts";
import { printedRules } from "./print-rules.ts";
import { placesOf, type Place } from "./print-subjects.ts";
import { authentication, tlsObjects } from "./print-tls.ts";
import { WAYPOINT_LABEL } from "./waypoints.ts";

export interface IstioExportOptions extends ExportOptions {
  /** Whose service accounts stand for the labels that rules name. */
  readonly inventory: Pick<Inventory, "workloads" | "namespaces">;
}

type Action = "ALLOW" | "DENY" | "AUDIT";

const MESH_STAGES = ["istio/deny", "istio/allow"];
const STANDING = [MESH_LABEL, PLAINTEXT_LABEL, WAYPOINT_LABEL];

/** One object's worth. */
interface Piece {
  readonly block: Block;
  readonly action: Action;
  readonly rules: readonly Rule[];
}

const denies = ({ action }: Rule): boolean => action === "deny" || action === "reject";

const isOthersToo = ({ ports }: Rule): boolean => {
  const set = portsOf(ports, () => []);
  const tcp = portsOf([{ kind: "protocol", protocol: TCP }], () => []);
  return !isEmptyPorts(subtract(set, tcp));
};

const leavesOthersAlone = ({ rules }: Block): boolean =>
  rules.some(
    ({ action, peers, ports }) =>
      action === "allow" &&
      peers.some(({ kind }) => kind === "any") &&
      isEmptyPorts(
        subtract(
          allPorts,
          portsOf([...ports, { kind: "protocol", protocol: TCP }], () => []),
        ),
      ),
  );

/** Of the network: its denials, and what it allows whom it isolates. */
const networkPieces = (block: Block, view: MeshView): readonly Piece[] => {
  const { losses } = view;
  const { direction, isolates, rules, source, subject } = block;
  const denials = rules.filter(denies);
  if (direction === "egress") {
    if (isolates || denials.length > 0)
      losses.accept("over", source, "this policy is about egress");
    return [];
  }
  if (subject.kind === "workloads" && (isolates || denials.length > 0)) {
    const outside = chosenWorkloads(subject, view).find((one) => !view.inMesh(one));
    if (outside !== undefined)
      losses.accept("over", source, `\`${outside.id}\` is outside the mesh`);
  }
  if (isolates && !leavesOthersAlone(block))
    losses.accept("over", source, "this policy denies other protocols than TCP");
  for (const rule of denials) {
    if (rule.action === "reject") losses.choose(rule, "this rule says `reject`");
    if (isOthersToo(rule))
      losses.accept("over", rule.source, "this rule denies other protocols than TCP");
  }
  const allowances = rules.filter(({ action }) => action === "allow");
  if (!isolates && allowances.length > 0)
    losses.accept("under", source, "this policy allows without isolating");
  return [
    ...(denials.length === 0 ? [] : [{ block, action: "DENY" as const, rules: denials }]),
    ...(isolates ? [{ block, action: "ALLOW" as const, rules: allowances }] : []),
  ];
};

const standingOf = ({ subject }: Block): string =>
  subject.kind === "workloads"
    ? subject.selector.requirements
        .filter(({ key }) => STANDING.includes(key))
        .map((one) => `${one.operator} ${"values" in one ? one.values.join() : ""}`)
        .join()
    : "";
const AT_SIDECAR = "In sidecar,DoesNotExist ,DoesNotExist ";

/** Of the mesh: one of the ways in which a workload stands in it tells what all of them were made of. */
const meshPieces = (blocks: readonly Block[], losses: Losses): readonly Piece[] => {
  const whole = new Set(
    blocks
      .filter((block) => standingOf(block) === AT_SIDECAR)
      .map(({ policy }) => JSON.stringify(policy)),
  );
  return blocks.flatMap((block): readonly Piece[] => {
    const { policy, source, rules } = block;
    if (standingOf(block) !== AT_SIDECAR) {
      if (!whole.has(JSON.stringify(policy)))
        losses.refuse(source, "a policy for a waypoint or a gateway");
      return [];
    }
    const own = rules.filter(({ id }) => !id.endsWith("/not-tcp"));
    const audits = own.some(({ action }) => action === "audit");
    return [{ block, action: block.isolates ? "ALLOW" : audits ? "AUDIT" : "DENY", rules: own }];
  });
};

interface Printed {
  readonly place: Place;
  readonly action: Action;
  readonly areIdentified: boolean;
  readonly object: ExportedObject;
}

const objectsOf = (
  { block, action, rules }: Piece,
  view: MeshView,
  taken: Set<string>,
): readonly Printed[] => {
  const found = rules.map((rule) => printedRules(rule, view));
  const printed = found.flatMap((one) => one.rules);
  // Without a rule nothing would be denied; and an allowance without any denies everybody.
  if (action !== "ALLOW" && printed.length === 0) return [];
  const { policy } = block;
  return placesOf(block, STANDING, view.inventory.namespaces, view.losses).map((place) => {
    const { namespace, labels } = place;
    const word = action === "ALLOW" ? policy.name : `${policy.name}-${action.toLowerCase()}`;
    const wanted = policy.kind === "AuthorizationPolicy" ? policy.name : word;
    return {
      place,
      action,
      areIdentified: found.every((one) => one.areIdentified),
      object: {
        apiVersion: "security.istio.io/v1",
        kind: "AuthorizationPolicy",
        metadata: {
          name: freeName([wanted, `${wanted}-${shortKind(policy.kind)}`], namespace, taken),
          namespace,
          ...(block.enforce === "staged" ? { annotations: { "istio.io/dry-run": "true" } } : {}),
        },
        spec: {
          ...(Object.keys(labels).length === 0 ? {} : { selector: { matchLabels: labels } }),
          action,
          ...(printed.length === 0 ? {} : { rules: printed }),
        },
      },
    };
  });
};

/** Who must show a certificate is let in by nothing else; where one policy lets in others too, none can be demanded. */
const demands = (printed: readonly Printed[]): readonly ExportedObject[] => {
  const allowing = printed.filter(({ action }) => action === "ALLOW");
  if (allowing.length === 0 || allowing.some(({ areIdentified }) => !areIdentified)) return [];
  const places = new Map(
    allowing.map(({ place, object }) => [JSON.stringify(place), { place, object }]),
  );
  return [...places.values()].map(({ place: { namespace, labels }, object }) => {
    const { name } = object["metadata"] as { readonly name: string };
    const selector = Object.keys(labels).length === 0 ? {} : { selector: { matchLabels: labels } };
    return authentication(name, namespace, { ...selector, mtls: { mode: "STRICT" } });
  });
};

/** The set should be built without the guard of metadata addresses. */
export const exportIstio = (set: PolicySet, options: IstioExportOptions): Exported => {
  const losses = createLosses("Istio", options);
  refuseStages(set, [NETWORK_POLICY_STAGE, TLS_STAGE, ...MESH_STAGES], losses);
  const blocksIn = (ids: readonly string[]) =>
    set.stages.filter(({ id }) => ids.includes(id)).flatMap(({ blocks }) => blocks);
  const application = set.stages.find(({ id }) => id === NETWORK_POLICY_STAGE);
  const ofNetwork = application === undefined ? [] : plainBlocks(application, losses);
  const ofMesh = blocksIn(MESH_STAGES);
  const view = meshView(options.inventory, losses);
  const beside =
    ofMesh.some(({ isolates }) => isolates) && ofNetwork.find(({ isolates }) => isolates);
  if (beside) losses.refuse(beside.source, "a policy of the network beside one of the mesh");
  const pieces = [
    ...ofNetwork.flatMap((block) => networkPieces(block, view)),
    ...meshPieces(ofMesh, losses),
  ];
  const taken = new Set<string>();
  const printed = pieces.flatMap((piece) => objectsOf(piece, view, taken));
  const tls = set.stages.find(({ id }) => id === TLS_STAGE);
  const isMesh = ofMesh.length + (tls?.blocks.length ?? 0) > 0;
  const proofs = isMesh
    ? tlsObjects(tls ?? { ...set.stages[0]!, blocks: [] }, options.inventory.workloads, losses)
    : demands(printed);
  return exported([...proofs, ...printed.map(({ object }) => object)], losses);
};

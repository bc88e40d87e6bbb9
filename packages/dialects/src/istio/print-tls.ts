/** PeerAuthentications: those that were read, from their stage; and the one that callers known by certificates need. */
import { matches, type Block, type Rule, type Stage, type Workload } from "@bulkhead/model";
import type { ExportedObject, Losses } from "../export/exported.ts";
import { MESH_LABEL } from "./mesh.ts";
import { TLS_LABEL } from "./peer-authentication.ts";
import { PLAINTEXT_LABEL } from "./plaintext.ts";
import { labelsIn } from "./print-subjects.ts";
import { ROOT_NAMESPACE } from "./subjects.ts";

const API = "security.istio.io/v1";

export const authentication = (
  name: string,
  namespace: string,
  spec: ExportedObject,
): ExportedObject => ({
  apiVersion: API,
  kind: "PeerAuthentication",
  metadata: { name, namespace },
  spec,
});

const holds = ({ subject }: Block, { namespace, labels }: Workload): boolean =>
  subject.kind === "workloads" &&
  (subject.namespaces.kind === "all" ||
    (subject.namespaces.kind === "named" && subject.namespaces.name === namespace)) &&
  matches(subject.selector, labels);

const isAll = ({ ports }: Rule): boolean => ports.some(({ kind }) => kind === "protocol");

/** At this port, or at those that are not named; the label is what `plainText` makes. */
const isPlainAt = ({ labels }: Workload, port: string | undefined): boolean => {
  const text = Object.hasOwn(labels, PLAINTEXT_LABEL) ? (labels[PLAINTEXT_LABEL] ?? "") : "";
  const [rest, named] = [text.startsWith("all"), text.split("_")];
  return port === undefined ? rest : named.includes(port) !== rest;
};

/** That callers come without TLS, the mode tells, and in the common form the workloads do. */
const isDisabled = (
  block: Block,
  stage: Stage,
  workloads: readonly Workload[],
  port?: string,
): boolean =>
  workloads.some(
    (one) =>
      isPlainAt(one, port) &&
      holds(block, one) &&
      !stage.blocks.some(
        (other) =>
          (other.order[0] ?? 0) < (block.order[0] ?? 0) &&
          other.rules.some(isAll) &&
          holds(other, one),
      ),
  );

export const tlsObjects = (
  stage: Stage,
  workloads: readonly Workload[],
  losses: Losses,
): readonly ExportedObject[] =>
  stage.blocks.flatMap((block) => {
    const { subject, policy, rules, source } = block;
    const labels = labelsIn(subject, [MESH_LABEL, TLS_LABEL]);
    if (labels === null) {
      losses.refuse(source, "this asks for more than labels");
      return [];
    }
    const isStrict = (some: readonly Rule[]) => some.some(({ action }) => action === "deny");
    const whole = rules.filter(isAll);
    const byPort = Map.groupBy(
      rules.filter((rule) => !isAll(rule)),
      ({ ports: [only] }) => (only?.kind === "range" ? String(only.first) : ""),
    );
    const modeOf = (some: readonly Rule[], port?: string): string => {
      if (isStrict(some)) return "STRICT";
      return isDisabled(block, stage, workloads, port) ? "DISABLE" : "PERMISSIVE";
    };
    const isRootSelecting = Object.keys(labels).length > 0;
    const spec = {
      ...(isRootSelecting ? { selector: { matchLabels: labels } } : {}),
      ...(whole.length === 0 ? {} : { mtls: { mode: modeOf(whole) } }),
      ...(byPort.size === 0
        ? {}
        : {
            portLevelMtls: Object.fromEntries(
              [...byPort].map(([port, some]) => [port, { mode: modeOf(some, port) }]),
            ),
          }),
    };
    return [authentication(policy.name, policy.namespace || ROOT_NAMESPACE, spec)];
  });

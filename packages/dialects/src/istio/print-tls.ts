/** PeerAuthentications: those that were read, from their stage; and the one that callers known by certificates need. */
import { matches, type Block, type Rule, type Stage, type Workload } from "@bulkhead/model";
import type { ExportedObject, Losses } from "../export/exported.ts";
import { MESH_LABEL } from "./mesh.ts";
import { TLS_LABEL } from "./peer-authentication.ts";
import { labelsIn } from "./print-subjects.ts";
import { PLAINTEXT_LABEL, ROOT_NAMESPACE } from "./subjects.ts";

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

/** That callers come without TLS, the mode tells, and in the common form the workloads do. */
const isDisabled = (block: Block, stage: Stage, workloads: readonly Workload[]): boolean =>
  workloads.some(
    (one) =>
      Object.hasOwn(one.labels, PLAINTEXT_LABEL) &&
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
    const mode = isStrict(whole)
      ? "STRICT"
      : isDisabled(block, stage, workloads)
        ? "DISABLE"
        : "PERMISSIVE";
    const isRootSelecting = Object.keys(labels).length > 0;
    const spec = {
      ...(isRootSelecting ? { selector: { matchLabels: labels } } : {}),
      ...(whole.length === 0 ? {} : { mtls: { mode } }),
      ...(byPort.size === 0
        ? {}
        : {
            portLevelMtls: Object.fromEntries(
              [...byPort].map(([port, some]) => [
                port,
                { mode: isStrict(some) ? "STRICT" : "PERMISSIVE" },
              ]),
            ),
          }),
    };
    return [authentication(policy.name, policy.namespace || ROOT_NAMESPACE, spec)];
  });

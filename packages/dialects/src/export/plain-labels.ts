/**
 * What Calico's selectors see of a pod's namespace and account under reserved keys, said as everybody says it: as the scope of
 * a selector, and as the account's name. What has no other word keeps its key, and is refused by it.
 */
import {
  SERVICE_ACCOUNT_LABEL,
  type NamespaceScope,
  type Peer,
  type PolicySet,
  type Requirement,
} from "@bulkhead/model";
import { NAME_LABEL } from "./exported.ts";

type Chosen = Extract<Peer, { kind: "workloads" }>;

const NAMESPACE_PREFIX = ":pcns.";
const NAMESPACE_NAMES = [":projectcalico.org/namespace", ":pcns.projectcalico.org/name"];
const ACCOUNT = ":projectcalico.org/serviceaccount";

const ofNamespace = (requirement: Requirement): Requirement | null => {
  const { key } = requirement;
  if (NAMESPACE_NAMES.includes(key)) return { ...requirement, key: NAME_LABEL };
  return key.startsWith(NAMESPACE_PREFIX)
    ? { ...requirement, key: key.slice(NAMESPACE_PREFIX.length) }
    : null;
};

/** Every namespace has a name. */
const isIdle = ({ key, operator }: Requirement): boolean =>
  key === NAME_LABEL && operator === "Exists";

const scopeOf = (scope: NamespaceScope, asked: readonly Requirement[]): NamespaceScope => {
  const more = asked.filter((one) => !isIdle(one));
  if (more.length === 0) return scope;
  const own: readonly Requirement[] =
    scope.kind === "all"
      ? []
      : scope.kind === "named"
        ? [{ key: NAME_LABEL, operator: "In", values: [scope.name] }]
        : scope.selector.requirements;
  const [only, ...others] = [...own, ...more];
  const isName = others.length === 0 && only?.key === NAME_LABEL && only.operator === "In";
  const [name, ...names] = isName ? only.values : [];
  return name !== undefined && names.length === 0
    ? { kind: "named", name }
    : { kind: "selected", selector: { requirements: [...own, ...more] } };
};

const plainChoice = (chosen: Chosen): Chosen => {
  const { requirements } = chosen.selector;
  const asked = requirements.flatMap((one) => ofNamespace(one) ?? []);
  const own = requirements
    .filter((one) => ofNamespace(one) === null)
    .map((one) => (one.key === ACCOUNT ? { ...one, key: SERVICE_ACCOUNT_LABEL } : one));
  return {
    ...chosen,
    namespaces: scopeOf(chosen.namespaces, asked),
    selector: { requirements: own },
  };
};

const plainPeer = (peer: Peer): Peer => (peer.kind === "workloads" ? plainChoice(peer) : peer);

export const withPlainLabels = (set: PolicySet): PolicySet => ({
  ...set,
  stages: set.stages.map((stage) => ({
    ...stage,
    blocks: stage.blocks.map((block) => ({
      ...block,
      subject: block.subject.kind === "workloads" ? plainChoice(block.subject) : block.subject,
      rules: block.rules.map((rule) => ({ ...rule, peers: rule.peers.map(plainPeer) })),
    })),
  })),
});

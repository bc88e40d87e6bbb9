/**
 * The native kinds, field by field: the one source from which the reader, the TypeScript types and the published
 * JSON Schema (`spec/schema`) follow.
 */
import { fields, optional, required } from "../text/fields.ts";
import {
  described,
  integer,
  list,
  mapped,
  type Read,
  type Shape,
  text,
  word,
} from "../text/shape.ts";
import { machine } from "./machine.ts";
import { resource } from "./metadata.ts";
import { address, cidr, port, ports } from "./networks.ts";
import { peer, peers, subject } from "./peer.ts";
import { hostName, httpRequest } from "./requests.ts";
import {
  labels,
  name,
  namespaceName,
  refinedOwner,
  sentence,
  serviceName,
  time,
  unitName,
} from "./values.ts";

const mode = word("mode", "audit", "enforce");
const MODE = "`audit` keeps this resource from ever dropping, however it is applied.";
const OWNER = "Who answers for it.";
const REASON = "Why it exists.";
const EXPIRES = "When it ends by itself.";
const PORTS = "Absent = all ports.";

const ruleFields = {
  name: optional(name, "Makes the rule's id readable; unique in its section."),
  action: optional(
    word("action", "allow", "deny", "reject", "pass", "log"),
    "`allow` when absent.",
  ),
  ports: optional(ports, PORTS),
  description: optional(text),
};

const ingressRule = fields("an ingress rule", {
  ...ruleFields,
  from: required(peers, "Any of these."),
});
const egressRule = fields("an egress rule", {
  ...ruleFields,
  to: required(peers, "Any of these."),
});

/** A list with the place where it stands: what isolates a subject is the section, not a rule in it. */
const section = <T>(rules: Shape<readonly T[]>) =>
  mapped(rules, (value, node, at) => ({ rules: value, source: at.span(node) }));

export const policy = resource(
  "Policy",
  "Who may talk to the subject (ingress) and whom it may talk to (egress). In tier application a section that is present isolates the subject in its direction: what no rule allows is denied.",
  fields("the spec of a Policy", {
    owner: optional(sentence, OWNER),
    reason: optional(sentence, REASON),
    tier: optional(
      word("tier", "emergency", "guardrail", "application", "baseline"),
      "`application` when absent. Tiers decide in the order emergency, guardrail, (Exceptions), application, baseline.",
    ),
    priority: optional(
      described(
        integer(0, 1_000_000),
        "Lower decides first within a tier; 1000 when absent.",
        1000,
      ),
    ),
    mode: optional(mode, MODE),
    expires: optional(time, EXPIRES),
    subject: required(subject, "The workloads this policy is about."),
    ingress: optional(
      section(list(ingressRule, "ingress rules")),
      "`[]` denies everything that comes in.",
    ),
    egress: optional(
      section(list(egressRule, "egress rules")),
      "`[]` denies everything that goes out.",
    ),
  }),
);

export const intent = resource(
  "Intent",
  "One line that becomes both ends: `from` may open connections to `to`. Both ends are isolated in that direction.",
  fields("the spec of an Intent", {
    from: required(peer),
    to: required(peer),
    ports: optional(ports, PORTS),
    owner: optional(sentence, OWNER),
    reason: optional(sentence, REASON),
    mode: optional(mode, MODE),
    expires: optional(time, EXPIRES),
  }),
);

export const exception = resource(
  "Exception",
  "An allow that overrides the application and baseline tiers for a while, at both ends. It isolates nothing.",
  fields("the spec of an Exception", {
    from: required(peer),
    to: required(peer),
    ports: required(ports),
    owner: required(sentence, OWNER, "BH0302"),
    reason: required(sentence, REASON, "BH0302"),
    expires: required(time, EXPIRES, "BH0302"),
  }),
);

export const networkSet = resource(
  "NetworkSet",
  "Named address prefixes.",
  fields("the spec of a NetworkSet", { cidrs: required(list(cidr, "prefixes")) }),
);

const BINDINGS = ["netns", "container", "unit", "addresses"] as const;

const inventoryWorkload = mapped(
  fields("a workload", {
    name: required(name),
    namespace: optional(namespaceName),
    labels: optional(labels),
    netns: optional(
      sentence,
      "Name of a network namespace under /run/netns that the agent discovers.",
    ),
    container: optional(sentence, "Name of a container that the agent discovers."),
    unit: optional(unitName),
    sockets: optional(
      list(
        fields("a socket", {
          port: required(integer(1, 65535)),
          protocol: optional(word("protocol", "tcp", "udp", "sctp"), "`tcp` when absent."),
          address: optional(
            address,
            "`0.0.0.0` or `::` = all addresses of the machine in that family; absent = in both.",
          ),
        }),
        "sockets",
      ),
      "With `unit`: where it waits for connections. What the agent sees of a unit that runs goes before it.",
    ),
    borrowedSockets: optional(
      word("what to do with borrowed sockets", "accepted"),
      "With `unit`: sockets that systemd or another unit made for it are known, and judged as their maker's. Without it, a policy that would enforce such a unit is refused.",
    ),
    addresses: optional(list(address, "addresses"), "For workloads that no agent sees."),
    ports: optional(
      list(
        fields("a named port", {
          name: required(serviceName),
          port: required(integer(1, 65535)),
          protocol: optional(word("protocol", "tcp", "udp", "sctp"), "`tcp` when absent."),
        }),
        "named ports",
      ),
      "Names that policies may use instead of numbers.",
    ),
    kind: optional(word("kind", "netns", "container", "pod", "vm", "host", "external")),
    owner: optional(refinedOwner, "What made it, as `Deployment/shop`."),
  }),
  (value, node, at) => {
    const given: string[] = BINDINGS.filter((key) => value[key] !== undefined);
    // A unit says the kind, too.
    if (value.unit !== undefined && value.kind !== undefined) given.push("kind");
    const ofUnits = (["sockets", "borrowedSockets"] as const).find(
      (key) => value[key] !== undefined,
    );
    if (ofUnits !== undefined && value.unit === undefined && value.container === undefined)
      at.report(
        "BH0109",
        node,
        `\`${ofUnits}\` is said of processes of the machine: it needs \`unit\``,
      );
    const [first, second] = given;
    if (first !== undefined && second === undefined) return value;
    if (second !== undefined) {
      at.report("BH0109", node, `\`${first}\` and \`${second}\` exclude each other`);
    } else {
      at.report(
        "BH0103",
        node,
        `workload \`${value.name}\` needs one of ${BINDINGS.map((key) => `\`${key}\``).join(", ")}`,
      );
    }
    return undefined;
  },
);

export const inventory = resource(
  "Inventory",
  "Labels of workloads and namespaces, given by the operator; and workloads that no agent sees.",
  fields("the spec of an Inventory", {
    namespaces: optional(
      list(
        fields("a namespace", { name: required(namespaceName), labels: optional(labels) }),
        "namespaces",
      ),
    ),
    workloads: optional(list(inventoryWorkload, "workloads")),
    machine: optional(
      machine,
      "The machine itself, as it stands to its workloads. In force at once, in whatever mode it is applied.",
    ),
  }),
);

const end = described(
  sentence,
  "A workload (`shop/web`, or `web` in the resource's own namespace) or an address.",
  "shop/web",
  "10.0.0.5",
);

export const policyTest = resource(
  "PolicyTest",
  "Decisions that must hold; a change that breaks one is refused.",
  fields("the spec of a PolicyTest", {
    tests: required(
      list(
        fields("a test", {
          name: optional(sentence),
          from: required(end),
          to: required(end),
          port: required(port),
          http: optional(
            httpRequest,
            "What is asked in the connection; absent, an allow may depend on it.",
          ),
          names: optional(list(hostName, "names"), "Names that stand for the address at `to`."),
          expect: required(word("expectation", "allow", "deny")),
        }),
        "tests",
      ),
    ),
  }),
);

export const NATIVE_KINDS = {
  Policy: policy,
  Intent: intent,
  Exception: exception,
  NetworkSet: networkSet,
  Inventory: inventory,
  PolicyTest: policyTest,
} as const;

export type Policy = Read<typeof policy>;
export type PolicySpec = Policy["spec"];
export type Intent = Read<typeof intent>;
export type Exception = Read<typeof exception>;
export type NetworkSet = Read<typeof networkSet>;
export type InventoryFile = Read<typeof inventory>;
export type PolicyTestFile = Read<typeof policyTest>;
export type NativeResource =
  | Policy
  | Intent
  | Exception
  | NetworkSet
  | InventoryFile
  | PolicyTestFile;

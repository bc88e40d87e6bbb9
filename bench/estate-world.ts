/**
 * Clusters of the size and make of Antrea's published benchmark of its controller (antrea-io/antrea,
 * pkg/controller/networkpolicy/networkpolicy_controller_perf_test.go): as manifests, and as what our dialects make of these,
 * which the benchmark compares on a small one before it believes it.
 */
import type { Inventory, PolicySet } from "@bulkhead/model";
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";

export interface World {
  readonly set: PolicySet;
  readonly inventory: Inventory;
}

/** A policy for those with these labels, which lets in and out whom it names, and nobody else. */
interface Policy {
  readonly name: string;
  readonly of: Labels;
  readonly from?: End;
  readonly to?: End;
}

type Labels = Readonly<Record<string, string>>;

interface End {
  /** Of the same namespace; absent: everybody. */
  readonly labels?: Labels;
  readonly port?: number;
}

export interface Make {
  readonly pods: readonly { readonly name: string; readonly labels: Labels }[];
  readonly policies: readonly Policy[];
}

/** Four pods and three policies in each namespace: who may call whom, one after the other. */
export const WEB_APP_DB: Make = {
  pods: [
    { name: "web-0", labels: { app: "web" } },
    { name: "web-1", labels: { app: "web" } },
    { name: "app-0", labels: { app: "app" } },
    { name: "db-0", labels: { app: "db" } },
  ],
  policies: [
    {
      name: "web",
      of: { app: "web" },
      from: { port: 443 },
      to: { labels: { app: "app" }, port: 8080 },
    },
    {
      name: "app",
      of: { app: "app" },
      from: { labels: { app: "web" }, port: 8080 },
      to: { labels: { app: "db" }, port: 5432 },
    },
    { name: "db", of: { app: "db" }, from: { labels: { app: "app" }, port: 5432 } },
  ],
};

/** Antrea's own: everything denied, and two groups whose pods may be called by one another. */
export const AS_ANTREA: Make = {
  pods: [1, 2, 3, 4].map((n) => {
    const group = n < 3 ? 1 : 2;
    return { name: `pod${n}`, labels: { [`app-${group}`]: `scale-${group}` } };
  }),
  policies: [
    { name: "default-deny-all", of: {} },
    ...[1, 2].map((n): Policy => {
      const labels = { [`app-${n}`]: `scale-${n}` };
      return { name: `np-${n}`, of: labels, from: { labels } };
    }),
  ],
};

/** Of its second one, in a single namespace: each policy selects each pod, as its subject and as whom it lets in. */
export const ALL_SELECT_ALL = (count: number): Make => {
  const labels = { "app-1": "scale-1" };
  return {
    pods: Array.from({ length: count }, (_, n) => ({ name: `pod-${n}`, labels })),
    policies: Array.from({ length: count }, (_, n) => ({
      name: `np-${n}`,
      of: labels,
      from: { labels },
    })),
  };
};

const namespaceOf = (n: number): string => `ns-${n}`;
const addressOf = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

/** One file a namespace. Without addresses pods would stand for none. */
export function manifests(make: Make, namespaces: number): { name: string; text: string }[] {
  return Array.from({ length: namespaces }, (_, n) => {
    const namespace = namespaceOf(n);
    const pods = make.pods.map(({ name, labels }, p) => {
      const podIP = addressOf(n * make.pods.length + p);
      return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels },
        status: { podIP, podIPs: [{ ip: podIP }] },
      };
    });
    const policies = make.policies.map(({ name, of, from, to }) => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name, namespace },
      spec: {
        podSelector: { matchLabels: of },
        policyTypes: ["Ingress", "Egress"],
        ...(from === undefined ? {} : { ingress: [entry(from, "from")] }),
        ...(to === undefined ? {} : { egress: [entry(to, "to")] }),
      },
    }));
    const first = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    const documents = [first, ...pods, ...policies].map((one) => JSON.stringify(one));
    return { name: `${namespace}.json`, text: documents.join("\n---\n") };
  });
}

const entry = ({ labels, port }: End, side: "from" | "to"): object => ({
  ...(labels === undefined ? {} : { [side]: [{ podSelector: { matchLabels: labels } }] }),
  ...(port === undefined ? {} : { ports: [{ port }] }),
});

/** What our dialects make of manifests. */
export function read(files: readonly { readonly name: string; readonly text: string }[]): World {
  const { resources, diagnostics } = parseFiles(files);
  const { set, inventory } = buildPolicySet(resources, {
    now: 0,
    mode: "enforce",
    strict: false,
    target: "desk",
  });
  if (diagnostics.length > 0) throw new Error(diagnostics[0]!.message);
  return { set, inventory };
}

/** As `read` of so many, but read for two only, and stamped. */
export function stamp(make: Make, namespaces: number): World {
  const one = read(manifests(make, 1));
  if (namespaces === 1) return one;
  const two = read(manifests(make, 2));
  const ofFirst = two.set.stages.map(({ blocks }) => blocks.slice(0, blocks.length / 2));
  const ofSecond = two.set.stages.map(({ blocks }) => blocks.slice(blocks.length / 2));
  // What two namespaces have in common is one object, and all others have it in common, too.
  const common = objectsIn(ofFirst).intersection(objectsIn(ofSecond));
  const model = {
    stages: ofFirst,
    workloads: two.inventory.workloads.slice(0, make.pods.length),
    namespaces: two.inventory.namespaces.slice(0, 1),
  };
  const all = Array.from({ length: namespaces }, (_, n) =>
    renamed(model, n, make.pods.length, common),
  );
  return {
    inventory: {
      ...one.inventory,
      workloads: all.flatMap(({ workloads }) => workloads),
      namespaces: all.flatMap((each) => each.namespaces),
    },
    set: {
      ...one.set,
      stages: one.set.stages.map((stage, at) => ({
        ...stage,
        blocks: all.flatMap(({ stages }) => stages[at]!),
      })),
    },
  };
}

function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== "object" || value === null || found.has(value)) return found;
  found.add(value);
  for (const key in value) objectsIn(value[key as keyof typeof value], found);
  return found;
}

/** What is one object in the original is one object in the copy. */
function renamed<T>(value: T, n: number, pods: number, common: ReadonlySet<object>): T {
  const text = (said: string): string => {
    if (said.startsWith("10.")) {
      const [, a = 0, b = 0, c = 0] = said.split(".").map(Number);
      return addressOf((a << 16) + (b << 8) + c + n * pods);
    }
    return said.includes(namespaceOf(0)) ? said.replace(namespaceOf(0), namespaceOf(n)) : said;
  };
  const copies = new Map<unknown, unknown>();
  const copy = (from: unknown): unknown => {
    if (typeof from === "string") return text(from);
    if (typeof from !== "object" || from === null || common.has(from)) return from;
    const known = copies.get(from);
    if (known !== undefined) return known;
    if (Array.isArray(from)) {
      const list = from.map(copy);
      copies.set(from, list);
      return list;
    }
    const to: Record<string, unknown> = {};
    for (const key in from) to[key] = copy(from[key as keyof typeof from]);
    copies.set(from, to);
    return to;
  };
  return copy(value) as T;
}

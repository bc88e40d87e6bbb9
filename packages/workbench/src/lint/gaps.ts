/** What no rule says: workloads that nothing isolates, names that cannot be asked for, labels that some of a kind lack. */
import { resourceName, resourceSource } from "@bulkhead/dialects";
import { isActive } from "@bulkhead/engine";
import {
  isReservedLabel,
  hasPort,
  portsOf,
  TCP,
  UDP,
  type Block,
  type PortMatch,
  type SourceSpan,
  type Workload,
} from "@bulkhead/model";
import { workloadName } from "../desk/end-names.ts";
import { named, type LintContext } from "./lint-context.ts";

export function gaps(context: LintContext): void {
  withoutIsolation(context);
  withoutNames(context);
  withoutLabels(context);
}

/** Placed at the Namespace, or at the first workload in it. */
function withoutIsolation({ workloads, blocks, selectedBy, desk, now, say }: LintContext): void {
  const guarded = new Set(
    blocks
      .filter((block) => block.direction === "ingress" && isActive(block, { now, view: "live" }))
      .filter((block) => block.isolates || deniesEverybody(block))
      .flatMap(selectedBy),
  );
  for (const [namespace, here] of Map.groupBy(workloads, (one) => one.namespace)) {
    const open = here.filter((one) => !guarded.has(one));
    const place = open.length === 0 ? undefined : placeOf(namespace, open, desk.resources);
    if (place === undefined) continue;
    const all = open.length === here.length;
    const who = [...new Set(open.map(workloadName))];
    say(
      "BH0710",
      place,
      all
        ? `no policy isolates namespace \`${namespace}\`: whoever can send there reaches ${here.length === 1 ? "its only workload" : `all of its ${here.length} workloads`}`
        : `no policy isolates ${named(who)} of namespace \`${namespace}\``,
      "a policy that selects every pod and has no ingress rule denies by default",
    );
  }
}

function deniesEverybody({ rules }: Block): boolean {
  return rules.some(
    ({ action, peers, ports, l7 }) =>
      (action === "deny" || action === "reject") &&
      l7 === undefined &&
      peers.some(({ kind }) => kind === "any") &&
      ports.some(({ kind }) => kind === "all"),
  );
}

function placeOf(
  namespace: string,
  open: readonly Workload[],
  resources: LintContext["desk"]["resources"],
): SourceSpan | undefined {
  const names = new Set(
    open.flatMap(({ name, owner }) => [name, ...(owner === undefined ? [] : [owner.name])]),
  );
  const places = resources.flatMap((resource) => {
    if (resource.dialect === "native")
      return resource.object.kind === "Inventory"
        ? [{ rank: 2, at: resourceSource(resource) }]
        : [];
    if (resource.dialect !== "kubernetes") return [];
    const name = resourceName(resource);
    if (resource.role === "namespace" && name.name === namespace)
      return [{ rank: 0, at: resourceSource(resource) }];
    const isOne = resource.role === "pods" && name.namespace === namespace && names.has(name.name);
    return isOne ? [{ rank: 1, at: resourceSource(resource) }] : [];
  });
  return places.toSorted((a, b) => a.rank - b.rank)[0]?.at;
}

const DNS = 53;

/** Whoever may open something by TCP, and is kept from all else, needs to ask where it is. By a policy that keeps them. */
export function namesLacking({
  blocks,
  workloads,
  selectedBy,
  now,
}: Omit<LintContext, "say">): ReadonlyMap<Block, readonly Workload[]> {
  const leaving = blocks.filter(
    (block) => block.direction === "egress" && isActive(block, { now, view: "live" }),
  );
  const by = new Map<Workload, Block[]>();
  for (const block of leaving) {
    for (const one of selectedBy(block)) by.set(one, [...(by.get(one) ?? []), block]);
  }
  const lacking = new Map<Block, Workload[]>();
  for (const one of workloads) {
    const own = by.get(one) ?? [];
    const isolating = own.find(({ isolates }) => isolates);
    if (isolating === undefined) continue;
    const allows = own
      .flatMap(({ rules }) => rules)
      .filter(({ action }) => action === "allow" || action === "pass");
    const ports = allows.map((rule) => portsOf(rule.ports, resolve(rule.ports)));
    const connects = ports.some(
      (set) => set.others || set.byProtocol.some(({ protocol }) => protocol === TCP),
    );
    if (!connects || ports.some((set) => hasPort(set, UDP, DNS))) continue;
    lacking.set(isolating, [...(lacking.get(isolating) ?? []), one]);
  }
  return lacking;
}

function withoutNames(context: LintContext): void {
  for (const [block, who] of namesLacking(context)) {
    const names = [...new Set(who.map(workloadName))];
    context.say(
      "BH0709",
      block.source,
      `${named(names)} may connect to others and not ask for names: port 53/udp is not allowed out`,
      "allow 53/udp and 53/tcp to the cluster's DNS",
    );
  }
}

/** Who calls a port so knows which it is; what is usual is taken here. */
function resolve(ports: readonly PortMatch[]): (name: string) => readonly number[] {
  const isCalled = ports.some((one) => one.kind === "named" && one.name.startsWith("dns"));
  return (name) => (isCalled && name.startsWith("dns") ? [DNS] : []);
}

const APP_LABELS = ["app.kubernetes.io/name", "app", "k8s-app"] as const;

/** Of workloads that are one application, some have a label that policies ask for, and some lack it. */
function withoutLabels({ workloads, blocks, desk, say }: LintContext): void {
  const asked = new Map<string, string>();
  for (const block of blocks) {
    const selectors = [block.subject, ...block.rules.flatMap(({ peers }) => peers)].flatMap((one) =>
      one.kind === "workloads" ? [one.selector] : [],
    );
    for (const { key } of selectors.flatMap(({ requirements }) => requirements)) {
      if (!isReservedLabel(key) && !asked.has(key)) asked.set(key, block.policy.name);
    }
  }
  const groupOf = ({ namespace, labels }: Workload): string | undefined => {
    const key = APP_LABELS.find((one) => labels[one] !== undefined);
    return key === undefined ? undefined : `${namespace} ${key}=${labels[key]}`;
  };
  for (const [group, like] of Map.groupBy(workloads, groupOf)) {
    if (group === undefined) continue;
    for (const [key, policy] of asked) {
      const lacking = like.filter(({ labels }) => labels[key] === undefined);
      if (lacking.length === 0 || lacking.length === like.length) continue;
      const place = placeOf(
        lacking[0]!.namespace,
        lacking,
        desk.resources.filter((one) => one.dialect !== "kubernetes" || one.role !== "namespace"),
      );
      if (place === undefined) continue;
      const [have] = like.filter(({ labels }) => labels[key] !== undefined);
      const who = [...new Set(lacking.map(workloadName))];
      say(
        "BH0711",
        place,
        `${named(who)} lacks label \`${key}\`, which \`${workloadName(have!)}\` of the same application has`,
        `policy \`${policy}\` tells them apart by it`,
      );
    }
  }
}

/**
 * The ends of a question as people and other tools name them: `shop/web`, `web` where only one namespace has it, the
 * controller of a pod, an address, `host`, `world`. Tools write a kind behind a name (`shop/web[Deployment]`): it may stay.
 */
import { nearest } from "@bulkhead/dialects";
import { askedHost, askedWorkload, isProcess, selects, type AskedEnd } from "@bulkhead/engine";
import { canonicalIp, parseCidr, type IpAddress, type Workload } from "@bulkhead/model";
import type { Desk } from "./desk.ts";
import { problem, type Found } from "./problem.ts";

export interface DeskEnd extends AskedEnd {
  /** In full: a workload's id, an address, `host` or `world`. */
  readonly name: string;
  readonly workload?: Workload;
  /** The world itself was named: the addresses only stand for it. */
  readonly atLarge?: true;
}

export type FindEnd = (text: string) => Found<DeskEnd>;

/** Documentation addresses (RFC 5737, RFC 3849): nobody's, so they stand for the world at large. */
const SOMEWHERE: readonly IpAddress[] = ["198.51.100.1", "2001:db8:ffff::1"];

/** Answers are kept: who asks a hundred thousand questions names the same ends again and again. */
export function createEndFinder(desk: Desk): FindEnd {
  const known = new Map<string, Found<DeskEnd>>();
  const workloads = [...desk.workloads.values()];
  const byName = Map.groupBy(workloads, ({ name }) => name);
  const byController = Map.groupBy(
    workloads.flatMap((workload) =>
      controllersOf(workload).map((name) => ({
        workload,
        id: `${workload.namespace}/${name}`,
        name,
      })),
    ),
    ({ id }) => id,
  );
  const controllers = Map.groupBy([...byController.values()].flat(), ({ name }) => name);

  function find(text: string): Found<DeskEnd> {
    const address = canonicalIp(text);
    if (address !== null) return { value: atAddress(address) };
    if (text === "host") return { value: { name: "host", ...askedHost(desk.index) } };
    if (text === "world") {
      const addresses = SOMEWHERE.filter((one) => desk.index.at(one).kind === "world");
      return { value: { name: "world", addresses, isProcess: false, atLarge: true } };
    }
    if (parseCidr(text) !== null) {
      return problem("unknown-end", `\`${text}\` is a prefix, and an end is one address`);
    }
    const name = text.replace(/\[[A-Za-z]+\]$/, "");
    const exact = desk.workloads.get(name);
    if (exact !== undefined) return { value: endOf(exact) };
    const made = (byController.get(name) ?? []).map(({ workload }) => workload);
    if (made[0] !== undefined) return oneOf(made, made[0], text);
    const called =
      byName.get(name) ?? (controllers.get(name) ?? []).map(({ workload }) => workload);
    const namespaces = new Set(called.map(({ namespace }) => namespace));
    if (called[0] !== undefined && namespaces.size === 1) return oneOf(called, called[0], text);
    if (namespaces.size > 1) {
      const which = [...namespaces].toSorted().map((namespace) => `\`${namespace}/${name}\``);
      return problem("ambiguous-end", `\`${text}\` could be ${which.join(" or ")}`);
    }
    return unknown(text, name);
  }

  /** One pod stands for all of its controller's, unless policies tell them apart: then each has an answer of its own. */
  function oneOf(pods: readonly Workload[], first: Workload, text: string): Found<DeskEnd> {
    if (pods.length === 1 || !areToldApart(pods, desk)) return { value: endOf(first) };
    const some = pods.slice(0, 5).map(({ id }) => `\`${id}\``);
    return problem(
      "ambiguous-end",
      `policies tell the pods of \`${text}\` apart`,
      `ask for one of them: ${some.join(", ")}${pods.length > some.length ? ", …" : ""}`,
    );
  }

  function unknown(text: string, name: string): Found<DeskEnd> {
    const full = [...new Set([...desk.workloads.keys(), ...byController.keys()])];
    const near = nearest(
      name,
      name.includes("/") ? full : [...byName.keys(), ...controllers.keys()],
    );
    const some = full.slice(0, 5).map((one) => `\`${one}\``);
    const list = `there are ${some.join(", ")}${full.length > some.length ? ", …" : ""}`;
    const help = full.length === 0 ? "the files declare no workload" : list;
    return problem(
      "unknown-end",
      `no workload is called \`${text}\``,
      near === null ? help : `did you mean \`${near}\`?`,
    );
  }

  function endOf(workload: Workload): DeskEnd {
    const asked = isProcess(workload)
      ? askedWorkload(workload.id, desk.index)
      : { addresses: desk.addressesOf(workload.id), isProcess: false };
    return { name: workload.id, workload, ...asked };
  }

  function atAddress(address: IpAddress): DeskEnd {
    const place = desk.index.at(address);
    const asked = { addresses: [address], isProcess: false };
    if (place.kind === "workload") {
      return { name: place.workload.id, workload: place.workload, ...asked };
    }
    return { name: address, ...asked };
  }

  return (text) => {
    let found = known.get(text);
    if (found === undefined) known.set(text, (found = find(text)));
    return found;
  };
}

/** Does any selector of the policies hold some of them, and not all? */
function areToldApart(pods: readonly Workload[], { set, index }: Desk): boolean {
  const [first, ...others] = pods;
  return set.stages.some(({ blocks }) =>
    blocks.some(({ subject, rules }) => {
      const peers = rules.flatMap((rule) => rule.peers);
      return [subject, ...peers].some((one) => {
        if (one.kind !== "workloads" || first === undefined) return false;
        const isHeld = selects(one, first, index);
        return others.some((other) => selects(one, other, index) !== isHeld);
      });
    }),
  );
}

/**
 * Of a pod its own controller, and that controller's where the name tells it: a Deployment's ReplicaSets end in the hash of
 * their template, a CronJob's Jobs in the minute they were due.
 */
function controllersOf({ owner, labels }: Workload): string[] {
  if (owner === undefined) return [];
  const { kind, name } = owner;
  const hash = labels["pod-template-hash"];
  if (kind === "ReplicaSet" && hash !== undefined && name.endsWith(`-${hash}`)) {
    return [name, name.slice(0, -hash.length - 1)];
  }
  const job = kind === "Job" ? /^(.+)-\d{8,10}$/.exec(name)?.[1] : undefined;
  return job === undefined ? [name] : [name, job];
}

/** Runs `spec/vectors/decide`: each flow by the reference, and again by the compiled form of every workload's machine. */
import { readdirSync, readFileSync } from "node:fs";
import { buildPolicySet, parseFiles, printResources } from "@bulkhead/dialects";
import {
  addressPairs,
  boundOf,
  compile,
  decide,
  endsOf,
  explain,
  indexInventory,
  isProcess,
  lookup,
  type View,
} from "@bulkhead/engine";
import {
  familyOf,
  hasErrors,
  parseIp,
  parsePort,
  type Endpoint,
  type FlowQuery,
  type Inventory,
  type IpAddress,
  type Obligation,
  type OwnedSocket,
  type Request,
  type Workload,
} from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

interface Extra {
  readonly view?: View;
  readonly at?: number;
  readonly by?: "rule" | "isolation" | "default" | "exemption";
  readonly http?: string;
  readonly tls?: Readonly<Record<string, string>>;
  readonly dns?: string;
  /** More of the request. */
  readonly with?: Readonly<Record<string, string>>;
  readonly opaque?: true;
  readonly names?: readonly string[];
  readonly if?: readonly Obligation["kind"][];
}

type VectorFlow = readonly [
  from: string,
  to: string,
  port: string,
  expected: string,
  extra?: Extra,
];

interface VectorFile {
  readonly now: number;
  readonly host: readonly IpAddress[];
  readonly inventory: string;
  readonly sockets?: Readonly<Record<string, readonly string[]>>;
  readonly cases: readonly {
    readonly name: string;
    readonly source: string;
    readonly policy: string;
    readonly flows: readonly VectorFlow[];
  }[];
}

const folder = new URL("../../../spec/vectors/decide/", import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({
    name,
    file: parse(readFileSync(new URL(name, folder), "utf8")) as VectorFile,
  }));

function build({ now, host, inventory, sockets = {} }: VectorFile, policy: string) {
  const { resources, diagnostics } = parseFiles([
    { name: "inventory.yaml", text: inventory },
    { name: "policy.yaml", text: policy },
  ]);
  const built = buildPolicySet(resources, {
    now,
    strict: false,
    mode: "enforce",
    target: "desk",
  });
  const all = [...diagnostics, ...built.diagnostics];
  if (hasErrors(all)) throw new Error(JSON.stringify(all));
  const workloads = built.inventory.workloads.map((workload) =>
    isProcess(workload)
      ? { ...workload, sockets: (sockets[workload.id] ?? []).flatMap(socketsAt) }
      : workload,
  );
  const world: Inventory = { ...built.inventory, workloads, hostAddresses: host };
  const [units, others] = [workloads.filter(isProcess), workloads.filter((one) => !isProcess(one))];
  const endpoints = others.filter(({ hostNetwork }) => !hostNetwork).map(endpointOf);
  const processes = units.map(({ id, name, cgroup = `/system.slice/${name}.service` }) => ({
    workload: id,
    cgroup,
  }));
  // Between these bounds lies what depends on the request; a set that asks for none is both of them.
  const compiled = (at: number, assume: "best" | "worst") =>
    compile(boundOf(built.set, assume), world, { now: at, revision: 1, endpoints, processes })
      .policy;
  return { set: built.set, world, index: indexInventory(world), policy: compiled };
}

function endpointOf({ id, addresses }: Workload): Endpoint {
  return {
    workload: id,
    kind: "netns",
    interface: "veth0",
    ifindex: 1,
    mac: "02:00:00:00:00:01",
    addresses,
    netnsPath: `/run/netns/${id}`,
  };
}

function socketsAt(text: string): OwnedSocket[] {
  const colon = text.lastIndexOf(":");
  const socket = portOf(text.slice(colon + 1));
  if (colon < 0) return ([4, 6] as const).map((family) => ({ family, ...socket }));
  const address = text.slice(0, colon);
  return [{ address, family: familyOf(address), ...socket }];
}

function endOf({ hostAddresses, workloads }: Inventory, end: string) {
  if (parseIp(end) !== null) return { addresses: [end], isProcess: false };
  const found = workloads.find(({ id }) => id === end);
  if (found === undefined) throw new Error(`no workload \`${end}\``);
  return isProcess(found)
    ? { addresses: hostAddresses, isProcess: true }
    : { addresses: found.addresses, isProcess: false };
}

/** A unit as a destination is met where it waits. */
function queriesOf({ world, index }: ReturnType<typeof build>, flow: VectorFlow): FlowQuery[] {
  const [from, to, port] = flow;
  const [source, destination] = [endOf(world, from), endOf(world, to)];
  const sender = source.isProcess ? { sourceProcess: from } : {};
  const found = addressPairs(index, source, destination)
    .map(([one, other]) => ({ source: one, destination: other, ...portOf(port), ...sender }))
    .filter((query) => {
      const met = endsOf(index, query).destination.workload?.id;
      return !destination.isProcess || met === to;
    });
  if (found.length === 0) throw new Error(`nothing meets: ${from} → ${to} ${port}`);
  return found;
}

function portOf(text: string): { protocol: number; port: number } {
  const parsed = parsePort(text);
  if (!("match" in parsed)) throw new Error(`no port: ${text}`);
  const { match } = parsed;
  if (match.kind === "range") return { protocol: match.protocol, port: match.first };
  if (match.kind === "protocol") return { protocol: match.protocol, port: 0 };
  throw new Error(`no single port: ${text}`);
}

function requestOf({ http, tls, dns, opaque, with: more = {} }: Extra): Request | undefined {
  if (opaque === true) return { kind: "opaque" };
  if (tls !== undefined) return { kind: "tls", attributes: { ...tls, ...more } };
  if (dns !== undefined) return { kind: "dns", attributes: { dns, ...more } };
  if (http === undefined) return undefined;
  const [method = "", path = ""] = http.split(" ");
  return { kind: "http", attributes: { method, path, ...more } };
}

/** Everything that was answered for a flow, each once: `allow rule`, `allow if only`. */
function answers(built: ReturnType<typeof build>, now: number, flow: VectorFlow): string[] {
  const extra = flow[4] ?? {};
  const { view = "live", at = now, by, names } = extra;
  const request = requestOf(extra);
  const said = new Set<string>();
  const [best, worst] = [built.policy(now, "best"), built.policy(now, "worst")];
  for (const told of queriesOf(built, flow)) {
    const query = { ...told, ...(request && { request }), ...(names && { names }) };
    const decision = decide(built.set, built.index, query, { now: at, view });
    const { verdict, egress, ingress } = decision;
    const end = egress.verdict === "allow" ? ingress : egress;
    const open = [egress, ingress].flatMap(({ obligations = [] }) => obligations);
    const why = by === undefined ? "" : ` by ${end.determinedBy.kind}`;
    const what = extra.if === undefined ? "" : ` if ${open.map(({ kind }) => kind).join(", ")}`;
    said.add(
      `${verdict}${why}${what}${extra.if === undefined && request === undefined && open.length > 0 ? " on conditions" : ""}`,
    );
    // Maps know neither requests nor names.
    if (request !== undefined || names !== undefined) continue;
    const looked = [best, worst].map((policy) => lookup(policy, view, query, at).verdict);
    const bounds = [verdict === "allow", verdict === "allow" && open.length === 0];
    if (looked.some((one, i) => (one === "allow") !== bounds[i]))
      said.add(`compiled ${looked.join(" and ")}`);
    if (open.length === 0 && looked[0] !== verdict) said.add(`compiled ${looked[0]}`);
  }
  return [...said];
}

describe.each(files)("$name", ({ file }) => {
  test.each(file.cases)("$name", ({ policy, flows }) => {
    const built = build(file, policy);
    const text = ([from, to, port, , extra]: VectorFlow) =>
      `${from} → ${to} : ${port} ${JSON.stringify(extra ?? {})}`;
    const expected = flows.map((flow) => [
      text(flow),
      flow[3] +
        (flow[4]?.by === undefined ? "" : ` by ${flow[4].by}`) +
        (flow[4]?.if === undefined ? "" : ` if ${flow[4].if.join(", ")}`),
    ]);
    const got = flows.map((flow) => [text(flow), answers(built, file.now, flow).join(" and ")]);
    expect(got).toEqual(expected);
  });
});

/** Where what is proposed, which is always ours, has a say: policies of other products stand in stages of their own. */
const ours = files.filter(({ name }) => /^(?:native|kubernetes|processes)\./.test(name));

/** For the first denied pair of addresses: applies what `explain` proposes, as text, and asks again. */
function afterProposal(file: VectorFile, policy: string, flow: VectorFlow): string | null {
  const built = build(file, policy);
  const { view = "live", at = file.now } = flow[4] ?? {};
  for (const query of queriesOf(built, flow)) {
    const change = explain(built.set, built.index, query, { now: at, view }).smallestChange;
    if (change === null) continue;
    if (change.kind === "blocked") return `blocked: ${change.reason}`;
    const proposed = printResources([{ manifest: change.manifest, comments: [] }]);
    const after = build(file, `${policy}\n---\n${proposed}`);
    return decide(after.set, after.index, query, { now: at, view }).verdict;
  }
  return null;
}

describe("the smallest change that `explain` proposes", () => {
  test("allows each denied flow once its text is applied, or a guardrail stands in the way", () => {
    const outcomes = ours.flatMap(({ file }) =>
      file.cases.flatMap(({ name, policy, flows }) =>
        flows
          .filter(([, , , expected]) => expected !== "allow")
          .map((flow) => ({ name, flow, outcome: afterProposal(file, policy, flow) })),
      ),
    );
    const blocked = outcomes.filter(({ outcome }) => outcome?.startsWith("blocked: "));
    const others = outcomes.filter((one) => !blocked.includes(one));
    expect(others.filter(({ outcome }) => outcome !== "allow")).toEqual([]);
    expect(others.length).toBeGreaterThan(50);
    const reasons = blocked.map(({ name, outcome }) => `${name}: ${outcome}`);
    const guarded =
      /guardrail|emergency|Exception.*below|no label that a policy could name|^loopback/;
    expect(reasons.filter((reason) => !guarded.test(reason))).toEqual([]);
    expect(blocked.length).toBeGreaterThan(0);
  });
});

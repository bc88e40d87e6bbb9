/**
 * What an update of the compiler costs against compiling from nothing, for one machine: a workload is relabelled, a policy
 * is edited. Each pair is taken in turns on the same input, the index of the inventory included; processor time, so that
 * a busy machine does not spoil it.
 */
import { createHash } from "node:crypto";
import { compileIndexed, createCompiler, indexInventory, reindexInventory } from "@bulkhead/engine";
import type { CompileOptions, CompileResult } from "@bulkhead/engine";
import { canonicalHostPolicy } from "@bulkhead/model";
import type {
  Block,
  Cidr,
  Endpoint,
  Inventory,
  Peer,
  PolicySet,
  Rule,
  Stage,
  Workload,
} from "@bulkhead/model";
import { encodeHostPolicy } from "@bulkhead/wire";
import { absolute, compared } from "./figure.ts";
import type { Figure } from "./figure.ts";

const ADDRESSES = 10_000;
const POLICIES = 50;
const APPS = 20;
const ROUNDS = 30;
const source = { file: "bench.yaml", line: 1, column: 1 };

const workload = (i: number, app: number): Workload => ({
  id: `shop/w${i}`,
  namespace: "shop",
  name: `w${i}`,
  kind: "netns",
  labels: { app: `a${app}`, instance: `i${i}` },
  addresses: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
  namedPorts: [],
  hostNetwork: false,
});

const inventory = (workloads: readonly Workload[]): Inventory => ({
  workloads,
  namespaces: [{ name: "shop", labels: {} }],
  hostAddresses: ["192.0.2.1"],
});

const app = (n: number): Extract<Peer, { kind: "workloads" }> => ({
  kind: "workloads",
  namespaces: { kind: "named", name: "shop" },
  selector: { requirements: [{ key: "app", operator: "In", values: [`a${n % APPS}`] }] },
});

/** Each isolates one app in a direction and lets two others and a prefix of the world through. */
const policy = (i: number, port: number): Block[] => {
  const block = (direction: Block["direction"], peers: readonly Peer[]): Block => {
    const id = `p${i}#${direction}`;
    const ports = [{ kind: "range", protocol: 6, first: port, last: port }] as const;
    const rule: Rule = { id: `${id}/0`, source, action: "allow", peers, ports, enforce: "on" };
    return {
      id,
      source,
      subject: app(i),
      direction,
      order: [0],
      isolates: true,
      enforce: "on",
      rules: [rule],
      policy: { kind: "Policy", namespace: "shop", name: `p${i}` },
    };
  };
  const prefix: Cidr = `192.168.${i % 256}.0/24`;
  const world: Peer = { kind: "cidr", cidr: prefix, except: [], matchesWorkloads: false };
  return [
    block("ingress", [app(7 * i + 1), app(3 * i + 2), world]),
    block("egress", [app(5 * i + 1)]),
  ];
};

const policySet = (editedPort: number): PolicySet => {
  const stage: Stage = {
    id: "application",
    plane: "net",
    mode: "denyOverrides",
    blocks: Array.from({ length: POLICIES }, (_, i) =>
      policy(i, i === 7 ? editedPort : 1000 + i),
    ).flat(),
    endIfApplied: "deny",
    onPass: null,
  };
  return {
    stages: [stage],
    profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  };
};

const endpoint = ({ id, name, addresses }: Workload): Endpoint => ({
  workload: id,
  kind: "netns",
  interface: `veth-${name}`,
  ifindex: 1,
  mac: "02:00:00:00:00:01",
  addresses,
  netnsPath: `/run/netns/${name}`,
});

const milliseconds = <T>(work: () => T): { readonly ms: number; readonly result: T } => {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return { ms: (user + system) / 1000, result };
};

interface Change {
  readonly set: PolicySet;
  readonly inventory: Inventory;
}

const measure = (
  name: string,
  local: number,
  aim: Figure["aim"],
  change: (round: number, before: Change) => Change,
): { readonly figure: Figure; readonly result: CompileResult } => {
  let state: Change = {
    set: policySet(1007),
    inventory: inventory(Array.from({ length: ADDRESSES }, (_, i) => workload(i, i % APPS))),
  };
  const options: CompileOptions = {
    now: 0,
    revision: 1,
    endpoints: state.inventory.workloads.slice(0, local).map(endpoint),
  };
  const compiler = createCompiler();
  let index = indexInventory(state.inventory);
  let result = compiler.update(state.set, index, options);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    state = change(round, state);
    const { set, inventory: now } = state;
    const updated = milliseconds(() => {
      index = now === index.inventory ? index : reindexInventory(now, index);
      return compiler.update(set, index, options);
    });
    const whole = milliseconds(() => compileIndexed(set, indexInventory(now), options));
    ours.push(updated.ms);
    theirs.push(whole.ms);
    ({ result } = updated);
  }
  return { figure: compared(name, "ms", ours, "from nothing", theirs, aim), result };
};

export const benchCompile = (): Figure[] => {
  const relabelled = (round: number, { set, inventory: { workloads } }: Change): Change => {
    const at = 5000 + round;
    return { set, inventory: inventory(workloads.with(at, workload(at, round % APPS))) };
  };
  const edited = (round: number, { inventory: same }: Change): Change => ({
    set: policySet(2000 + round),
    inventory: same,
  });
  const aim = { atMost: 0.5 };
  const few = measure("compile/one workload of 10k changes", 10, aim, relabelled);
  const many = measure("compile/one workload of 10k changes, 1k local", 1000, aim, relabelled);
  const policies = measure("compile/one policy of 50 edited", 10, aim, edited);
  const texts = Array.from({ length: ROUNDS }, () => {
    const { ms, result } = milliseconds(() => canonicalHostPolicy(many.result.policy));
    const { ms: hashing } = milliseconds(() => createHash("sha256").update(result).digest("hex"));
    return ms + hashing;
  });
  const encoded = Array.from(
    { length: ROUNDS },
    () => milliseconds(() => encodeHostPolicy(many.result.policy)).ms,
  );
  return [
    few.figure,
    many.figure,
    policies.figure,
    absolute("compile/digest after it, 1k local", "ms", texts),
    absolute("compile/encoding for the wire, 1k local", "ms", encoded),
  ];
};

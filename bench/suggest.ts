/**
 * What a suggestion costs: a million edges among ten thousand workloads of five hundred roles, each role calling five others,
 * every copy every copy; once with a label that tells the role, once without any, so that roles come from who talks to
 * whom. The peer is one plain pass over the same edges that counts them by their ends and port. Memory is the most that the
 * process ever held, both sets of edges included.
 */
import { groupByCommunication, suggest } from "@bulkhead/learn";
import { DAY_MS, type Edge, type FlowEnd, type Inventory } from "@bulkhead/model";
import { addressOf, APPS, appOf, inventory, WORKLOADS } from "./decide-world.ts";
import { absolute, compared, type Figure } from "./figure.ts";

const CALLED = 5;
const COPIES = WORKLOADS / APPS;
const ROUNDS = 3;
const DAYS = 90;

const labelsOf = (workload: number, told: boolean): Record<string, string> =>
  told ? { app: `a${appOf(workload)}` } : {};

/** Copies of an application are `APPS` apart. */
export function edges(told: boolean): Edge[] {
  const ends = Array.from({ length: WORKLOADS }, (_, workload): FlowEnd => {
    const name = `shop/w${workload}`;
    return { address: addressOf(workload), workload: name, name, labels: labelsOf(workload, told) };
  });
  return Array.from({ length: APPS * CALLED * COPIES * COPIES }, (_, n): Edge => {
    const pair = n % (COPIES * COPIES);
    const call = Math.floor(n / (COPIES * COPIES));
    const app = call % APPS;
    const which = Math.floor(call / APPS);
    const to = (app + 1 + which * which * 7) % APPS;
    return {
      source: ends[app + APPS * (pair % COPIES)]!,
      destination: ends[to + APPS * Math.floor(pair / COPIES)]!,
      protocol: 6,
      port: 1000 + (to % 40),
      verdict: "forwarded",
      connections: 300,
      established: 300,
      failed: 0,
      bytes: 600_000,
      packets: 3000,
      firstSeen: DAY_MS * (1 + (n % 3)),
      lastSeen: DAY_MS * DAYS,
      windows: 200,
    };
  });
}

/** In an order that tells nothing. */
function shuffled(all: readonly Edge[]): Edge[] {
  const mixed = [...all];
  let state = 1;
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (at + 1);
    [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
  }
  return mixed;
}

function plainPass(all: readonly Edge[]): number {
  const counts = new Map<string, number>();
  for (const { source, destination, protocol, port, connections } of all) {
    const key = `${source.address} ${destination.address} ${protocol} ${port}`;
    counts.set(key, (counts.get(key) ?? 0) + connections);
  }
  return counts.size;
}

export const seconds = (work: () => number): number => {
  const start = performance.now();
  if (work() === 0) throw new Error("nothing was found");
  return (performance.now() - start) / 1000;
};

export function benchSuggest(): Figure[] {
  const told = shuffled(edges(true));
  const untold = shuffled(edges(false));
  const nobody: Inventory = {
    ...inventory,
    workloads: inventory.workloads.map((workload) => ({ ...workload, labels: {} })),
  };
  const [labels, roles, plain]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    plain.push(seconds(() => plainPass(told)));
    labels.push(seconds(() => suggest(told, inventory).rules.length));
    roles.push(
      seconds(() => {
        const found = groupByCommunication(untold, nobody.workloads).roles;
        if (found.length !== APPS) throw new Error(`${found.length} roles, and not ${APPS}`);
        return found.length;
      }),
    );
  }
  return [
    absolute("suggest/1M edges, 10k workloads", "s", labels, { atMost: 20 }),
    compared("suggest/1M edges, 10k workloads", "s", labels, "one plain pass", plain),
    absolute("suggest/most memory", "MB", [process.resourceUsage().maxRSS / 1000]),
    absolute("suggest/roles of 10k workloads from 1M edges", "s", roles, { atMost: 20 }),
    compared("suggest/roles from 1M edges", "s", roles, "one plain pass", plain),
  ];
}

/**
 * Links that are known, in the kernel: sets of them, of what enforced workloads hold, and what is done with the rest. What
 * a set lets in waits for the guards, and what it keeps from others waits for that (`update.ts`).
 */
import { familyOf } from "@bulkhead/model";
import type { BridgePort, ConfinedEndpoint, IpAddress } from "@bulkhead/model";
import { BOTH } from "./family.ts";
import { logRule } from "./frame.ts";
import { NO_COOKIE, formatLogPrefix } from "./log-prefix.ts";
import type { LogPrefix } from "./log-prefix.ts";
import { LOCAL_ADDRESSES } from "./ruleset.ts";
import type { ElementSet, Ruleset, Table, TableBuilder } from "./ruleset.ts";
import { isGlobal } from "./spoof-guard.ts";

/** Everybody's ports, and those of them that have a guard of their own in `table netdev bulkhead`. */
export const KNOWN = "ports";
export const CONFINED = "confined";

/** Sets by which a port is let in, and sets by which what others say is not believed: to be widened in this order. */
export const OPENING: ReadonlySet<string> = new Set([KNOWN, CONFINED, "links", "homes4", "homes6"]);
/** By whose sets what comes over loopback is let in, once whoever sends it asks their owner's ingress (`process-sets.ts`). */
export const isOpening = (name: string): boolean =>
  OPENING.has(name) || /^owned(?:at)?\d/.test(name);
export const CLAIMING: ReadonlySet<string> = new Set([
  "macs",
  "held4",
  "held6",
  "taken4",
  "taken6",
]);

export const UNKNOWN_PORT_COUNTER = "unknown_port";

export const writePortSet = (
  table: TableBuilder,
  name: string,
  ports: readonly BridgePort[],
): void => {
  table.set(
    {
      name,
      kind: "set",
      type: "iface_index",
      flags: [],
      size: 2 * LOCAL_ADDRESSES,
    },
    ports.map(({ interface: comment, ifindex }) => ({ key: `${ifindex}`, comment })),
  );
};

export const writeAddresses = (
  table: TableBuilder,
  name: string,
  addresses: ReadonlySet<IpAddress>,
): void => {
  for (const { family, type } of BOTH)
    table.set(
      { name: `${name}${family}`, kind: "set", type, flags: [] },
      [...addresses].filter((address) => familyOf(address) === family).map((key) => ({ key })),
    );
};

/** Which address is behind which port: `homes4`, `homes6`. A workload answers for its addresses on each of its links. */
export const writeHomes = (table: TableBuilder, endpoints: readonly ConfinedEndpoint[]): void => {
  const owned = Map.groupBy(endpoints, ({ workload }) => workload);
  for (const { family, type } of BOTH) {
    const homes = new Map<string, string>();
    for (const { workload, interface: link, ifindex } of endpoints)
      for (const { addresses } of owned.get(workload) ?? [])
        for (const address of addresses)
          if (familyOf(address) === family) homes.set(`${address} . ${ifindex}`, link);
    table.set(
      { name: `homes${family}`, kind: "set", type: `${type} . iface_index`, flags: [] },
      [...homes].map(([key, comment]) => ({ key, comment })),
    );
  }
};

/** Global addresses of enforced workloads: link-local ones are not unique beyond their link. */
export const heldBy = (endpoints: readonly ConfinedEndpoint[]): ReadonlySet<IpAddress> =>
  new Set(
    endpoints
      .filter(({ mode }) => mode === "enforce")
      .flatMap(({ addresses }) => addresses)
      .filter(isGlobal),
  );

/** Counts and drops; one log message a second and port. */
export const writeRefusal = (
  table: TableBuilder,
  name: string,
  counter: string,
  suppressed: string,
  verdict: LogPrefix["verdict"],
): void => {
  const told = `${name}_told`;
  table.counter(counter);
  table.counter(suppressed);
  table.set({
    name: told,
    kind: "set",
    type: "ifname",
    flags: ["dynamic", "timeout"],
    size: 4096,
    timeout: "1s",
  });
  const log = logRule(formatLogPrefix({ verdict, cookie: NO_COOKIE, reply: false }));
  table.chain(name, [
    `counter name "${counter}"`,
    `iifname @${told} counter name "${suppressed}" drop`,
    `add @${told} { iifname } ${log} drop`,
    `counter name "${suppressed}" drop`,
  ]);
};

/** What came by a link that nobody knows. */
export const writeUnknown = (table: TableBuilder): void =>
  writeRefusal(table, "unknown", UNKNOWN_PORT_COUNTER, "live_suppressed", "dropped");

const onlyThere = (table: Table, links: ReadonlyMap<string, number>): Table => {
  const there = (set: ElementSet): ElementSet => ({
    ...set,
    elements: new Map(
      [...set.elements].filter(
        ([key, { comment }]) => links.get(comment ?? "") === Number(key.split(" . ").at(-1)),
      ),
    ),
  });
  const sets = [...table.sets].map(
    ([name, set]) => [name, OPENING.has(name) ? there(set) : set] as const,
  );
  return { ...table, sets: new Map(sets) };
};

/** The ruleset for the links there are: what a policy says of a link that is gone, or was renumbered, lets nobody in. */
export const knownPorts = (ruleset: Ruleset, links: ReadonlyMap<string, number>): Ruleset => ({
  ...ruleset,
  ...(ruleset.inet === undefined ? {} : { inet: onlyThere(ruleset.inet, links) }),
  ...(ruleset.bridge === undefined ? {} : { bridge: onlyThere(ruleset.bridge, links) }),
});

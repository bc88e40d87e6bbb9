/**
 * Local attachments as named sets, and back: which addresses are local, which interface they hang on, and what
 * workload that is. The kernel keeps text only as comments (at most 128 bytes), so long names span several sets.
 */
import { familyOf } from "@bulkhead/model";
import type { BridgePort, ConfinedEndpoint, IpAddress, Mode } from "@bulkhead/model";
import { LOCAL } from "./frame.ts";
import { BOTH } from "./family.ts";
import type { Element, Table, TableBuilder } from "./ruleset.ts";

const NAME_CHUNK = 100;
const ENDPOINTS = "endpoints";
const PORTS = "bridge_ports";
const chunkName = (index: number): string => `names${index}`;

/** ASCII without quotes or backslashes, whatever the workload is called. */
export const encodeName = (name: string): string =>
  encodeURIComponent(name).replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%40", "@");

/** Null when the text is none of those. */
export const decodeName = (encoded: string): string | null => {
  if (encoded === "") return null;
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
};

export const writeEndpoints = (
  table: TableBuilder,
  endpoints: readonly ConfinedEndpoint[],
): void => {
  const owners = new Map<IpAddress, string[]>();
  for (const endpoint of endpoints)
    for (const address of endpoint.addresses)
      owners.set(address, [...(owners.get(address) ?? []), endpoint.interface]);
  for (const { family, type } of BOTH) {
    table.set(
      { name: LOCAL[family], kind: "set", type, flags: [] },
      [...owners]
        .filter(([address]) => familyOf(address) === family)
        .map(([key, interfaces]) => ({ key, comment: interfaces.toSorted().join(" ") })),
    );
  }
  table.set(
    { name: ENDPOINTS, kind: "set", type: "ifname", flags: [] },
    endpoints.map(({ interface: key, ifindex, mac, mode, dhcp }) => ({
      key,
      comment: `${mac} ${mode} ${ifindex}${dhcp === true ? " dhcp" : ""}`,
    })),
  );
  const names = endpoints.map(
    (endpoint) => [endpoint.interface, encodeName(endpoint.workload)] as const,
  );
  const longest = names.reduce((most, [, name]) => Math.max(most, name.length), 1);
  for (let index = 0; index * NAME_CHUNK < longest; index += 1) {
    const chunks = names
      .map(
        ([key, name]) => [key, name.slice(index * NAME_CHUNK, (index + 1) * NAME_CHUNK)] as const,
      )
      .filter(([, chunk]) => chunk.length > 0)
      .map(([key, comment]): Element => ({ key, comment }));
    table.set({ name: chunkName(index), kind: "set", type: "ifname", flags: [] }, chunks);
  }
};

/** Bridges' ports that lead to no workload, with their numbers; told also while nothing is enforced. */
export const writePorts = (table: TableBuilder, ports: readonly BridgePort[]): void => {
  table.set(
    { name: PORTS, kind: "set", type: "ifname", flags: [] },
    ports.map(({ interface: key, ifindex }) => ({ key, comment: `${ifindex}` })),
  );
};

/** Null where a number cannot be read. */
export const readPorts = (table: Table): BridgePort[] | null => {
  const found = [...(table.sets.get(PORTS)?.elements.values() ?? [])].map(({ key, comment }) => ({
    interface: key,
    ifindex: Number(comment),
  }));
  return found.every(({ ifindex }) => Number.isInteger(ifindex)) ? found : null;
};

const MODES: readonly Mode[] = ["observe", "audit", "enforce"];

/** Null where a name or mode cannot be read. */
export const readEndpoints = (table: Table): ConfinedEndpoint[] | null => {
  const addresses = new Map<string, IpAddress[]>();
  for (const { family } of BOTH) {
    for (const { key, comment } of table.sets.get(LOCAL[family])?.elements.values() ?? []) {
      for (const name of (comment ?? "").split(" "))
        addresses.set(name, [...(addresses.get(name) ?? []), key]);
    }
  }
  const found: ConfinedEndpoint[] = [];
  for (const { key, comment } of table.sets.get(ENDPOINTS)?.elements.values() ?? []) {
    const [mac, word, number, served] = (comment ?? "").split(" ");
    const ifindex = Number(number);
    const mode = MODES.find((known) => known === word);
    let encoded = "";
    for (let index = 0; ; index += 1) {
      const chunk = table.sets.get(chunkName(index))?.elements.get(key)?.comment;
      if (chunk === undefined) break;
      encoded += chunk;
    }
    if (mac === undefined || mode === undefined || !Number.isInteger(ifindex)) return null;
    const workload = decodeName(encoded);
    if (workload === null) return null;
    found.push({
      workload,
      interface: key,
      ifindex,
      mac,
      addresses: addresses.get(key) ?? [],
      mode,
      ...(served === "dhcp" ? { dhcp: true as const } : {}),
    });
  }
  return found;
};

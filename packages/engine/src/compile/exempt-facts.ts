/**
 * What a datapath must know of exemptions, resolved on this machine: endpoints where it serves DHCP, sockets of its
 * resolver, and addresses of endpoints by which nothing may be exempt because others claim them too.
 */
import {
  compareIp,
  createDiagnostic,
  NOWHERE,
  sortIps,
  type Diagnostic,
  type Endpoint,
  type IpAddress,
  type Profile,
  type Resolver,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";

type Hanging = Pick<Endpoint, "interface" | "bridge">;

const hangsOn = (name: string, { interface: own, bridge }: Hanging): boolean =>
  name === own || name === bridge;

export function isServed({ dhcp = [] }: Profile, endpoint: Hanging): boolean {
  return dhcp.some((name) => hangsOn(name, endpoint));
}

/** A resolver that is somebody else's is reached by rules, like anything else. */
export function ownResolvers({ dns = [] }: Profile, index: InventoryIndex): Resolver[] {
  return dns
    .filter(({ address }) => index.at(address).kind === "host")
    .toSorted((a, b) => compareIp(a.address, b.address) || a.port - b.port);
}

/** Addresses of endpoints that are not their workload's alone. */
export function contestedAddresses(
  index: InventoryIndex,
  endpoints: readonly Endpoint[],
): IpAddress[] {
  const contested = endpoints.flatMap(({ workload, addresses }) =>
    addresses.filter((address) => {
      const place = index.at(address);
      return place.workload?.id !== workload || place.rivals.length > 0;
    }),
  );
  return sortIps([...new Set(contested)]);
}

/** What is declared about the machine and does not hold there: most likely misspelt. */
export function diagnoseMachine(
  { dhcp = [], dns = [] }: Profile,
  index: InventoryIndex,
  endpoints: readonly Hanging[],
): Diagnostic[] {
  const names = [...new Set(endpoints.flatMap((one) => [one.bridge ?? one.interface]))].toSorted();
  const idle = dhcp
    .filter((name) => !endpoints.some((endpoint) => hangsOn(name, endpoint)))
    .map((name) =>
      createDiagnostic(
        "BH0604",
        NOWHERE,
        `DHCP is declared on \`${name}\`, where no workload hangs`,
        names.length === 0 ? undefined : `workloads hang on ${names.map(quoted).join(", ")}`,
      ),
    );
  const foreign = dns
    .filter(({ address }) => index.at(address).kind !== "host")
    .map(({ address }) =>
      createDiagnostic(
        "BH0604",
        NOWHERE,
        `a resolver is declared at \`${address}\`, which is no address of this machine`,
        "workloads reach it by rules only; the exemption is for the machine's own addresses",
      ),
    );
  return [...idle, ...foreign];
}

const quoted = (text: string): string => `\`${text}\``;

/**
 * The moment of attachment where packets are routed: a new link between this namespace and a workload's own. As with ports
 * of bridges, nothing that comes by a link nobody knows reaches enforced workloads or bears their names, although
 * the address may be one that a policy trusts, and the connection one that was allowed while another had the address.
 */
import type { BridgePort, ConfinedEndpoint } from "@bulkhead/model";
import { BOTH } from "./family.ts";
import { heldBy, writeAddresses, writePortSet, writeUnknown } from "./known-ports.ts";
import type { TableBuilder } from "./ruleset.ts";

const LINKS = "links";

/** Rules for the beginning of `forward`; none when nothing is enforced. */
export const writeNewLinks = (
  table: TableBuilder,
  endpoints: readonly ConfinedEndpoint[],
  ports: readonly BridgePort[],
): readonly string[] => {
  if (endpoints.every(({ mode }) => mode !== "enforce")) return [];
  writePortSet(table, LINKS, [...endpoints, ...ports]);
  writeAddresses(table, "held", heldBy(endpoints));
  writeUnknown(table);
  table.chain(
    "new_link",
    BOTH.flatMap(({ packetSource, packetDestination, family }) =>
      [packetDestination, packetSource].map((where) => `${where} @held${family} goto unknown`),
    ),
  );
  // Ports of bridges are looked at before: what they carry comes by the bridge here.
  return [`meta iifkind "veth" iif != @${LINKS} jump new_link`];
};

/**
 * What beside look-ups keeps workloads to themselves, as tables of their own: for a driver that judges packets elsewhere. Nobody sends
 * under a name of others, and nothing comes by links that nobody knows. The same tables keep what no look-up needs and a
 * receipt tells of: endpoints, ports, the machine's addresses. That they ask for connections makes the kernel track them.
 */
import type { HostPolicy } from "@bulkhead/model";
import { readEndpoints, readPorts } from "./endpoints.ts";
import { readExemptions, writeContested } from "./exemptions.ts";
import { BOTH } from "./family.ts";
import { HOST, LOCAL, base, falseSources } from "./frame.ts";
import { writeDnsTaps } from "./dns-taps.ts";
import { writeNewLinks } from "./link-guard.ts";
import { FAMILIES } from "./names.ts";
import { renderLinkTables, writeJudgedAddresses, writeRecords } from "./render.ts";
import { TableBuilder, withName } from "./ruleset.ts";
import type { Ruleset } from "./ruleset.ts";

/** Drivers share no table: one may take another's place while both are in force. */
export const GUARDS_NAME = "bulkhead_guards";

const LIVE_INGRESS = { plane: "live", direction: "ingress" } as const;

/** `comment` marks the tables as ours (see `owner.ts`). */
export const renderGuards = (policy: HostPolicy, comment: string): Ruleset => {
  const table = new TableBuilder("inet", comment);
  const newLinks = writeNewLinks(table, policy.endpoints, policy.ports ?? []);
  const fresh = "ct state != established goto fresh";
  table.chain("forward", [...newLinks, fresh], base("forward"));
  table.chain("input", [`iifname "lo" return`, fresh], base("input"));
  table.chain("fresh", falseSources(table));
  for (const { family } of BOTH)
    writeJudgedAddresses(table, LIVE_INGRESS, family, policy.live.subjects.ingress);
  writeRecords(table, policy);
  writeContested(table, policy);
  writeDnsTaps(table, LOCAL);
  return withName({ inet: table.build(), ...renderLinkTables(policy, comment) }, GUARDS_NAME);
};

export type GuardRecords = Pick<HostPolicy, "endpoints" | "ports" | "hostAddresses" | "contested">;

/** A sentence where something cannot be read. */
export const readGuards = ({ inet }: Ruleset): GuardRecords | string => {
  if (inet === undefined) return `table inet ${GUARDS_NAME} is missing`;
  const endpoints = readEndpoints(inet);
  if (endpoints === null) return "the endpoints' notes cannot be read";
  const ports = readPorts(inet);
  if (ports === null) return "the bridges' ports cannot be read";
  const { contested } = readExemptions(inet);
  return {
    endpoints,
    ports,
    hostAddresses: FAMILIES.flatMap((family) => [
      ...(inet.sets.get(HOST[family])?.elements.keys() ?? []),
    ]),
    ...(contested === undefined ? {} : { contested }),
  };
};

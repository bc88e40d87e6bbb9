/**
 * The same policy four ways: none, ours, linear iptables rules, and the rules as ufw writes them. N tuples (source,
 * destination, port) are allowed to the server and everything else is denied; the load's own tuple stands in the
 * middle of the linear lists, where a policy's rule is met on average.
 */
import { createDriver } from "../apps/agent/src/drivers/index.ts";
import type { Lab } from "../apps/agent/test/drivers/lab.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "../apps/agent/test/drivers/policies.ts";
import type { HostPolicy } from "@bulkhead/model";

export type FirewallName = "no firewall" | "ours" | "iptables" | "ufw";
export const FIREWALLS: readonly FirewallName[] = ["no firewall", "ours", "iptables", "ufw"];

/** The ports that the loads use: iperf3, and the three of `load.ts`. */
export const PORTS = { throughput: 5201, exchange: 5301, connect: 5302, request: 5303 } as const;

const other = (index: number): string =>
  `10.${100 + Math.floor(index / 62_500)}.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`;

/** N entries for the server's ingress and N for the client's egress, over sixteen rows of ports. */
export const policyOfSize = (lab: Lab, count: number): HostPolicy => {
  const { client, server } = lab.workloads;
  if (client === undefined || server === undefined) throw new Error("the lab lacks its two ends");
  const own = portRow(
    6,
    [
      [PORTS.throughput, PORTS.throughput],
      [PORTS.exchange, PORTS.request],
    ],
    ALLOW,
    DROP,
  );
  const rows = Array.from({ length: 16 }, (_, n) =>
    portRow(6, [[1000 + n, 1000 + n]], ALLOW, DROP),
  );
  const strangers = Array.from(
    { length: count - 1 },
    (_, n) => [other(n), rows[n % rows.length] as (typeof rows)[number]] as const,
  );
  const shut = rowOf(DROP);
  return policyOf(lab, {
    live: [
      {
        direction: "ingress",
        subjects: [server.v4],
        exact: [...strangers, [client.v4, own]],
        defaultRow: shut,
      },
      {
        direction: "egress",
        subjects: [client.v4],
        exact: [...strangers, [server.v4, own]],
        defaultRow: shut,
      },
    ],
  });
};

const tuples = (lab: Lab, count: number): readonly string[] => {
  const { client, server } = lab.workloads;
  const rules = Array.from(
    { length: count - 1 },
    (_, n) => `-s ${other(n)} -d ${server?.v4} -p tcp -m tcp --dport ${1000 + (n % 16)}`,
  );
  const own = `-s ${client?.v4} -d ${server?.v4} -p tcp -m multiport --dports ${PORTS.throughput},${PORTS.exchange}:${PORTS.request}`;
  return rules.toSpliced(Math.floor(count / 2), 0, own);
};

/** A rule for each direction of each tuple, as one writes them without connection tracking. */
const iptablesRules = (lab: Lab, count: number): string => {
  const forward = tuples(lab, count);
  const back = forward.map((rule) =>
    rule
      .replace(/-s (\S+) -d (\S+)/, "-s $2 -d $1")
      .replace("--dport ", "--sport ")
      .replace("--dports ", "--sports "),
  );
  return [
    "*filter",
    ":INPUT ACCEPT [0:0]",
    ":FORWARD DROP [0:0]",
    ":OUTPUT ACCEPT [0:0]",
    ...forward.flatMap((rule, index) => [
      `-A FORWARD ${rule} -j ACCEPT`,
      `-A FORWARD ${back[index]} -j ACCEPT`,
    ]),
    "COMMIT",
    "",
  ].join("\n");
};

/** The chains of ufw's before.rules and user.rules for forwarded traffic (`ufw route allow …`), with its own order. */
const ufwRules = (lab: Lab, count: number): string =>
  [
    "*filter",
    ":INPUT ACCEPT [0:0]",
    ":FORWARD DROP [0:0]",
    ":OUTPUT ACCEPT [0:0]",
    ":ufw-before-forward - [0:0]",
    ":ufw-user-forward - [0:0]",
    ":ufw-after-forward - [0:0]",
    "-A FORWARD -j ufw-before-forward",
    "-A FORWARD -j ufw-after-forward",
    "-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A ufw-before-forward -p icmp --icmp-type destination-unreachable -j ACCEPT",
    "-A ufw-before-forward -p icmp --icmp-type time-exceeded -j ACCEPT",
    "-A ufw-before-forward -p icmp --icmp-type parameter-problem -j ACCEPT",
    "-A ufw-before-forward -p icmp --icmp-type echo-request -j ACCEPT",
    "-A ufw-before-forward -j ufw-user-forward",
    ...tuples(lab, count).map((rule) => `-A ufw-user-forward ${rule} -j ACCEPT`),
    "COMMIT",
    "",
  ].join("\n");

/** Loads one firewall into the lab's host. */
export const load = async (lab: Lab, firewall: FirewallName, count: number): Promise<void> => {
  if (firewall === "ours") {
    const driver = createDriver("nftables", {
      owner: "bench",
      now: () => Date.now(),
      netns: lab.hostPath,
    });
    await driver.apply(policyOfSize(lab, count));
  } else if (firewall === "iptables")
    lab.run(lab.host, ["iptables-restore"], iptablesRules(lab, count));
  else if (firewall === "ufw") lab.run(lab.host, ["iptables-restore"], ufwRules(lab, count));
};

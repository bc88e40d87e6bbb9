/**
 * Copies of DNS answers for the agent, so that flows can be told by name. They are taken behind every filter and behind
 * address translation, of what really reaches a workload or this machine; only of answers to a connection that the
 * client began, as connection tracking has it; and never with a verdict. Each client has a rate of its own below
 * a common one, so that nobody's flood hides the answers of others; what is not copied is counted.
 */
import { NFLOG_DNS_GROUP, DNS_PREFIX } from "./log-prefix.ts";
import { BOTH } from "./family.ts";
import type { TableBuilder } from "./ruleset.ts";

/** The largest packet that is copied whole: answers are kept below the usual 1500 bytes by those who send them. */
const COPIED_BYTES = 1536;
const CLIENTS = 4096;
const SUPPRESSED = "dns_suppressed";
const PER_CLIENT = "limit rate over 100/second burst 200 packets";
const IN_ALL = "limit rate over 1000/second burst 1000 packets";

/** Behind the filters (0), security (50) and source NAT (100) of everybody. */
const base = (hook: string): string => `type filter hook ${hook} priority 200; policy accept;`;

const ANSWERS = "meta l4proto { 6, 17 } th sport 53 ct direction reply";

const rateSet = (family: 4 | 6): string => `dns_rate${family}`;

/** `local`: the sets of workloads' addresses, by family. */
export const writeDnsTaps = (table: TableBuilder, local: Readonly<Record<4 | 6, string>>): void => {
  const suppressed = table.counter(SUPPRESSED);
  for (const { family, type } of BOTH)
    table.set({
      name: rateSet(family),
      kind: "set",
      type,
      flags: ["dynamic", "timeout"],
      size: CLIENTS,
      timeout: "10s",
    });
  table.chain("dns_answer", [
    // The whole of a short answer over TCP travels in one segment, and ends what is to be pushed.
    "tcp flags ! psh return",
    ...BOTH.map(
      ({ source, family }) =>
        `update @${rateSet(family)} { ${source} ${PER_CLIENT} } counter name "${suppressed}" return`,
    ),
    `${IN_ALL} counter name "${suppressed}" return`,
    `log prefix "${DNS_PREFIX}" group ${NFLOG_DNS_GROUP} snaplen ${COPIED_BYTES}`,
  ]);
  table.chain(
    "dns_workload",
    BOTH.map(({ source, family }) => `${source} @${local[family]} goto dns_answer`),
  );
  // To this machine, by its loopback too: that is how a resolver of its own answers.
  table.chain("dns_here", [`${ANSWERS} goto dns_answer`], base("input"));
  table.chain("dns_onward", [`${ANSWERS} goto dns_workload`], base("postrouting"));
};

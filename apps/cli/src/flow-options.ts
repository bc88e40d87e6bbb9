/** The options by which verbs choose among flows, and their places on a command. What they mean is `flow-filter.ts`'s. */
import type { Command } from "commander";
import { collect, gather } from "./arguments.ts";

export interface FlowOptions {
  readonly since?: string;
  readonly until?: string;
  readonly verdict?: readonly string[];
  readonly workload?: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly label?: readonly string[];
  readonly fromLabel?: readonly string[];
  readonly toLabel?: readonly string[];
  readonly ip?: readonly string[];
  readonly fromIp?: readonly string[];
  readonly toIp?: readonly string[];
  readonly fqdn?: readonly string[];
  readonly fromFqdn?: readonly string[];
  readonly toFqdn?: readonly string[];
  readonly protocol?: readonly string[];
  readonly port?: readonly string[];
  readonly probes?: boolean;
}

export const SINCE = "how long ago (10m, 2h, 7d), or a date and time";

/** Those of one kind are alternatives; those of different kinds must all hold. */
export function withFlowOptions(command: Command): Command {
  return command
    .option("--since <time>", SINCE)
    .option("--until <time>", SINCE)
    .option("--verdict <verdicts>", "forwarded, dropped, rejected, audit, spoofed, error", collect)
    .option("-w, --workload <names>", "either end is one of these", collect)
    .option("--from <names>", "the source is one of these", collect)
    .option("--to <names>", "the destination is one of these", collect)
    .option("--label <selector>", "either end had such labels: app=web, 'app in (a,b),!c'", gather)
    .option("--from-label <selector>", "the source had such labels", gather)
    .option("--to-label <selector>", "the destination had such labels", gather)
    .option("--ip <addresses>", "either end's address: 10.0.0.7, 10.0.0.0/8, fd00::/8", collect)
    .option("--from-ip <addresses>", "the source's address", collect)
    .option("--to-ip <addresses>", "the destination's address", collect)
    .option("--fqdn <names>", "what DNS called either end: db.example.com, *.example.com", collect)
    .option("--from-fqdn <names>", "what DNS called the source", collect)
    .option("--to-fqdn <names>", "what DNS called the destination", collect)
    .option("--protocol <names>", "tcp, udp, sctp, icmp, icmpv6, proto-47", collect)
    .option("--port <ports>", "53, 5432/tcp, 8000-8100/tcp, icmp/echo-request", collect)
    .option("--probes", "our own probes too");
}

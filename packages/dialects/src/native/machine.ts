/** What an Inventory says of the machine itself: how it stands to its workloads, and what it does for them. */
import type { Resolver } from "@bulkhead/model";
import { address } from "./networks.ts";
import { fields, optional } from "../text/fields.ts";
import { described, flag, list, mapped, refined } from "../text/shape.ts";
import { invariants } from "./invariants.ts";
import { formatSocketText, parseSocketText } from "./socket-text.ts";

/** As the kernel takes it (`dev_valid_name`), and nft between quotes. */
const interfaceName = refined<string>(
  (value) =>
    /^[^\s/:"\\]{1,15}$/.test(value) && value !== "." && value !== ".."
      ? { value }
      : {
          code: "BH0107",
          error: `\`${value}\` is not the name of an interface`,
          help: "at most 15 characters, as `ip link` shows it: `br0`, `veth-web`",
        },
  { minLength: 1, maxLength: 15 },
);

const DNS_PORT = 53;

/** `10.0.0.1`, or with another port than 53: `10.0.0.1:5353`, `[fd00::1]:5353`. */
export const formatResolver = (one: Resolver): string => formatSocketText(one, DNS_PORT);

const resolver = described(
  refined<Resolver>((value) => {
    const found = parseSocketText(value, DNS_PORT);
    return found === null
      ? {
          code: "BH0209",
          error: `\`${value}\` is not an address of a resolver`,
          help: "for example `10.0.0.1`, `10.0.0.1:5353` or `[fd00::1]:5353`",
        }
      : { value: found };
  }),
  "Address, and a port when it is not 53.",
  "10.0.0.1",
  "[fd00::1]:5353",
);

/** A value that must not be contradicted elsewhere keeps its place. */
const placedFlag = mapped(flag, (value, node, at) => ({ value, source: at.span(node) }));

export const machine = fields("what is said about the machine", {
  nodeExempt: optional(
    placedFlag,
    "`true` (the default): what this machine sends to its workloads passes their ingress policy. `false`: it is judged as peer `host`.",
  ),
  hairpinExempt: optional(
    placedFlag,
    "`true` (the default): what a workload sends to its own addresses is not judged.",
  ),
  addresses: optional(
    list(address, "addresses"),
    "Addresses of the machine, for deciding without it. What the agent sees goes before it.",
  ),
  dhcp: optional(
    list(interfaceName, "interfaces"),
    "Bridges, or the machine's ends of veth pairs, on which this machine serves DHCP and DHCPv6.",
  ),
  dns: optional(
    list(resolver, "resolvers"),
    "Addresses of this machine at which workloads reach its resolver without a rule, over UDP and TCP.",
  ),
  invariants: optional(
    invariants,
    "What this machine must be able to do. A change of policy that would break it is refused, one that does is taken back.",
  ),
});

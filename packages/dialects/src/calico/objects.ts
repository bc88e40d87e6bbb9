/** What Calico's policies refer to: sets of networks, tiers, host endpoints; every field of theirs. */
import { parseIp } from "@bulkhead/model";
import { fields, ignored, optional, refused, required } from "../text/fields.ts";
import { integer, list, mapped, refined, text, word, type Read } from "../text/shape.ts";
import { extentAt } from "./places.ts";
import { head, order } from "./policy.ts";
import { hasPorts, protocol } from "./ports.ts";
import { net } from "./rule.ts";
import { asWritten } from "./stored.ts";
import { BUILT_IN } from "./tiers.ts";

const RESERVED_LABEL = "projectcalico.org/namespace";

const setSpec = fields("the spec of a set", {
  nets: optional(list(net, "prefixes")),
  allowedEgressDomains: refused("it is Calico Enterprise's; name the addresses"),
});
export const networkSet = mapped(
  asWritten(fields("a set of networks", { ...head, spec: optional(setSpec) }), false),
  (set, node, at) => {
    if (!Object.hasOwn(set.metadata.labels ?? {}, RESERVED_LABEL)) return set;
    const place = extentAt(node, "metadata", "labels", RESERVED_LABEL);
    at.report("BH0202", place, `label \`${RESERVED_LABEL}\` is Calico's to give`);
    return undefined;
  },
);

const TIER_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

export const tier = mapped(
  asWritten(
    fields("a Tier", {
      ...head,
      spec: optional(
        fields("the spec of a Tier", {
          order: optional(order),
          defaultAction: optional(word("action", "Deny", "Pass")),
        }),
      ),
    }),
    false,
  ),
  (given, node, at) => {
    const { metadata, spec } = given;
    const own = Object.hasOwn(BUILT_IN, metadata.name) ? BUILT_IN[metadata.name] : undefined;
    let isSound = true;
    const report = (code: "BH0107" | "BH0441", path: readonly string[], message: string) => {
      at.report(code, extentAt(node, ...path), message);
      isSound = false;
    };
    if (!TIER_NAME.test(metadata.name))
      report("BH0107", ["metadata", "name"], `\`${metadata.name}\` is not a tier's name`);
    if (own !== undefined && spec?.order !== undefined && spec.order !== own.order)
      report("BH0441", ["spec", "order"], `tier \`${metadata.name}\` has order ${own.order}`);
    if (own !== undefined && (spec?.defaultAction ?? own.action) !== own.action) {
      const message = `tier \`${metadata.name}\` has default action \`${own.action}\``;
      report("BH0441", ["spec", "defaultAction"], message);
    }
    return isSound ? given : undefined;
  },
);

const ip = refined<string>((value) =>
  parseIp(value) === null ? { code: "BH0209", error: `\`${value}\` is not an address` } : { value },
);

const endpointPort = mapped(
  fields("a port", {
    name: required(text),
    protocol: required(protocol),
    port: required(integer(1, 65535)),
  }),
  (value, node, at) => {
    if (hasPorts(value.protocol)) return value;
    at.report("BH0441", extentAt(node, "protocol"), "ports are of protocol TCP, UDP or SCTP");
    return undefined;
  },
);
const hostSpec = mapped(
  fields("the spec of a HostEndpoint", {
    node: required(text),
    interfaceName: optional(text),
    expectedIPs: optional(list(ip, "addresses")),
    profiles: ignored("a profile's rules are not read: without a policy the node is open"),
    ports: optional(list(endpointPort, "ports")),
  }),
  (spec, node, at) => {
    if ((spec.interfaceName ?? "") !== "" || (spec.expectedIPs?.length ?? 0) > 0) return spec;
    const message = "a HostEndpoint needs one of `interfaceName`, `expectedIPs`";
    at.report("BH0103", extentAt(node, "interfaceName"), message);
    return undefined;
  },
);
export const hostEndpoint = asWritten(
  fields("a HostEndpoint", { ...head, spec: required(hostSpec) }),
  false,
);

export type NetworkSetObject = Read<typeof networkSet>;
export type TierObject = Read<typeof tier>;
export type HostEndpointObject = Read<typeof hostEndpoint>;

/**
 * Services, accounts and nodes, as far as they say who is reached and who somebody is. Where a Service leads is found out in
 * `build/services.ts`.
 */
import {
  canonicalIp,
  parseProtocol,
  selectorFromLabelSelector,
  type IpAddress,
  type ProtocolNumber,
  type Selector,
} from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import { integer, list, mapped, type Read, text, word } from "../text/shape.ts";
import { objectLabels, objectMeta } from "./metadata.ts";
import { intOrName } from "./network-policy.ts";

const open = { open: true } as const;

export interface ServicePort {
  readonly name?: string;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  /** Where it leads on each pod: a number, or what the pod calls a port. */
  readonly target: number | string;
  readonly nodePort?: number;
}

const port = mapped(
  fields(
    "a service port",
    {
      name: optional(text),
      protocol: optional(word("protocol", "TCP", "UDP", "SCTP")),
      port: required(integer(1, 65535)),
      targetPort: optional(intOrName),
      // 0 leaves the choice to the cluster.
      nodePort: optional(integer(0, 65535)),
    },
    open,
  ),
  ({ name, protocol, port: number, targetPort, nodePort }): ServicePort | undefined => {
    const parsed = parseProtocol(protocol ?? "TCP");
    if (parsed === null) return undefined;
    return {
      ...(name === undefined ? {} : { name }),
      protocol: parsed,
      port: number,
      target: targetPort ?? number,
      ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }),
    };
  },
);

const addresses = (...given: readonly (string | undefined)[]): readonly IpAddress[] => [
  ...new Set(given.flatMap((one) => (one === undefined ? [] : (canonicalIp(one) ?? [])))),
];

export const service = mapped(
  fields(
    "a Service",
    {
      metadata: required(objectMeta),
      spec: optional(
        fields(
          "the spec of a Service",
          {
            type: optional(
              word("type of Service", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
            ),
            selector: optional(objectLabels),
            ports: optional(list(port, "service ports")),
            clusterIP: optional(text),
            clusterIPs: optional(list(text, "addresses")),
            externalIPs: optional(list(text, "addresses")),
            externalName: optional(text),
          },
          open,
        ),
      ),
      status: optional(
        fields(
          "a Service's status",
          {
            loadBalancer: optional(
              fields(
                "a load balancer",
                {
                  ingress: optional(
                    list(
                      fields("an address", { ip: optional(text), hostname: optional(text) }, open),
                      "addresses",
                    ),
                  ),
                },
                open,
              ),
            ),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, spec, status, source }) => {
    const type = spec?.type ?? "ClusterIP";
    const labels = spec?.selector ?? {};
    // Without a selector somebody else says where it leads; with an empty one, too.
    const selector: Selector | undefined =
      Object.keys(labels).length === 0 || type === "ExternalName"
        ? undefined
        : selectorFromLabelSelector({ matchLabels: labels });
    const balanced = status?.loadBalancer?.ingress ?? [];
    return {
      kind: "Service" as const,
      metadata,
      type,
      ...(selector === undefined ? {} : { selector }),
      ports: spec?.ports ?? [],
      /** Empty: it is headless, or nobody has told. */
      clusterIps: addresses(spec?.clusterIP, ...(spec?.clusterIPs ?? [])),
      headless: spec?.clusterIP === "None",
      externalIps: addresses(...(spec?.externalIPs ?? [])),
      balancerIps: addresses(...balanced.map(({ ip }) => ip)),
      ...(spec?.externalName === undefined ? {} : { externalName: spec.externalName }),
      source,
    };
  },
);

export const serviceAccount = mapped(
  fields("a ServiceAccount", { metadata: required(objectMeta) }, open),
  ({ metadata, source }) => ({ kind: "ServiceAccount" as const, metadata, source }),
);

const NODE_ADDRESSES = ["InternalIP", "ExternalIP"];

export const node = mapped(
  fields(
    "a Node",
    {
      metadata: required(objectMeta),
      status: optional(
        fields(
          "a Node's status",
          {
            addresses: optional(
              list(
                fields("an address", { type: optional(text), address: optional(text) }, open),
                "addresses",
              ),
            ),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, status, source }) => ({
    kind: "Node" as const,
    metadata,
    addresses: addresses(
      ...(status?.addresses ?? [])
        .filter(({ type = "" }) => NODE_ADDRESSES.includes(type))
        .map(({ address }) => address),
    ),
    source,
  }),
);

export type ServiceObject = Read<typeof service>;
export type ServiceAccountObject = Read<typeof serviceAccount>;
export type NodeObject = Read<typeof node>;

/**
 * Gateway API (`gateway.networking.k8s.io`): routes and where they lead, which Gateways admit routes of which namespaces, and
 * who may lead into a namespace that is not their own. What a route matches on is not looked at: who is led there at all is.
 */
import { labelSelector } from "../native/values.ts";
import { fields, optional, required } from "../text/fields.ts";
import { integer, list, mapped, type Read, type Shape, text, word } from "../text/shape.ts";
import type { Backend, ParentGateway, RouteObject } from "./ingress.ts";
import { objectMeta } from "./metadata.ts";

const open = { open: true } as const;
export const GATEWAY_GROUP = "gateway.networking.k8s.io";
export const ROUTE_KINDS = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] as const;

const reference = {
  group: optional(text),
  kind: optional(text),
  namespace: optional(text),
  name: required(text),
  port: optional(integer(1, 65535)),
} as const;

const backendRef = mapped(
  fields("a backend", reference, open),
  ({ group = "", kind = "Service", namespace, name, port, source }): Backend | null =>
    group === "" && kind === "Service"
      ? {
          ...(namespace === undefined ? {} : { namespace }),
          service: name,
          ...(port === undefined ? {} : { port }),
          source,
        }
      : null,
);

/** A copy of each request goes there, too. */
const filters = optional(
  list(
    fields(
      "a filter",
      {
        requestMirror: optional(fields("a mirror", { backendRef: optional(backendRef) }, open)),
      },
      open,
    ),
    "filters",
  ),
);

const rule = mapped(
  fields("a route's rule", { backendRefs: optional(list(backendRef, "backends")), filters }, open),
  ({ backendRefs = [], filters: given = [] }) => [
    ...backendRefs,
    ...given.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []),
  ],
);

const parentRef = mapped(
  fields("a parent", { ...reference, sectionName: optional(text) }, open),
  ({ group = GATEWAY_GROUP, kind = "Gateway", namespace, name, sectionName, port }) =>
    group === GATEWAY_GROUP && kind === "Gateway"
      ? ({
          ...(namespace === undefined ? {} : { namespace }),
          name,
          ...(sectionName === undefined ? {} : { section: sectionName }),
          ...(port === undefined ? {} : { port }),
        } satisfies ParentGateway)
      : null,
);

/** Those whose parent is a Service steer a mesh's traffic, which comes from workloads and not from outside. */
export const gatewayRoute = (kind: string): Shape<RouteObject> =>
  mapped(
    fields(
      `a ${kind}`,
      {
        metadata: required(objectMeta),
        spec: optional(
          fields(
            `the spec of a ${kind}`,
            {
              parentRefs: optional(list(parentRef, "parents")),
              rules: optional(list(rule, "rules")),
            },
            open,
          ),
        ),
      },
      open,
    ),
    ({ metadata, spec, source }) => ({
      kind,
      metadata,
      backends: (spec?.rules ?? []).flat().filter((one) => one !== null),
      parents: (spec?.parentRefs ?? []).filter((one) => one !== null),
      source,
    }),
  );

const listener = fields(
  "a listener",
  {
    name: optional(text),
    port: optional(integer(1, 65535)),
    allowedRoutes: optional(
      fields(
        "allowed routes",
        {
          namespaces: optional(
            fields(
              "namespaces",
              {
                from: optional(word("where routes come from", "All", "Same", "Selector", "None")),
                selector: optional(labelSelector),
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
);

export const gateway = mapped(
  fields(
    "a Gateway",
    {
      metadata: required(objectMeta),
      spec: optional(
        fields("the spec of a Gateway", { listeners: optional(list(listener, "listeners")) }, open),
      ),
    },
    open,
  ),
  ({ metadata, spec, source }) => ({
    kind: "Gateway" as const,
    metadata,
    listeners: spec?.listeners ?? [],
    source,
  }),
);

export const referenceGrant = mapped(
  fields(
    "a ReferenceGrant",
    {
      metadata: required(objectMeta),
      spec: required(
        fields(
          "the spec of a ReferenceGrant",
          {
            from: required(
              list(
                fields(
                  "who refers",
                  { group: optional(text), kind: required(text), namespace: required(text) },
                  open,
                ),
                "who refers",
              ),
            ),
            to: required(
              list(
                fields(
                  "what is referred to",
                  { group: optional(text), kind: required(text), name: optional(text) },
                  open,
                ),
                "what is referred to",
              ),
            ),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, spec, source }) => ({
    kind: "ReferenceGrant" as const,
    metadata,
    from: spec.from,
    to: spec.to,
    source,
  }),
);

export type GatewayObject = Read<typeof gateway>;
export type ReferenceGrantObject = Read<typeof referenceGrant>;

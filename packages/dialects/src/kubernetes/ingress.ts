/**
 * Ingress and OpenShift's Route: which Services a controller at the edge leads to. Both become the form that the routes of
 * Gateway API have (`gateway.ts`).
 */
import type { SourceSpan } from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import { integer, list, mapped, type Read, type Shape, text } from "../text/shape.ts";
import { objectMeta } from "./metadata.ts";
import { intOrName } from "./network-policy.ts";

const open = { open: true } as const;

/** A Service that traffic is led to; the port by number or name, as the Service has it. Absent: every one of its ports. */
export interface Backend {
  /** Absent: that of the route. */
  readonly namespace?: string;
  readonly service: string;
  readonly port?: number | string;
  /** Not a port of the Service, but where that leads on its pods. */
  readonly byTarget?: true;
  readonly source: SourceSpan;
}

/** The Gateway that a route asks to be led by. */
export interface ParentGateway {
  readonly namespace?: string;
  readonly name: string;
  readonly section?: string;
  readonly port?: number;
}

export interface RouteObject {
  readonly kind: string;
  readonly metadata: Read<typeof objectMeta>;
  readonly backends: readonly Backend[];
  /** Absent: it needs none. */
  readonly parents?: readonly ParentGateway[];
  readonly source: SourceSpan;
}

const named = fields(
  "a service backend",
  {
    name: required(text),
    port: optional(
      fields("a backend port", { number: optional(integer(1, 65535)), name: optional(text) }, open),
    ),
  },
  open,
);

/** With the words of `extensions/v1beta1` beside those of today. */
const ingressBackend = mapped(
  fields(
    "a backend",
    { service: optional(named), serviceName: optional(text), servicePort: optional(intOrName) },
    open,
  ),
  ({ service, serviceName, servicePort, source }): readonly Backend[] => {
    const name = service?.name ?? serviceName;
    const port = service?.port?.number ?? service?.port?.name ?? servicePort;
    // A backend may be a resource of the controller's own instead.
    if (name === undefined) return [];
    return [{ service: name, ...(port === undefined ? {} : { port }), source }];
  },
);

const ingressRule = fields(
  "an ingress rule",
  {
    http: optional(
      fields(
        "paths",
        {
          paths: optional(
            list(fields("a path", { backend: optional(ingressBackend) }, open), "paths"),
          ),
        },
        open,
      ),
    ),
  },
  open,
);

export const ingress: Shape<RouteObject> = mapped(
  fields(
    "an Ingress",
    {
      metadata: required(objectMeta),
      spec: optional(
        fields(
          "the spec of an Ingress",
          {
            defaultBackend: optional(ingressBackend),
            backend: optional(ingressBackend),
            rules: optional(list(ingressRule, "ingress rules")),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, spec, source }) => {
    const paths = (spec?.rules ?? []).flatMap(({ http }) => http?.paths ?? []);
    const backends = [
      ...(spec?.defaultBackend ?? []),
      ...(spec?.backend ?? []),
      ...paths.flatMap(({ backend }) => backend ?? []),
    ];
    return { kind: "Ingress", metadata, backends, source };
  },
);

const target = mapped(
  fields("a target", { kind: optional(text), name: required(text) }, open),
  ({ kind = "Service", name, source }): Backend | null =>
    kind === "Service" ? { service: name, source } : null,
);

/** `route.openshift.io/v1`. Its port is that of the pods. */
export const openshiftRoute: Shape<RouteObject> = mapped(
  fields(
    "a Route",
    {
      metadata: required(objectMeta),
      spec: required(
        fields(
          "the spec of a Route",
          {
            to: required(target),
            alternateBackends: optional(list(target, "targets")),
            port: optional(fields("a route's port", { targetPort: required(intOrName) }, open)),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, spec, source }) => {
    const port = spec.port?.targetPort;
    const backends = [spec.to, ...(spec.alternateBackends ?? [])].flatMap((one) =>
      one === null ? [] : [port === undefined ? one : { ...one, port, byTarget: true as const }],
    );
    return { kind: "Route", metadata, backends, source };
  },
);

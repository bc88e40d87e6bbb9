/**
 * Kubernetes objects that say who is there: pods, the controllers that make them, namespaces. Only the fields that
 * bear on the network are read; the rest of an object is none of our business.
 */
import { canonicalIp, parseProtocol, TCP, type NamedPort } from "@bulkhead/model";
import {
  anyText,
  containerConfiguration,
  NO_CONFIGURATION,
  type ContainerConfiguration,
} from "./configuration.ts";
import { fields, optional, required } from "../text/fields.ts";
import { flag, integer, list, mapped, type Read, type Shape, text } from "../text/shape.ts";
import { generatedMeta, namespaceMeta, objectLabels } from "./metadata.ts";

const open = { open: true } as const;

const containerPort = mapped(
  fields(
    "a container port",
    {
      name: optional(text),
      containerPort: optional(integer(1, 65535)),
      protocol: optional(text),
    },
    open,
  ),
  ({ name, containerPort: number, protocol }): NamedPort | null =>
    name === undefined || number === undefined
      ? null
      : { name, protocol: parseProtocol(protocol ?? "TCP") ?? TCP, port: number },
);
const container = fields(
  "a container",
  {
    ports: optional(list(containerPort, "ports")),
    restartPolicy: optional(text),
    env: optional(containerConfiguration.env),
    envFrom: optional(containerConfiguration.envFrom),
  },
  open,
);

const podSpec = fields(
  "a pod's spec",
  {
    hostNetwork: optional(flag),
    nodeName: optional(text),
    serviceAccountName: optional(text),
    // What it was called before.
    serviceAccount: optional(text),
    containers: optional(list(container, "containers")),
    initContainers: optional(list(container, "containers")),
  },
  open,
);
const podStatus = fields(
  "a pod's status",
  {
    phase: optional(text),
    podIP: optional(text),
    podIPs: optional(list(fields("a pod's address", { ip: optional(text) }, open), "addresses")),
  },
  open,
);
const template = fields(
  "a pod template",
  {
    metadata: optional(fields("metadata", { labels: optional(objectLabels) }, open)),
    spec: optional(podSpec),
  },
  open,
);

export interface PodFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  readonly serviceAccount: string;
  readonly nodeName?: string;
  readonly namedPorts: readonly NamedPort[];
  readonly addresses: readonly string[];
  /** Of all its containers, those that prepare the others included: what they are told of whom to call. */
  readonly configuration: readonly ContainerConfiguration[];
}

/** When a CronJob's pods are made. */
export interface JobSchedule {
  readonly expression: string;
  readonly timeZone?: string;
  readonly suspended: boolean;
  /** RFC 3339, where the server has told. */
  readonly lastRun?: string;
}

/** Of a StatefulSet's pods. */
export interface PodNumbers {
  readonly first: number;
  readonly count: number;
}
export const UNNUMBERED: { readonly numbers?: PodNumbers; readonly schedule?: JobSchedule } = {};

type PodSpec = Read<typeof podSpec>;

/** Containers that prepare the others are gone when anybody connects; those that are restarted stay beside them. */
const namedPorts = (spec: PodSpec | undefined): readonly NamedPort[] => {
  const sidecars = (spec?.initContainers ?? []).filter(
    ({ restartPolicy }) => restartPolicy === "Always",
  );
  return [...(spec?.containers ?? []), ...sidecars].flatMap((one) =>
    (one.ports ?? []).filter((port) => port !== null),
  );
};

/** Empty texts are what templates write who mean none; the API server gives `default` then. */
const accountOf = (spec: PodSpec | undefined): string =>
  spec?.serviceAccountName || spec?.serviceAccount || "default";

export const factsOf = (
  labels: Readonly<Record<string, string>> | undefined,
  spec: PodSpec | undefined,
  addresses: readonly string[],
): PodFacts => ({
  labels: labels ?? {},
  hostNetwork: spec?.hostNetwork ?? false,
  serviceAccount: accountOf(spec),
  ...(spec?.nodeName ? { nodeName: spec.nodeName } : {}),
  namedPorts: namedPorts(spec),
  addresses: [...new Set(addresses)],
  configuration: [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].flatMap(
    ({ env, envFrom }) =>
      env === undefined && envFrom === undefined
        ? []
        : [{ ...NO_CONFIGURATION, ...env, maps: [...(env?.maps ?? []), ...(envFrom ?? [])] }],
  ),
});

const pod = mapped(
  fields(
    "a Pod",
    { metadata: required(generatedMeta), spec: optional(podSpec), status: optional(podStatus) },
    open,
  ),
  ({ metadata, spec, status, source }) => {
    // A finished pod's address goes back to the pool: it must not lend its labels to the next owner.
    const finished = status?.phase === "Succeeded" || status?.phase === "Failed";
    const given = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
    const addresses = given.flatMap((one) => {
      const canonical = one === undefined || finished ? null : canonicalIp(one);
      return canonical === null ? [] : [canonical];
    });
    const facts = factsOf(metadata.labels, spec, addresses);
    return { kind: "Pod", metadata, facts, source, ...UNNUMBERED };
  },
);

const controllerFacts = (found: Read<typeof template> | undefined): PodFacts =>
  factsOf(found?.metadata?.labels, found?.spec, []);

const withTemplate = fields("a spec", { template: optional(template) }, open);

const controller = (kind: string) =>
  mapped(
    fields(`a ${kind}`, { metadata: required(generatedMeta), spec: optional(withTemplate) }, open),
    ({ metadata, spec, source }) => ({
      kind,
      metadata,
      facts: controllerFacts(spec?.template),
      source,
      ...UNNUMBERED,
    }),
  );

const count = integer(0, 2 ** 31 - 1);
const statefulSet = mapped(
  fields(
    "a StatefulSet",
    {
      metadata: required(generatedMeta),
      spec: optional(
        fields(
          "a spec",
          {
            template: optional(template),
            replicas: optional(count),
            ordinals: optional(fields("ordinals", { start: optional(count) }, open)),
          },
          open,
        ),
      ),
    },
    open,
  ),
  ({ metadata, spec, source }) => ({
    kind: "StatefulSet",
    metadata,
    facts: controllerFacts(spec?.template),
    source,
    // A set of none is listed as what it would be; and so it is judged.
    numbers: { first: spec?.ordinals?.start ?? 0, count: Math.max(1, spec?.replicas ?? 1) },
  }),
);

const cronJob = mapped(
  fields(
    "a CronJob",
    {
      metadata: required(generatedMeta),
      spec: optional(
        fields(
          "a spec",
          {
            schedule: optional(anyText),
            timeZone: optional(anyText),
            suspend: optional(anyText),
            jobTemplate: optional(fields("a job template", { spec: optional(withTemplate) }, open)),
          },
          open,
        ),
      ),
      status: optional(fields("a status", { lastScheduleTime: optional(anyText) }, open)),
    },
    open,
  ),
  ({ metadata, spec, status, source }) => ({
    kind: "CronJob",
    metadata,
    facts: controllerFacts(spec?.jobTemplate?.spec?.template),
    source,
    ...UNNUMBERED,
    ...(!spec?.schedule
      ? {}
      : {
          schedule: {
            expression: spec.schedule,
            suspended: spec.suspend === "true",
            ...(spec.timeZone ? { timeZone: spec.timeZone } : {}),
            ...(status?.lastScheduleTime ? { lastRun: status.lastScheduleTime } : {}),
          },
        }),
  }),
);

/** Argo's. Without a template it stands for a Deployment that is there itself. */
const rollout = mapped(
  fields("a Rollout", { metadata: required(generatedMeta), spec: optional(withTemplate) }, open),
  ({ metadata, spec, source }) =>
    spec?.template === undefined
      ? null
      : {
          kind: "Rollout",
          metadata,
          facts: controllerFacts(spec.template),
          source,
          ...UNNUMBERED,
        },
);

export const namespaceObject = fields(
  "a Namespace",
  { kind: optional(text), metadata: required(namespaceMeta) },
  open,
);

export type PodMaker = Read<typeof pod>;
export type NamespaceObject = Read<typeof namespaceObject>;

/** Kinds that become workloads; null: what it stands for is elsewhere. */
export const POD_MAKERS: Readonly<Record<string, Shape<PodMaker | null>>> = {
  Pod: pod,
  Deployment: controller("Deployment"),
  ReplicaSet: controller("ReplicaSet"),
  StatefulSet: statefulSet,
  DaemonSet: controller("DaemonSet"),
  Job: controller("Job"),
  CronJob: cronJob,
  ReplicationController: controller("ReplicationController"),
  DeploymentConfig: controller("DeploymentConfig"),
  Rollout: rollout,
};

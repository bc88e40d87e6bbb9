/** A native resource as it was read, back to the plain shape people write. Parsing the print of it gives it again. */
import {
  API_VERSION,
  formatPortMatch,
  formatSelector,
  type ExceptionManifest,
  type IntentManifest,
  type Metadata,
  type NativeManifest,
  type PeerManifest,
  type PolicyManifest,
  type PortMatch,
  type WorkloadsManifest,
} from "@bulkhead/model";
import type { InventoryFile, NativeResource, Policy, PolicyTestFile } from "./kinds.ts";
import type { NativePeer, NativeWorkloads } from "./peer.ts";
import { invariantsToManifest } from "./invariants.ts";
import { formatResolver } from "./machine.ts";

const timeText = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");

const workloads = (value: NativeWorkloads): WorkloadsManifest => ({
  selector: formatSelector(value.selector),
  ...(value.namespace === undefined ? {} : { namespace: value.namespace }),
  ...(value.namespaceSelector === undefined
    ? {}
    : { namespaceSelector: formatSelector(value.namespaceSelector) }),
});

const peer = (value: NativePeer): PeerManifest => {
  switch (value.kind) {
    case "workloads":
      return workloads(value);
    case "networkSet":
      return { networkSet: value.networkSet };
    case "cidr":
      return { cidr: value.cidr, ...(value.except === undefined ? {} : { except: value.except }) };
    case "entity":
      return { entity: value.entity };
    case "any":
      return { any: true };
  }
};

const ports = (values: readonly PortMatch[] | undefined): { readonly ports?: readonly string[] } =>
  values === undefined ? {} : { ports: values.flatMap(formatPortMatch) };

const given = <T extends object, K extends keyof T>(
  from: T,
  ...keys: readonly K[]
): Partial<Pick<T, K>> => {
  const out: Partial<Pick<T, K>> = {};
  for (const key of keys) if (from[key] !== undefined) out[key] = from[key];
  return out;
};

const expiry = (at: number | undefined): { readonly expires?: string } =>
  at === undefined ? {} : { expires: timeText(at) };

const metadata = (value: NativeResource["metadata"]): Metadata => ({
  name: value.name,
  ...given(value, "namespace", "labels", "annotations"),
});

const policySpec = ({ spec }: Policy): PolicyManifest["spec"] => ({
  ...given(spec, "owner", "reason", "tier", "priority", "mode"),
  ...expiry(spec.expires),
  subject: workloads(spec.subject),
  ...(spec.ingress === undefined
    ? {}
    : {
        ingress: spec.ingress.rules.map((rule) => ({
          ...given(rule, "name", "action", "description"),
          from: rule.from.map(peer),
          ...ports(rule.ports),
        })),
      }),
  ...(spec.egress === undefined
    ? {}
    : {
        egress: spec.egress.rules.map((rule) => ({
          ...given(rule, "name", "action", "description"),
          to: rule.to.map(peer),
          ...ports(rule.ports),
        })),
      }),
});

const machine = ({
  nodeExempt,
  hairpinExempt,
  addresses,
  dhcp,
  dns,
  invariants,
}: NonNullable<InventoryFile["spec"]["machine"]>) => ({
  ...(nodeExempt === undefined ? {} : { nodeExempt: nodeExempt.value }),
  ...(hairpinExempt === undefined ? {} : { hairpinExempt: hairpinExempt.value }),
  ...(addresses === undefined ? {} : { addresses }),
  ...(dhcp === undefined ? {} : { dhcp }),
  ...(dns === undefined ? {} : { dns: dns.map(formatResolver) }),
  ...(invariants === undefined ? {} : { invariants: invariantsToManifest(invariants) }),
});

const inventorySpec = ({ spec }: InventoryFile) => ({
  ...(spec.namespaces === undefined
    ? {}
    : {
        namespaces: spec.namespaces.map(({ name, ...rest }) => ({
          name,
          ...given(rest, "labels"),
        })),
      }),
  ...(spec.workloads === undefined
    ? {}
    : {
        workloads: spec.workloads.map((one) => ({
          name: one.name,
          ...given(one, "namespace", "labels", "netns", "container", "unit", "addresses", "kind"),
          ...(one.ports === undefined
            ? {}
            : {
                ports: one.ports.map(({ name, port, protocol }) => ({
                  name,
                  port,
                  ...(protocol === undefined ? {} : { protocol }),
                })),
              }),
          ...(one.sockets === undefined
            ? {}
            : {
                sockets: one.sockets.map(({ port, ...rest }) => ({
                  port,
                  ...given(rest, "protocol", "address"),
                })),
              }),
          ...given(one, "borrowedSockets"),
          ...(one.owner === undefined ? {} : { owner: `${one.owner.kind}/${one.owner.name}` }),
        })),
      }),
  ...(spec.machine === undefined ? {} : { machine: machine(spec.machine) }),
});

/** A test's port as one text: the match of a test always has one. */
const testPort = (match: PortMatch): string => formatPortMatch(match)[0] ?? "all";

const testSpec = ({ spec }: PolicyTestFile) => ({
  tests: spec.tests.map((test) => ({
    ...given(test, "name"),
    from: test.from,
    to: test.to,
    port: testPort(test.port),
    ...(test.http === undefined ? {} : { http: test.http.text }),
    ...given(test, "names"),
    expect: test.expect,
  })),
});

export const toManifest = (resource: NativeResource): NativeManifest => {
  const head = { apiVersion: API_VERSION, metadata: metadata(resource.metadata) } as const;
  switch (resource.kind) {
    case "Policy":
      return { ...head, kind: "Policy", spec: policySpec(resource) };
    case "Intent": {
      const { spec } = resource;
      const out: IntentManifest["spec"] = {
        ...given(spec, "owner", "reason", "mode"),
        ...expiry(spec.expires),
        from: peer(spec.from),
        to: peer(spec.to),
        ...ports(spec.ports),
      };
      return { ...head, kind: "Intent", spec: out };
    }
    case "Exception": {
      const { spec } = resource;
      const out: ExceptionManifest["spec"] = {
        owner: spec.owner,
        reason: spec.reason,
        expires: timeText(spec.expires),
        from: peer(spec.from),
        to: peer(spec.to),
        ports: spec.ports.flatMap(formatPortMatch),
      };
      return { ...head, kind: "Exception", spec: out };
    }
    case "NetworkSet":
      return { ...head, kind: "NetworkSet", spec: { cidrs: resource.spec.cidrs } };
    case "Inventory":
      return { ...head, kind: "Inventory", spec: inventorySpec(resource) };
    case "PolicyTest":
      return { ...head, kind: "PolicyTest", spec: testSpec(resource) };
  }
};

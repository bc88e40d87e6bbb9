/**
 * Native resources as people write them: the plain shape of the YAML, before it is read. Whoever proposes policy
 * builds these; `printResources` in dialects writes them, and `parseFiles` reads them back.
 */
import type { InvariantKind } from "./invariant.ts";

export const API_VERSION = "bulkhead.dev/v1";

/** On a NetworkSet: the domain name whose addresses it holds, as they were seen in DNS answers. */
export const DNS_NAME_ANNOTATION = "bulkhead.dev/dns-name";

export interface Metadata {
  readonly name: string;
  /** `default` when absent. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Kubernetes selector syntax, or its object form. */
export type SelectorManifest =
  | string
  | {
      readonly matchLabels?: Readonly<Record<string, string>>;
      readonly matchExpressions?: readonly {
        readonly key: string;
        readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        readonly values?: readonly string[];
      }[];
    };

/** Namespace is that of the resource unless said otherwise; `*` is every namespace. */
export interface WorkloadsManifest {
  readonly selector: SelectorManifest;
  readonly namespace?: string;
  readonly namespaceSelector?: SelectorManifest;
}

/** A bare string is a selector in the resource's own namespace. */
export type PeerManifest =
  | string
  | WorkloadsManifest
  | { readonly networkSet: string }
  | { readonly cidr: string; readonly except?: readonly string[] }
  | { readonly entity: "host" | "world" | "broadcast" | "multicast" }
  | { readonly any: true };

/** `5432/tcp`, `8000-8100/tcp`, `http/tcp`, `icmp/echo-request`; a bare number is TCP. */
export type PortManifest = string | number;

export type PolicyTier = "emergency" | "guardrail" | "application" | "baseline";
export type PolicyMode = "audit" | "enforce";
export type NativeAction = "allow" | "deny" | "reject" | "pass" | "log";

interface RuleManifest {
  readonly name?: string;
  readonly action?: NativeAction;
  /** Absent = all ports. */
  readonly ports?: readonly PortManifest[];
  readonly description?: string;
}
export interface IngressManifest extends RuleManifest {
  readonly from: readonly PeerManifest[];
}
export interface EgressManifest extends RuleManifest {
  readonly to: readonly PeerManifest[];
}

interface Manifest<Kind extends string, Spec> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: Metadata;
  readonly spec: Spec;
}

export type PolicyManifest = Manifest<
  "Policy",
  {
    readonly owner?: string;
    readonly reason?: string;
    readonly tier?: PolicyTier;
    readonly priority?: number;
    readonly mode?: PolicyMode;
    readonly expires?: string;
    readonly subject: string | WorkloadsManifest;
    /** A section that is present isolates the subject in its direction (tier application); `[]` denies everything. */
    readonly ingress?: readonly IngressManifest[];
    readonly egress?: readonly EgressManifest[];
  }
>;

export type IntentManifest = Manifest<
  "Intent",
  {
    readonly from: PeerManifest;
    readonly to: PeerManifest;
    readonly ports?: readonly PortManifest[];
    readonly owner?: string;
    readonly reason?: string;
    readonly mode?: PolicyMode;
    readonly expires?: string;
  }
>;

export type ExceptionManifest = Manifest<
  "Exception",
  {
    readonly from: PeerManifest;
    readonly to: PeerManifest;
    readonly ports: readonly PortManifest[];
    readonly owner: string;
    readonly reason: string;
    /** RFC 3339, absolute. */
    readonly expires: string;
  }
>;

export type NetworkSetManifest = Manifest<"NetworkSet", { readonly cidrs: readonly string[] }>;

export type InventoryManifest = Manifest<
  "Inventory",
  {
    readonly namespaces?: readonly {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string>>;
    }[];
    readonly workloads?: readonly {
      readonly name: string;
      readonly namespace?: string;
      readonly labels?: Readonly<Record<string, string>>;
      /** Exactly one of `netns`, `container`, `unit`, `addresses`. */
      readonly netns?: string;
      readonly container?: string;
      /** `nginx.service`, or the path of a control group; without `kind`. */
      readonly unit?: string;
      /** Of units, and of containers on the machine's network: where they wait. */
      readonly sockets?: readonly {
        readonly port: number;
        readonly protocol?: "tcp" | "udp" | "sctp";
        readonly address?: string;
      }[];
      readonly borrowedSockets?: "accepted";
      readonly addresses?: readonly string[];
      readonly ports?: readonly {
        readonly name: string;
        readonly port: number;
        readonly protocol?: "tcp" | "udp" | "sctp";
      }[];
      readonly kind?: "netns" | "container" | "pod" | "vm" | "host" | "external";
      /** `Deployment/shop`. */
      readonly owner?: string;
    }[];
    /** About the machine on which all this is in force. */
    readonly machine?: {
      readonly nodeExempt?: boolean;
      readonly hairpinExempt?: boolean;
      readonly addresses?: readonly string[];
      /** Names of interfaces. */
      readonly dhcp?: readonly string[];
      /** `10.0.0.1`, `10.0.0.1:5353`, `[fd00::1]:5353`. */
      readonly dns?: readonly string[];
      /** What it must be able to do: addresses of the other ends, by kind; `10.0.0.1`, `10.0.0.1:5353`. */
      readonly invariants?: { readonly [K in InvariantKind]?: readonly string[] };
    };
  }
>;

export type PolicyTestManifest = Manifest<
  "PolicyTest",
  {
    readonly tests: readonly {
      readonly name?: string;
      /** A workload (`shop/web`, or `web` in the resource's namespace) or an address. */
      readonly from: string;
      readonly to: string;
      readonly port: PortManifest;
      /** `GET /x`, `POST https://host/x`: what is asked in the connection. */
      readonly http?: string;
      /** Names that stand for the address at `to`. */
      readonly names?: readonly string[];
      readonly expect: "allow" | "deny";
    }[];
  }
>;

export type NativeManifest =
  | PolicyManifest
  | IntentManifest
  | ExceptionManifest
  | NetworkSetManifest
  | InventoryManifest
  | PolicyTestManifest;

export type NativeKind = NativeManifest["kind"];

/**
 * How flows came to be known, and what that way of looking leaves out: our own collectors see every connection, a cloud's
 * flow log may be a sample, summed over minutes. Whoever judges how complete a picture is has to ask.
 */

export const FLOW_FORMATS = [
  "agent",
  "bulkhead",
  "hubble",
  "aws-vpc",
  "gcp-vpc",
  "azure-nsg",
  "calico",
  "zeek",
  "envoy",
  "conntrack",
  "pcap",
] as const;
export type FlowFormat = (typeof FLOW_FORMATS)[number];

export interface FlowOrigin {
  readonly format: FlowFormat;
  /** One packet in so many was looked at, as far as the source tells; 1: every one. */
  readonly sampling: number;
  /** A record sums what happened in up to so many milliseconds; 0: each connection is told of by itself. */
  readonly aggregation: number;
  /** Does it tell who opened a connection? Else the side with the lower port is taken to have been called. */
  readonly direction: "told" | "guessed";
}

/** Of our own collectors; flows without an origin are theirs. */
export const AGENT_ORIGIN: FlowOrigin = {
  format: "agent",
  sampling: 1,
  aggregation: 0,
  direction: "told",
};

/** Who told of an edge, each once. */
export const formatsOf = ({
  origins,
}: {
  readonly origins?: readonly FlowOrigin[];
}): ReadonlySet<FlowFormat> =>
  origins === undefined ? OURS_ALONE : new Set(origins.map(({ format }) => format));

const OURS_ALONE: ReadonlySet<FlowFormat> = new Set([AGENT_ORIGIN.format]);

/** Did our own collectors see any of it? What others recorded says nothing of what is enforced here. */
export const isOwnRecord = ({ origins }: { readonly origins?: readonly FlowOrigin[] }): boolean =>
  origins === undefined || origins.some(({ format }) => format === AGENT_ORIGIN.format);

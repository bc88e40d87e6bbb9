/**
 * The policy that the self-test loads: who may send where in the scratch network, with every kind of rule that compiled
 * policies are made of: exact addresses, a range, ports, drop and reject, an entry with an end, an egress of its own.
 */
import type {
  ConfinedEndpoint,
  HostPolicy,
  IpAddress,
  OverlayEntry,
  Row,
  RowDecision,
  RowInterval,
} from "@bulkhead/model";
import type { ScratchNetwork, ScratchWorkload } from "./scratch-network.ts";

const TCP = 6;
const UDP = 17;

export const ALLOWED_PORT = 1000;
export const DENIED_PORT = 2000;
/** Allowed for a time only. */
export const TIMED_PORT = 3000;
/** The sender itself may not send there. */
export const FORBIDDEN_PORT = 4000;

const ALLOW: RowDecision = { verdict: "allow", cookie: "5e1f0001" };
export const DROP: RowDecision = { verdict: "drop", cookie: "5e1f0002" };

const INGRESS = "5e1f00a1";
const EGRESS = "5e1f00a2";

/** `decision` for one port, `others` for all else. */
const onePort = (port: number, decision: RowDecision, others: RowDecision): RowInterval[] => [
  { first: 0, last: port - 1, decision: others },
  { first: port, last: port, decision },
  { first: port + 1, last: 65_535, decision: others },
];

const rowOf = (id: string, port: number, decision: RowDecision, others: RowDecision): Row => ({
  id,
  protocols: [TCP, UDP].map((protocol) => ({
    protocol,
    intervals: onePort(port, decision, others),
  })),
  others,
});

/** Rows are named by what they say, so that a change of policy changes what refers to them. */
const CONTACTS = rowOf("5e1f00b1", ALLOWED_PORT, ALLOW, DROP);
const NOTHING: Row = { id: "5e1f00b2", protocols: [], others: DROP };
const SENDING = rowOf("5e1f00b3", FORBIDDEN_PORT, DROP, ALLOW);

const addressesOf = ({ v4, v6 }: ScratchWorkload, ipv6: boolean): IpAddress[] =>
  ipv6 ? [v4, v6] : [v4];

export interface ScratchPolicyOptions {
  readonly revision: number;
  /** Whether `ALLOWED_PORT` is. */
  readonly allowed: boolean;
  /** Until when `TIMED_PORT` is allowed: milliseconds since the epoch. */
  readonly timedUntil?: number;
  /** So many others may do the same as the client: entries that look-ups have to tell apart. */
  readonly others?: number;
}

/** Of the range for carriers' own use (RFC 6598), which sorts before the scratch network's. */
const strangers = (count: number): IpAddress[] =>
  Array.from({ length: count }, (_, at) => `100.64.${at >> 8}.${at & 255}`);

export function scratchPolicy(
  { client, near, far, ipv6 }: ScratchNetwork,
  { revision, allowed, timedUntil, others = 0 }: ScratchPolicyOptions,
): HostPolicy {
  const row = allowed ? CONTACTS : NOTHING;
  const own = addressesOf(client, ipv6);
  const subjects = [far, near].flatMap((one) => addressesOf(one, ipv6));
  const v4First = (a: IpAddress, b: IpAddress): number =>
    Number(a.includes(":")) - Number(b.includes(":")) || (a < b ? -1 : 1);
  const endpoint = (one: ScratchWorkload): ConfinedEndpoint => ({
    workload: `self-test/${one.name}`,
    interface: one.interface,
    ifindex: one.ifindex,
    mac: one.mac,
    addresses: addressesOf(one, ipv6),
    mode: "enforce",
  });
  const overlay = own.flatMap((address) =>
    timedUntil === undefined
      ? []
      : [TCP, UDP].map((protocol): OverlayEntry => ({
          classId: INGRESS,
          direction: "ingress",
          peer: [address, address],
          protocol,
          ports: [TIMED_PORT, TIMED_PORT],
          decision: ALLOW,
          deadline: timedUntil,
        })),
  );
  return {
    revision,
    endpoints: [client, near, far].map(endpoint),
    ports: [],
    hostAddresses: [],
    live: {
      subjects: {
        egress: own.map((address) => [address, EGRESS] as const),
        ingress: subjects.toSorted(v4First).map((address) => [address, INGRESS] as const),
      },
      maps: [
        { classId: EGRESS, direction: "egress", exact: [], ranges: [], defaultRow: SENDING.id },
        {
          classId: INGRESS,
          direction: "ingress",
          exact: [...strangers(others), ...own].map((address) => [address, row.id] as const),
          ranges: [["203.0.113.0", "203.0.113.255", row.id]],
          defaultRow: NOTHING.id,
        },
      ],
      overlay,
    },
    shadow: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
    rows: [...new Set([CONTACTS, NOTHING, SENDING])].filter(
      ({ id }) => id !== CONTACTS.id || allowed,
    ),
    profile: { nodeExempt: false, hairpinExempt: false },
  };
}

/**
 * What an estate is meant to be: roles with their copies and labels, and who calls whom on which port by which law. This is
 * the ground truth; what runs, breaks, moves and is mislabelled is made of it by `estate.ts` and `traffic.ts`.
 */
import type { Labels } from "@bulkhead/model";
import type { Law } from "./law.ts";

/** A name of a role that is unique in its world: `shop/cart`. */
export type RoleName = string;

/** As a `fan`: one caller uses all copies, standbys too, and as much of each as the law says. */
export const EVERY_COPY = 1000;

export interface Role {
  readonly name: RoleName;
  /** Who is made ready together. */
  readonly application: string;
  readonly namespace: string;
  /**
   * `pod`: replaced by every deploy, under a new name. `job`: made for each run. `vm`: stays. `outside`: addresses of one
   * domain name, which change now and then.
   */
  readonly kind: "pod" | "job" | "vm" | "outside";
  readonly copies: number;
  /** Copies that only work while a first one is down. */
  readonly standbys: number;
  /** Days between deploys, or between changes of an outside address; 0: never. */
  readonly deployEvery: number;
  /** Copies beside the others that come and go with the load. */
  readonly elastic: number;
  /** Of one copy. Empty where nobody gave it any. */
  readonly labels: (copy: number) => Labels;
  /** What a virtual machine is called; pods and jobs are called by the last part of their role's name. */
  readonly called?: (copy: number) => string;
}

export interface Call {
  readonly from: RoleName;
  readonly to: RoleName;
  readonly protocol: number;
  readonly port: number;
  readonly law: Law;
  /** How many copies of the other side one caller uses. */
  readonly fan: number;
  /** Does somebody write down that it is coming: a schedule for what runs by the clock, a configured address for the rest? */
  readonly told: boolean;
  /** The first week in which it is made, since nobody had written the program before; 0: always. */
  readonly bornInWeek: number;
}

export interface Blueprint {
  readonly family: string;
  readonly roles: readonly Role[];
  readonly calls: readonly Call[];
  /** Calls of old configuration to what nobody serves any more: they fail for ever. */
  readonly stale: readonly Pick<Call, "from" | "to" | "protocol" | "port" | "law" | "fan">[];
  /** Role of whoever audits the estate by scanning it; absent where nobody does. */
  readonly auditor?: RoleName;
  /** Chance of a role's labels to be changed within a year: for all its copies, or for one of them. */
  readonly drift: number;
  /** Does the intruder sit in one of these? */
  readonly footholds: readonly RoleName[];
}

/** What is needed, as one line: the ground truth of rules. */
export const needOf = ({
  from,
  to,
  protocol,
  port,
}: Pick<Call, "from" | "to" | "protocol" | "port">): string =>
  `${from} → ${to} ${protocol}/${port}`;

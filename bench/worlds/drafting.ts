/** Words in which the families say their roles and calls, with what is usual left out. */
import { TCP, UDP, type Labels } from "@bulkhead/model";
import { EVERY_COPY, type Blueprint, type Call, type Role, type RoleName } from "./blueprint.ts";
import type { Clock, Law, Rhythm } from "./law.ts";
import type { Random } from "./random.ts";

export const steady = (perHour: number, rhythm: Rhythm = "flat"): Law => ({
  kind: "steady",
  perHour,
  rhythm,
});

export const clock = (when: Clock, hour: number, perHour = 20, hours = 1): Law => ({
  kind: "clock",
  clock: when,
  hour,
  hours,
  perHour,
});

export const seldom = (perYear: number): Law => ({ kind: "seldom", perYear });

type Drafted = Pick<Role, "kind" | "copies"> &
  Partial<Omit<Role, "name" | "namespace" | "kind" | "copies">>;

export interface Draft {
  role(namespace: string, name: string, role: Drafted): RoleName;
  /** Addresses of one domain name. */
  outside(domain: string, addresses: number, changeEvery?: number): RoleName;
  call(from: RoleName, to: RoleName, port: number, law: Law, more?: Partial<Call>): void;
  stale(from: RoleName, to: RoleName, port: number): void;
  /** Everybody who is not outside and is not one of these. */
  everybody(...but: readonly RoleName[]): readonly RoleName[];
  finish(
    more: Pick<Blueprint, "drift" | "footholds"> & Partial<Pick<Blueprint, "auditor">>,
  ): Blueprint;
}

const NOBODYS: Labels = {};
const REPLICATION = 7946;

/** `told`: how likely it is that somebody wrote down what is coming. */
export function createDraft(family: string, random: Random, told: number): Draft {
  const roles: Role[] = [];
  const calls: Call[] = [];
  const stale: Blueprint["stale"][number][] = [];
  const chance = random.fork("told");
  const add = (role: Role): RoleName => {
    roles.push(role);
    return role.name;
  };
  /** A standby is of no use that does not hold what the first one holds. */
  const replicate = (id: RoleName): void => {
    calls.push({
      from: id,
      to: id,
      protocol: TCP,
      port: REPLICATION,
      law: steady(30),
      fan: EVERY_COPY,
      told: false,
      bornInWeek: 0,
    });
  };
  return {
    role(namespace, name, role) {
      const id = add({
        name: `${namespace}/${name}`,
        application: namespace,
        namespace,
        standbys: 0,
        deployEvery: 0,
        elastic: 0,
        labels: () => NOBODYS,
        ...role,
      });
      if ((role.standbys ?? 0) > 0) replicate(id);
      return id;
    },
    outside: (domain, addresses, changeEvery = 0) =>
      add({
        name: domain,
        application: "",
        namespace: "",
        kind: "outside",
        copies: addresses,
        standbys: 0,
        deployEvery: changeEvery,
        elastic: 0,
        labels: () => NOBODYS,
      }),
    call: (from, to, port, law, more = {}) => {
      const protocol = [53, 123, 161, 514].includes(port) ? UDP : TCP;
      const known = law.kind !== "steady" && chance.chance(told);
      calls.push({ from, to, protocol, port, law, fan: 3, told: known, bornInWeek: 0, ...more });
    },
    stale: (from, to, port) => {
      stale.push({ from, to, protocol: TCP, port, law: steady(2), fan: 1 });
    },
    everybody: (...but) =>
      roles
        .filter((role) => role.kind !== "outside" && !but.includes(role.name))
        .map(({ name }) => name),
    finish: (more) => ({ family, roles, calls, stale, ...more }),
  };
}

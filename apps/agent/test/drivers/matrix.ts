/**
 * Attachment × family × protocol × verdict for one driver, each cell tried with a real packet that is observed at both ends. The
 * verdict of a cell differs from that of everything around it, so that none is right by a default.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import type { CgroupPath, ProcessSocket, Row, RowDecision } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import { createControlGroupsLab } from "./control-groups-lab.ts";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { ALLOW, DROP, REJECT, policyOf, processOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { createTraffic } from "./traffic.ts";
import type { Flow, Outcome, ProtocolName, Traffic } from "./traffic.ts";

const PORT = 5000;
export const PROTOCOLS: readonly ProtocolName[] = ["tcp", "udp", "sctp", "icmp"];
export const FAMILIES = [4, 6] as const;
export const VERDICTS = ["allow", "drop", "reject", "audit"] as const;
export type Verdict = (typeof VERDICTS)[number];
export type Family = (typeof FAMILIES)[number];

const NUMBERS: Readonly<Record<ProtocolName, number>> = {
  tcp: TCP,
  udp: UDP,
  sctp: SCTP,
  icmp: ICMP,
};
const ECHO = { 4: 8 << 8, 6: 128 << 8 } as const;

type Place = "near" | "same" | "far" | "host" | "loopback";

export interface Attachment {
  readonly name: string;
  /** Whose rules decide: the source's or the destination's. */
  readonly direction: "egress" | "ingress";
  readonly from: "near" | "host" | "client";
  readonly to: Place;
  readonly protocols: readonly ProtocolName[];
  /** The source is told by its own kernel that a packet was not let out. */
  readonly local: boolean;
}

const attachment = (
  name: string,
  direction: Attachment["direction"],
  from: Attachment["from"],
  to: Place,
  protocols = PROTOCOLS,
): Attachment => ({ name, direction, from, to, protocols, local: from !== "near" });

/** To a process by what has ports: no process is the destination of an echo, nor of SCTP on a kernel without it. */
const PORTED: readonly ProtocolName[] = ["tcp", "udp"];

export const ATTACHMENTS: readonly Attachment[] = [
  attachment("workload → workload, same bridge", "egress", "near", "same"),
  attachment("workload → workload, routed", "egress", "near", "far"),
  attachment("workload → this machine", "egress", "near", "host"),
  attachment("process → workload", "egress", "client", "near"),
  attachment("process → process, loopback", "egress", "client", "loopback"),
  attachment("process → process, the machine's address", "egress", "client", "host"),
  attachment("workload → workload, same bridge", "ingress", "near", "same"),
  attachment("workload → workload, routed", "ingress", "near", "far"),
  attachment("this machine → workload", "ingress", "host", "near"),
  attachment("workload → process", "ingress", "near", "host", PORTED),
  attachment("process → process, loopback", "ingress", "client", "loopback", PORTED),
  attachment("process → process, the machine's address", "ingress", "client", "host", PORTED),
];

export interface Cell {
  readonly attachment: Attachment;
  readonly family: Family;
  readonly protocol: ProtocolName;
  readonly verdict: Verdict;
}

/** Every cell that has to be filled. */
export const CELLS: readonly Cell[] = ATTACHMENTS.flatMap((one) =>
  VERDICTS.flatMap((verdict) =>
    FAMILIES.flatMap((family) =>
      one.protocols.map((protocol) => ({ attachment: one, family, protocol, verdict })),
    ),
  ),
);

export const cellName = ({
  attachment: { name, direction },
  family,
  protocol,
  verdict,
}: Cell): string => `${direction} ${name} IPv${family} ${protocol} ${verdict}`;

export interface FilledCell extends Cell {
  /** What the source saw, and whether the packet arrived. */
  readonly seen: string;
  readonly right: boolean;
}

export interface MatrixLab {
  readonly lab: Lab;
  readonly traffic: Traffic;
  readonly groups: Readonly<Record<"client" | "server", CgroupPath>>;
  inside<T>(group: "client" | "server", make: () => T): T;
  close(): void;
}

export const createMatrixLab = (): MatrixLab => {
  const lab = createLab(["near", "same"], ["far"]);
  const controlGroups = createControlGroupsLab();
  const traffic = createTraffic();
  const groups = {
    client: controlGroups.add("client.service"),
    server: controlGroups.add("server.service"),
  };
  const inside: MatrixLab["inside"] = (group, make) => controlGroups.inside(groups[group], make);
  for (const protocol of PROTOCOLS) {
    for (const { path } of Object.values(lab.workloads)) traffic.serve(path, protocol, PORT);
    inside("server", () => traffic.serve(lab.hostPath, protocol, PORT));
  }
  return {
    lab,
    traffic,
    groups,
    inside,
    close() {
      traffic.close();
      controlGroups.close();
      lab.close();
    },
  };
};

/** `decision` for what is tried, `others` for everything else. */
const rowFor = (decision: RowDecision, others: RowDecision): Row => {
  const tried = [
    ...PROTOCOLS.map((name) => [NUMBERS[name], name === "icmp" ? ECHO[4] : PORT] as const),
    [ICMPV6, ECHO[6]] as const,
  ].toSorted((a, b) => a[0] - b[0]);
  return {
    ...rowOf(others),
    protocols: tried.map(([protocol, port]) => ({
      protocol,
      intervals: [
        { first: 0, last: port - 1, decision: others },
        { first: port, last: port, decision },
        { first: port + 1, last: 65_535, decision: others },
      ],
    })),
  };
};

const DECISIONS: Readonly<Record<Verdict, readonly [RowDecision, RowDecision]>> = {
  allow: [ALLOW, DROP],
  drop: [DROP, ALLOW],
  reject: [REJECT, ALLOW],
  audit: [DROP, ALLOW],
};

const policyFor = (
  { lab, groups }: MatrixLab,
  verdict: Verdict,
  direction: Attachment["direction"],
) => {
  const names = direction === "egress" ? ["near"] : ["near", "same", "far"];
  const classes: ClassText[] = [
    {
      direction,
      subjects: names.flatMap((name) => [lab.workload(name).v4, lab.workload(name).v6]),
      processes: [direction === "egress" ? "host/client" : "host/server"],
      defaultRow: rowFor(...DECISIONS[verdict]),
    },
  ];
  const mode = verdict === "audit" ? "audit" : "enforce";
  const sockets = FAMILIES.flatMap((family) =>
    [TCP, UDP].map((protocol): ProcessSocket => ({
      workload: "host/server",
      family,
      protocol,
      port: PORT,
    })),
  );
  return policyOf(lab, {
    mode,
    sockets,
    processes: [processOf("client", groups.client, mode), processOf("server", groups.server, mode)],
    ...(verdict === "audit" ? { shadow: classes } : { live: classes }),
  });
};

const flowOf = ({ lab }: MatrixLab, { attachment: { from, to }, family, protocol }: Cell): Flow => {
  const addresses = {
    host: ["10.86.0.1", "fd86::1"],
    loopback: ["127.0.0.1", "::1"],
  } as const;
  const [v4, v6] =
    to === "host" || to === "loopback" ? addresses[to] : [lab.workload(to).v4, lab.workload(to).v6];
  return {
    from: from === "near" ? lab.workload("near").path : lab.hostPath,
    destination: family === 4 ? v4 : v6,
    protocol,
    port: PORT,
  };
};

const tell = ({ answer, arrived }: Outcome): string =>
  `${typeof answer === "string" ? answer : answer.refused}${arrived ? ", arrived" : ""}`;

const REFUSED: Readonly<Record<ProtocolName, RegExp>> = {
  tcp: /^ECONNREFUSED$/,
  udp: /^(EHOSTUNREACH|EACCES)$/,
  sctp: /^(EHOSTUNREACH|EACCES)$/,
  icmp: /^(EHOSTUNREACH|EACCES)$/,
};

const isRight = (
  { attachment: { local }, protocol, verdict }: Cell,
  { answer, arrived }: Outcome,
): boolean => {
  if (verdict === "allow" || verdict === "audit") return answer === "passed" && arrived;
  if (arrived) return false;
  const refused = typeof answer === "object" ? answer.refused : "";
  // The machine's own sockets are told at once that a packet was not let out.
  if (local && refused === "EPERM") return true;
  return verdict === "drop" ? answer === "silent" : REFUSED[protocol].test(refused);
};

const audited = async (driver: Driver): Promise<number> =>
  (await driver.counters())
    .filter((one) => one.kind === "leaf" && one.plane === "shadow" && one.verdict === "drop")
    .reduce((sum, { packets }) => sum + packets, 0);

/** Fills all cells, one policy for each direction and verdict. Throws where an audit counts less or more than was tried. */
export const fillMatrix = async (
  place: MatrixLab,
  driver: Driver,
): Promise<readonly FilledCell[]> => {
  const filled: FilledCell[] = [];
  for (const direction of ["egress", "ingress"] as const)
    for (const verdict of VERDICTS) {
      const receipt = await driver.apply(policyFor(place, verdict, direction));
      const { desiredDigest } = await driver.readBack();
      if (receipt.digest !== desiredDigest)
        throw new Error(`${direction} ${verdict}: the kernel holds something else`);
      const cells = CELLS.filter(
        (cell) => cell.verdict === verdict && cell.attachment.direction === direction,
      );
      const before = await audited(driver);
      const outcomes = await Promise.all(
        cells.map((cell) => {
          const attempt = () => place.traffic.attempt(flowOf(place, cell));
          return cell.attachment.from === "client" ? place.inside("client", attempt) : attempt();
        }),
      );
      cells.forEach((cell, index) => {
        const outcome = outcomes[index] as Outcome;
        filled.push({ ...cell, seen: tell(outcome), right: isRight(cell, outcome) });
      });
      if (verdict !== "audit") continue;
      const counted = (await audited(driver)) - before;
      if (counted !== cells.length)
        throw new Error(`${direction}: ${counted} audited of ${cells.length} that were tried`);
    }
  return filled;
};

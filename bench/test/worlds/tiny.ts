/** A world of three roles that is small enough to judge by hand: `web` calls `db` daily, `job` calls it late, an intruder once. */
import { TCP } from "@bulkhead/model";
import type { Role } from "../../worlds/blueprint.ts";
import { FIRST_DAY } from "../../worlds/calendar.ts";
import type { Phase } from "../../worlds/estate.ts";
import type { Purpose, Track } from "../../worlds/traffic.ts";
import type { World } from "../../worlds/world.ts";

export const DAYS = 10;

const roleOf = (name: string): Role => ({
  name: `t/${name}`,
  application: "t",
  namespace: "t",
  kind: "vm",
  copies: 1,
  standbys: 0,
  deployEvery: 0,
  elastic: 0,
  labels: () => ({ app: name }),
});

const roles = ["web", "db", "job"].map(roleOf);

const phaseOf = (role: Role, at: number): Phase => ({
  role,
  slot: 0,
  workload: role.name,
  labels: role.labels(0),
  address: `10.0.0.${at + 1}`,
  span: [0, DAYS * 24],
  drifted: false,
});

export const [web, db, job] = roles.map(phaseOf) as [Phase, Phase, Phase];

const track = (
  source: Phase,
  destination: Phase,
  port: number,
  days: readonly number[],
  purpose: Purpose = "needed",
): Track => ({
  source,
  destination,
  protocol: TCP,
  port,
  purpose,
  need: `${source.role.name} → ${destination.role.name} 6/${port}`,
  bornAt: 0,
  outcome: "data",
  days: days.map((day) => ({ day: FIRST_DAY + day, hours: 1 << 9, connections: 10 })),
});

const call = (from: Phase, to: Phase, port: number) => ({
  from: from.role.name,
  to: to.role.name,
  protocol: TCP,
  port,
  law: { kind: "seldom", perYear: 1 } as const,
  fan: 1,
  told: false,
  bornInWeek: 0,
});

const needed = [call(web, db, 5432), call(job, db, 5432)];

export const tiny: World = {
  family: "shop",
  seed: 0,
  days: DAYS,
  size: 1,
  blueprint: { family: "tiny", roles, calls: needed, stale: [], drift: 0, footholds: [] },
  estate: {
    hours: DAYS * 24,
    phases: new Map([web, db, job].map((phase) => [phase.role.name, [phase]])),
    active: () => [[0, DAYS * 24]],
  },
  tracks: [
    track(web, db, 5432, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    track(job, db, 5432, [8]),
    track(web, job, 22, [6], "intruder"),
    track(job, web, 22, [2, 7], "intruder"),
  ],
  needs: new Set(["t/web → t/db 6/5432", "t/job → t/db 6/5432"]),
};

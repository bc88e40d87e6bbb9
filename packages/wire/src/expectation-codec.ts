/** What is known to be coming on a machine, to protobuf and back: a part of the agent's messages. */
import type {
  Expected,
  FoundDependency as ProtoDependency,
  FoundSchedule as ProtoSchedule,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { ExpectedHere, FoundDependency, FoundSchedule } from "./messages.ts";
import { oneOf, optional, WireError } from "./parse.ts";

const KINDS = ["systemd-timer", "cron"] as const;

export function encodeExpected({ timeZone, schedules, dependencies, problems }: ExpectedHere) {
  return {
    timeZone,
    schedules: schedules.map((one) => ({
      name: one.name,
      kind: one.kind,
      expression: one.expression,
      timeZone: one.timeZone ?? "",
      unit: one.unit ?? "",
      lastRun: BigInt(one.lastRun ?? 0),
      nextRun: BigInt(one.nextRun ?? 0),
      since: BigInt(one.since ?? 0),
      suspended: one.suspended ?? false,
    })),
    dependencies: dependencies.map(({ owner, host, port, scheme, place }) => ({
      cgroup: owner.kind === "unit" ? owner.cgroup : "",
      interface: owner.kind === "endpoint" ? owner.interface : "",
      host,
      port: port ?? 0,
      scheme: scheme ?? "",
      place,
    })),
    problems: [...problems],
  };
}

export function decodeExpected(expected: Expected): ExpectedHere {
  const { timeZone, schedules, dependencies, problems } = expected;
  return {
    timeZone,
    schedules: schedules.map(decodeSchedule),
    dependencies: dependencies.map(decodeDependency),
    problems,
  };
}

function decodeSchedule(one: ProtoSchedule): FoundSchedule {
  return {
    name: one.name,
    kind: oneOf(KINDS, one.kind, "schedule.kind"),
    expression: one.expression,
    ...optional("timeZone", one.timeZone),
    ...optional("unit", one.unit),
    ...time("lastRun", one.lastRun),
    ...time("nextRun", one.nextRun),
    ...time("since", one.since),
    ...(one.suspended ? { suspended: true } : {}),
  };
}

const time = <K extends string>(key: K, value: bigint): { readonly [P in K]?: number } =>
  value === 0n ? {} : ({ [key]: Number(value) } as { readonly [P in K]?: number });

function decodeDependency(one: ProtoDependency): FoundDependency {
  const { cgroup, interface: link, host, port, scheme, place } = one;
  if ((cgroup === "") === (link === "")) throw new WireError("dependency has no owner, or two");
  return {
    owner: cgroup === "" ? { kind: "endpoint", interface: link } : { kind: "unit", cgroup },
    host,
    ...(port === 0 ? {} : { port }),
    ...optional("scheme", scheme),
    place,
  };
}

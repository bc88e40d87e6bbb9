/** What an intruder in one workload of the files can reach, hop by hop. */
import { blastRadius, type PathOptions } from "@bulkhead/engine";
import { formatPorts, rangeToCidrs, type Cidr } from "@bulkhead/model";
import type { Desk } from "./desk.ts";
import { createEndFinder } from "./ends.ts";
import { problem, type Found } from "./problem.ts";

export interface DeskReached {
  readonly end: string;
  readonly hop: number;
  /** From where, one hop before. */
  readonly via: string;
  readonly ports: string;
}

export interface DeskBlast {
  readonly workload: string;
  readonly hops: number | null;
  /** Workloads that can be reached, and how many others there are. */
  readonly reachable: number;
  readonly others: number;
  /** By hop, then by name; the node among them. */
  readonly reached: readonly DeskReached[];
  /** Addresses outside, as prefixes; what may be attacked from there is not followed. */
  readonly outside: readonly (Omit<DeskReached, "end"> & {
    readonly prefixes: readonly Cidr[];
  })[];
}

export function blastAt(desk: Desk, name: string, options: PathOptions): Found<DeskBlast> {
  const found = createEndFinder(desk)(name);
  if (found.problem !== undefined) return found;
  const { workload } = found.value;
  if (workload === undefined) {
    return problem("unknown-end", `\`${name}\` is no workload, and a blast radius is a workload's`);
  }
  if (!desk.index.workloads.has(workload.id)) {
    return problem(
      "unknown-end",
      `\`${workload.id}\` is on its node's network, where no policy holds it`,
      "`--host-network pod` judges it as another pod",
    );
  }
  const { hops } = options;
  const blast = blastRadius(desk.set, desk.index, workload.id, options);
  const host = blast.host === null ? [] : [{ ...told(blast.host), end: "host" }];
  const reached = blast.reached.map((step) => ({ ...told(step), end: step.workload }));
  return {
    value: {
      workload: workload.id,
      hops: Number.isFinite(hops) ? hops : null,
      reachable: blast.reached.length,
      others: blast.others,
      reached: [...reached, ...host].toSorted((a, b) => a.hop - b.hop),
      outside: blast.world.map(({ ranges, ...step }) => ({
        ...told(step),
        prefixes: ranges.flatMap(rangeToCidrs),
      })),
    },
  };
}

function told({
  hop,
  via,
  ports,
}: {
  hop: number;
  via: string;
  ports: Parameters<typeof formatPorts>[0];
}) {
  return { hop, via, ports: formatPorts(ports) };
}

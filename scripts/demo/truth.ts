/**
 * The hand-written truth of the shop (`examples/shop/truth.json`) as sets of connections between workloads,
 * to hold observations, suggestions and what is really reachable against.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { WORKLOADS } from "@bulkhead/example-shop/topology";
import { ROOT } from "./bulkhead-cli.ts";

const truthSchema = z.object({
  edges: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      port: z.string(),
      why: z.string(),
      rare: z.boolean().default(false),
    }),
  ),
});

export type TrueEdge = z.infer<typeof truthSchema>["edges"][number];

export function readTruth(): readonly TrueEdge[] {
  const file = join(ROOT, "examples/shop/truth.json");
  return truthSchema.parse(JSON.parse(readFileSync(file, "utf8"))).edges;
}

const WORLD_PREFIX = "world:";

/** `db`, or the name of a server in the world. */
function namesOf(end: string): readonly string[] {
  if (end.startsWith(WORLD_PREFIX)) return [end.slice(WORLD_PREFIX.length)];
  return WORKLOADS.filter((workload) => workload.labels["app"] === end).map((one) => one.name);
}

/** One connection between two named ends: `storefront-1 → db 5432/tcp`. */
export function pairKey(from: string, to: string, port: string): string {
  return `${from} → ${to} ${port}`;
}

/** All connections between instances that the truth allows. */
export function truePairs(truth: readonly TrueEdge[]): ReadonlySet<string> {
  return new Set(
    truth.flatMap((edge) =>
      namesOf(edge.from).flatMap((from) =>
        namesOf(edge.to)
          .filter((to) => to !== from)
          .map((to) => pairKey(from, to, edge.port)),
      ),
    ),
  );
}

/** True edges of which at least one instance pair is in `seen`. */
export function edgesSeen(
  truth: readonly TrueEdge[],
  seen: ReadonlySet<string>,
): readonly TrueEdge[] {
  return truth.filter((edge) => [...truePairs([edge])].some((pair) => seen.has(pair)));
}

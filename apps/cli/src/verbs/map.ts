/** `bulkhead map`: the service map of what was seen, as text for people, or as a picture or a graph for a page. */
import type { ApiClient } from "@bulkhead/api";
import type { Edge } from "@bulkhead/model";
import type { ServiceMap } from "@bulkhead/workbench/observe";
import { MAP_FORMATS, type CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { flowFilter } from "../flow-filter.ts";
import type { FlowOptions } from "../flow-options.ts";
import { withProgress } from "../progress.ts";
import { nearest } from "../ui/spell.ts";
import { mapText } from "../views/map.ts";
import type { Verb } from "./verb.ts";

export interface MapOptions extends CommonOptions, FlowOptions {
  readonly groupBy?: readonly string[];
}

export const map: Verb<MapOptions> = async (context, _args, options) => {
  const [{ APPLICATION_LABELS, mapDot, mapMermaid, mapSvg, serviceMap }, { labelKeyProblem }] =
    await Promise.all([import("@bulkhead/workbench/observe"), import("@bulkhead/model")]);
  const labels = options.groupBy ?? APPLICATION_LABELS;
  for (const label of labels) {
    const problem = labelKeyProblem(label);
    if (problem === null) continue;
    throw badInput(
      `\`--group-by ${label}\`: ${problem}`,
      "give the key of a label, for example app or role",
    );
  }
  const filter = await flowFilter(context, options);
  const client = await context.client();
  const { edges } = await withProgress(context, "reading flows", () =>
    client.call("edges", filter),
  );
  if (options.groupBy !== undefined) await refuseUnborne(options.groupBy, edges, client);
  const value = serviceMap(edges, labels);
  const pictures: Readonly<Record<Exclude<(typeof MAP_FORMATS)[number], "text">, typeof mapDot>> = {
    dot: mapDot,
    mermaid: mapMermaid,
    svg: mapSvg,
  };
  const format = MAP_FORMATS.find((known) => known === options.output);
  if (format !== undefined && format !== "text") {
    // Made for a file: nothing but the picture.
    const draw: (one: ServiceMap) => string = pictures[format];
    return { value, text: () => draw(value), next: [], exitCode: 0 };
  }
  return {
    value,
    text: (ui) => mapText(value, ui),
    next: value.arrows.length === 0 ? ["observe --follow"] : ["map -o svg > map.svg"],
    exitCode: 0,
  };
};

/** A map of which nobody bears the label is that of single workloads, which nobody asks for in this way. */
async function refuseUnborne(
  keys: readonly string[],
  edges: readonly Edge[],
  client: ApiClient,
): Promise<void> {
  const ends = edges.flatMap(({ source, destination }) => [source, destination]);
  const seen = new Set(ends.flatMap(({ labels }) => Object.keys(labels)));
  if (edges.length === 0 || keys.some((key) => seen.has(key))) return;
  // Whoever bears it may not have talked yet.
  const { workloads } = await client.call("workloads", {});
  const known = [...seen, ...workloads.flatMap(({ labels }) => Object.keys(labels))];
  const all = [...new Set(known)].toSorted();
  if (keys.some((key) => all.includes(key))) return;
  const typed = keys.map((key) => `\`${key}\``).join(" or ");
  const near = keys.flatMap((key) => nearest(key, all) ?? [])[0];
  const list = all.length === 0 ? "nobody bears any" : `those that are borne: ${all.join(", ")}`;
  throw badInput(
    `nobody bears a label ${typed}`,
    near === undefined ? list : `did you mean \`${near}\`? ${list}`,
  );
}

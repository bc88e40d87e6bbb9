/** `bulkhead map`: the service map of what was seen, as text for people, or as a picture or a graph for a page. */
import type { ServiceMap } from "@bulkhead/workbench/observe";
import { MAP_FORMATS, type CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { flowFilter } from "../flow-filter.ts";
import type { FlowOptions } from "../flow-options.ts";
import { withProgress } from "../progress.ts";
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

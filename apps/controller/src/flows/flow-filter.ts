/** The API's flow filters as the store's, and the same question asked of a flow in hand. */
import { ApiFailure, type flowQuerySchema } from "@bulkhead/api";
import { parsePort, type Flow } from "@bulkhead/model";
import type { FlowFilter } from "@bulkhead/store";
import type { z } from "zod";

type Query = z.output<typeof flowQuerySchema>;

export function filterOf(query: Query): FlowFilter {
  return {
    ...(query.since === undefined ? {} : { since: query.since }),
    ...(query.until === undefined ? {} : { until: query.until }),
    ...(query.verdict === undefined ? {} : { verdicts: query.verdict }),
    ...(query.workload === undefined ? {} : { either: query.workload }),
    ...(query.from === undefined ? {} : { from: query.from }),
    ...(query.to === undefined ? {} : { to: query.to }),
    ...portOf(query.port),
    probes: query.probes,
    limit: query.limit,
  };
}

function portOf(text: string | undefined): { readonly protocol?: number; readonly port?: number } {
  if (text === undefined) return {};
  const parsed = parsePort(text);
  if ("match" in parsed) {
    const { match } = parsed;
    if (match.kind === "protocol") return { protocol: match.protocol };
    if (match.kind === "range" && match.first === match.last)
      return { protocol: match.protocol, port: match.first };
  }
  throw new ApiFailure("bad-request", `\`${text}\` is not one port`, {
    help: "for example `5432/tcp`",
  });
}

export function passes(filter: FlowFilter, flow: Flow): boolean {
  return (
    (filter.since === undefined || flow.start >= filter.since) &&
    (filter.until === undefined || flow.start < filter.until) &&
    (filter.verdicts === undefined || filter.verdicts.includes(flow.verdict)) &&
    concerns(filter, flow) &&
    (filter.probes || flow.probe !== true)
  );
}

/** Whether its ends and its port are asked for. */
export function concerns(
  filter: FlowFilter,
  one: Pick<Flow, "source" | "destination" | "protocol" | "port">,
): boolean {
  const { source, destination } = one;
  return (
    (filter.either === undefined ||
      filter.either.includes(source.name) ||
      filter.either.includes(destination.name)) &&
    (filter.from === undefined || filter.from.includes(source.name)) &&
    (filter.to === undefined || filter.to.includes(destination.name)) &&
    (filter.protocol === undefined || one.protocol === filter.protocol) &&
    (filter.port === undefined || one.port === filter.port)
  );
}

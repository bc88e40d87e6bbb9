/** The API's flow filters as the store's. */
import { ApiFailure, type flowQuerySchema } from "@bulkhead/api";
import type { FlowFilter } from "@bulkhead/store";
import type { z } from "zod";

type Query = z.output<typeof flowQuerySchema>;

export function filterOf(query: Query): FlowFilter {
  const { limit, first, probes } = query;
  if (limit > 0 && first > 0) {
    throw new ApiFailure("bad-request", "the newest and the oldest flows are asked for at once", {
      help: "give `limit` or `first`",
    });
  }
  return {
    since: query.since,
    until: query.until,
    verdicts: query.verdict,
    either: query.workload,
    from: query.from,
    to: query.to,
    eitherLabels: query.label,
    fromLabels: query.fromLabel,
    toLabels: query.toLabel,
    eitherIps: query.ip,
    fromIps: query.fromIp,
    toIps: query.toIp,
    eitherNames: query.fqdn,
    fromNames: query.fromFqdn,
    toNames: query.toFqdn,
    protocols: query.protocol,
    ports: query.port,
    probes,
    limit,
    first,
  };
}

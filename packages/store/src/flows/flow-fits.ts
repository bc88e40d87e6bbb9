/**
 * What a flow filter means, said once in code: stores answer queries as this would, and flows that are followed are asked
 * one by one as they come. Limits are not a question to a single flow and are left to the store.
 */
import {
  domainMatches,
  matches,
  parseIp,
  rangeContains,
  type DomainPattern,
  type Flow,
  type IpRange,
  type Labels,
  type Selector,
} from "@bulkhead/model";
import type { FlowFilter } from "./flow-store.ts";

export function flowFits(filter: FlowFilter, flow: Flow): boolean {
  return (
    (filter.since === undefined || flow.start >= filter.since) &&
    (filter.until === undefined || flow.start < filter.until) &&
    (filter.verdicts === undefined || filter.verdicts.includes(flow.verdict)) &&
    endsFit(filter, flow) &&
    (filter.probes || flow.probe !== true)
  );
}

/** Whether its ends, protocol and port are asked for. */
export function endsFit(
  filter: FlowFilter,
  one: Pick<Flow, "source" | "destination" | "protocol" | "port">,
): boolean {
  const { source, destination, protocol, port } = one;
  const { fromNames, toNames, eitherNames } = filter;
  const { from, to, either, fromLabels, toLabels, eitherLabels, fromIps, toIps, eitherIps } =
    filter;
  return (
    (from === undefined || from.includes(source.name)) &&
    (to === undefined || to.includes(destination.name)) &&
    (either === undefined || either.includes(source.name) || either.includes(destination.name)) &&
    (fromLabels === undefined || labelled(fromLabels, source.labels)) &&
    (toLabels === undefined || labelled(toLabels, destination.labels)) &&
    (eitherLabels === undefined ||
      labelled(eitherLabels, source.labels) ||
      labelled(eitherLabels, destination.labels)) &&
    (fromIps === undefined || inside(fromIps, source.address)) &&
    (toIps === undefined || inside(toIps, destination.address)) &&
    (eitherIps === undefined ||
      inside(eitherIps, source.address) ||
      inside(eitherIps, destination.address)) &&
    (fromNames === undefined || called(fromNames, source.names)) &&
    (toNames === undefined || called(toNames, destination.names)) &&
    (eitherNames === undefined ||
      called(eitherNames, source.names) ||
      called(eitherNames, destination.names)) &&
    (filter.protocols === undefined || filter.protocols.includes(protocol)) &&
    (filter.ports === undefined ||
      filter.ports.some(
        (range) => range.protocol === protocol && range.first <= port && port <= range.last,
      ))
  );
}

export function labelled(selectors: readonly Selector[], labels: Labels): boolean {
  return selectors.some((selector) => matches(selector, labels));
}

export function called(
  patterns: readonly DomainPattern[],
  names: readonly string[] | undefined,
): boolean {
  return (names ?? []).some((name) => patterns.some((pattern) => domainMatches(pattern, name)));
}

export function inside(ranges: readonly IpRange[], address: string): boolean {
  const ip = parseIp(address);
  return ip !== null && ranges.some((range) => rangeContains(range, ip));
}

/** Folds edges set aside for one reason and source into one line for people: a scan of 5,000 ports is one thing, not 5,000. */
import { formatPort, type SetAside, type SetAsideGroup } from "@bulkhead/model";
import { sourceKey } from "./behaviour.ts";
import { by, compareText, groupBy } from "./order.ts";

const SAMPLE_PORTS = 5;

/** A searcher is told in one line, whatever it was looking for. */
const isSearch = (item: SetAside): boolean =>
  item.reason === "scan" || item.reason === "flagged-source";

function lineKey(item: SetAside): string {
  const source = sourceKey(item.edge);
  return isSearch(item)
    ? [item.reason, source].join("\n")
    : [item.reason, source, item.purpose, item.detail].join("\n");
}

export function summarise(setAside: readonly SetAside[]): readonly SetAsideGroup[] {
  return [...groupBy(setAside, lineKey).values()].flatMap(toGroup).toSorted(
    by(
      (group) => group.reason,
      (group) => group.source,
      (group) => group.destinations.join(" "),
      (group) => group.samplePorts.join(" "),
    ),
  );
}

function toGroup(items: readonly SetAside[]): readonly SetAsideGroup[] {
  const first = items[0];
  if (first === undefined) return [];
  const edges = items.map((item) => item.edge);
  const byPort = [...edges].toSorted(
    by(
      (edge) => edge.protocol,
      (edge) => edge.port,
    ),
  );
  const purposes = new Set(items.map((item) => item.purpose));
  const [purpose] = purposes;
  const ports = [...new Set(byPort.map((edge) => formatPort(edge.protocol, edge.port)))];
  return [
    {
      reason: first.reason,
      source: first.edge.source.name,
      destinations: [...new Set(edges.map((edge) => edge.destination.name))].toSorted(compareText),
      samplePorts: ports.slice(0, SAMPLE_PORTS),
      ports: ports.length,
      edges: edges.length,
      connections: edges.reduce((sum, edge) => sum + edge.connections, 0),
      firstSeen: Math.min(...edges.map((edge) => edge.firstSeen)),
      lastSeen: Math.max(...edges.map((edge) => edge.lastSeen)),
      detail: first.detail,
      ...(purposes.size === 1 && purpose !== undefined ? { purpose } : {}),
    },
  ];
}

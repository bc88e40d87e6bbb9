/** Connectivity as a picture: one node for workloads that policies treat alike, one for each stretch of the world. */
import { formatPorts, type IpRange } from "@bulkhead/model";
import { connectionText, NO_CONNECTIONS } from "./connection-text.ts";
import type { Connectivity, Party } from "./connectivity.ts";
import { rangeName } from "./end-names.ts";
import { namespaceOf } from "./pair-formats.ts";
import { mapSvg } from "../observe/map-svg.ts";
import { labelOf } from "../observe/map-words.ts";
import type { MapArrow, MapNode, ServiceMap } from "../observe/service-map.ts";
import { many } from "../words.ts";

export function connectivitySvg(connectivity: Connectivity): string {
  const map = mapOf(connectivity);
  const said = ({ ports }: MapArrow): string => ports.map(({ port }) => port).join(", ");
  return mapSvg(map, {
    title: `Permitted connections: ${many(map.nodes.length, "node")}, ${many(map.arrows.length, "arrow")}`,
    label: said,
    tooltip: (arrow, from, to) => `${labelOf(from)} → ${labelOf(to)}: ${said(arrow)}`,
  });
}

function mapOf({ connections }: Connectivity): ServiceMap {
  const nodes = new Map<Party, MapNode>();
  const nodeOf = (party: Party): MapNode => {
    let node = nodes.get(party);
    if (node === undefined) nodes.set(party, (node = drawn(party, nodes.size)));
    return node;
  };
  const arrows = connections.flatMap(({ from, to, ports }): MapArrow[] => {
    const alone = from === to && from.kind === "workloads" && from.names.length < 2;
    if (alone) return [];
    const text = connectionText(ports);
    const port = text === NO_CONNECTIONS ? formatPorts(ports) : text;
    return [
      {
        from: nodeOf(from).id,
        to: nodeOf(to).id,
        outcome: "passed",
        ports: [{ port, connections: 0, failed: 0, bytes: 0 }],
        connections: 0,
        failed: 0,
        bytes: 0,
      },
    ];
  });
  return { nodes: [...nodes.values()], arrows };
}

function drawn(party: Party, number: number): MapNode {
  const members = party.kind === "world" ? party.ranges.map(rangeName) : party.names;
  const [first = ""] = members;
  const more = members.length < 2 ? "" : ` + ${members.length - 1}`;
  if (party.kind === "world") {
    const name = isEverything(party.ranges) ? "world" : `${first}${more}`;
    return { id: `n${number}`, kind: "outside", name, members };
  }
  const namespace = namespaceOf(first);
  return {
    id: `n${number}`,
    kind: "workload",
    ...(namespace === "" ? {} : { namespace }),
    name: `${namespace === "" ? first : first.slice(namespace.length + 1)}${more}`,
    members,
  };
}

function isEverything(ranges: readonly IpRange[]): boolean {
  return ranges.length === 2 && ranges.every(({ first }) => first === 0n);
}

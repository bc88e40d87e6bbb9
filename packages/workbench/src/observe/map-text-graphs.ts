/** The service map as text that other programs draw: Graphviz' DOT, and Mermaid for pages of Markdown. */
import type { Outcome } from "./outcome.ts";
import { arrowText, countText, membersText, portsText } from "./map-words.ts";
import type { MapArrow, MapNode, ServiceMap } from "./service-map.ts";

/** Middle tones, to be seen on white and on black. */
const STROKES: Readonly<Record<Outcome, string>> = {
  passed: "#6b7280",
  audit: "#b7791f",
  denied: "#d1242f",
};

export function mapDot(map: ServiceMap): string {
  const graph = numbered(map);
  const quoted = (lines: readonly string[]): string =>
    `"${lines.map((line) => line.replaceAll(/["\\]/g, "\\$&").replaceAll(/\s/g, " ")).join("\\n")}"`;
  const node = (one: MapNode, indent: string): string => {
    const shape = one.kind === "outside" ? ", shape=ellipse" : "";
    return `${indent}${graph.idOf(one.id)} [label=${quoted(nodeLines(one))}${shape}];\n`;
  };
  const clusters = graph.namespaces.map(
    ([namespace, nodes], index) =>
      `  subgraph cluster_${index} {\n    label=${quoted([namespace])};\n${nodes.map((one) => node(one, "    ")).join("")}  }\n`,
  );
  const arrows = map.arrows.map((arrow) => {
    const { from, to, outcome } = arrow;
    const tooltip = arrowText(arrow, graph.nodeOf(from), graph.nodeOf(to));
    const style = outcome === "passed" ? "" : ", style=dashed";
    return `  ${graph.idOf(from)} -> ${graph.idOf(to)} [label=${quoted(arrowLines(arrow))}, color="${STROKES[outcome]}"${style}, tooltip=${quoted([tooltip])}];\n`;
  });
  return `digraph bulkhead {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
${clusters.join("")}${graph.apart.map((one) => node(one, "  ")).join("")}${arrows.join("")}}
`;
}

export function mapMermaid(map: ServiceMap): string {
  const graph = numbered(map);
  const quoted = (lines: readonly string[]): string =>
    `"${lines.map((line) => line.replaceAll(/[#"<>&|]/g, entity).replaceAll(/\s/g, " ")).join("<br/>")}"`;
  const node = (one: MapNode, indent: string): string => {
    const [open, close] = one.kind === "outside" ? ["([", "])"] : ["[", "]"];
    return `${indent}${graph.idOf(one.id)}${open}${quoted(nodeLines(one))}${close}\n`;
  };
  const groups = graph.namespaces.map(
    ([namespace, nodes], index) =>
      `  subgraph s${index}[${quoted([namespace])}]\n${nodes.map((one) => node(one, "    ")).join("")}  end\n`,
  );
  const arrows = map.arrows.map((arrow, index) => {
    const { from, to, outcome } = arrow;
    const line = { passed: "-->", audit: "-.->", denied: "-.-x" }[outcome];
    const colour = outcome === "passed" ? "" : `  linkStyle ${index} stroke:${STROKES[outcome]}\n`;
    return `  ${graph.idOf(from)} ${line}|${quoted(arrowLines(arrow))}| ${graph.idOf(to)}\n${colour}`;
  });
  return `flowchart LR\n${groups.join("")}${graph.apart.map((one) => node(one, "  ")).join("")}${arrows.join("")}`;
}

function entity(character: string): string {
  return `#${character.codePointAt(0) ?? 0};`;
}

function nodeLines(node: MapNode): readonly string[] {
  const members = membersText(node);
  return members === undefined ? [node.name] : [node.name, members];
}

function arrowLines(arrow: MapArrow): readonly string[] {
  return [portsText(arrow.ports), countText(arrow)];
}

/** Names of people become identifiers that need no quotes. */
function numbered({ nodes }: ServiceMap) {
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const namespaces = new Map<string, MapNode[]>();
  for (const node of nodes) {
    if (node.namespace === undefined) continue;
    namespaces.set(node.namespace, [...(namespaces.get(node.namespace) ?? []), node]);
  }
  return {
    namespaces: [...namespaces],
    /** In no namespace. */
    apart: nodes.filter(({ namespace }) => namespace === undefined),
    idOf: (id: string): string => ids.get(id) ?? "",
    nodeOf(id: string): MapNode {
      const node = byId.get(id);
      if (node === undefined) throw new Error(`no node of the map is called ${id}`);
      return node;
    },
  };
}

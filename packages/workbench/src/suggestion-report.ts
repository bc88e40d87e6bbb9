/** A suggestion as data: the file to save, one line a rule with its evidence, and what was set aside. */
import { manifestsOf } from "@bulkhead/learn";
import { formatPort, type SetAside, type Suggestion } from "@bulkhead/model";
import { suggestionText } from "./suggestion-text.ts";

export interface SuggestionReport {
  readonly files: { readonly name: string; readonly text: string }[];
  readonly rules: {
    /** `Intent/shop/storefront-to-checkout` */
    readonly resource: string;
    /** `storefront → checkout` */
    readonly rule: string;
    readonly ports: string;
    readonly connections: number;
    readonly edges: number;
    readonly firstSeen: number;
    readonly lastSeen: number;
    readonly rare: boolean;
  }[];
  readonly setAside: SetAside[];
  /** Workloads that no label tells apart: no rule can name them, and they stay unjudged. */
  readonly unlabelled: string[];
  /** Edges behind the rules. */
  readonly edges: number;
}

export const SUGGESTION_FILE = "suggested.yaml";

export function suggestionReport(suggestion: Suggestion): SuggestionReport {
  return {
    files: [{ name: SUGGESTION_FILE, text: suggestionText(suggestion) }],
    rules: manifestsOf(suggestion).flatMap((item) => {
      if (item.of !== "rule") return [];
      const { namespace, name, from, to, ports, evidence, rare } = item.from;
      const end = (peer: typeof from): string => (peer.kind === "host" ? "host" : peer.name);
      return [
        {
          resource: `Intent/${namespace}/${name}`,
          rule: `${end(from)} → ${end(to)}`,
          ports: ports.map((port) => formatPort(port.protocol, port.port)).join(", "),
          connections: evidence.connections,
          edges: evidence.edges,
          firstSeen: evidence.firstSeen,
          lastSeen: evidence.lastSeen,
          rare,
        },
      ];
    }),
    setAside: [...suggestion.setAside],
    unlabelled: [...suggestion.unlabelled],
    edges: suggestion.accepted.length,
  };
}

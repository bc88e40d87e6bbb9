/**
 * Ends that a source names, each made once: namespace and name of a workload, at an address. A name that could steer a
 * terminal or a pipeline makes no end.
 */
import { canonicalIp, type FlowEnd, type Labels } from "@bulkhead/model";
import { createEnds, NO_LABELS } from "./ends.ts";
import { isHarmless } from "./values.ts";

const MOST = 100_000;

export interface NamedEnds {
  /** Undefined: no address, or a name that is none. Without a name the address stands for it. */
  at(
    address: string,
    namespace: string | undefined,
    name: string | undefined,
    labels?: readonly string[],
  ): FlowEnd | undefined;
}

export function createNamedEnds(most = MOST): NamedEnds {
  const plain = createEnds(most);
  const named = new Map<string, FlowEnd>();
  return {
    at(text, namespace, name, labels = []) {
      if (name === undefined) return plain.at(text);
      const key = `${text}\n${namespace ?? ""}\n${name}\n${labels.join("\n")}`;
      const known = named.get(key);
      if (known !== undefined) return known;
      const address = canonicalIp(text);
      if (address === null) return undefined;
      const id = namespace === undefined ? name : `${namespace}/${name}`;
      const end: FlowEnd = { address, workload: id, name: id, labels: labelsOf(labels) };
      if (!isHarmless(end)) return undefined;
      if (named.size >= most) named.clear();
      named.set(key, end);
      return end;
    },
  };
}

/** `app=web`, one a text. */
function labelsOf(texts: readonly string[]): Labels {
  if (texts.length === 0) return NO_LABELS;
  return Object.fromEntries(
    texts.map((text): [string, string] => {
      const at = text.indexOf("=");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

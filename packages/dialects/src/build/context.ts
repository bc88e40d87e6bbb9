/** What all parts of a build share: the options, the sets that peers refer to, and a place for diagnostics. */
import {
  createDiagnostic,
  type Cidr,
  type Diagnostic,
  type DiagnosticCode,
  type Selector,
  type Severity,
  type SourceSpan,
} from "@bulkhead/model";

export interface BuildOptions {
  /** Milliseconds since the epoch; decides what has expired. */
  readonly now: number;
  /** Warnings about imported policies become errors. */
  readonly strict: boolean;
  /** How the set is applied: `audit` stages everything. */
  readonly mode: "audit" | "enforce";
  /** Does a Kubernetes ipBlock hold addresses of pods and the host? (SEMANTICS trap 5; implementations differ.) */
  readonly ipBlockMatchesWorkloads?: boolean;
  /** A set that a kernel is to hold may have no rules in it that none of our drivers can; at a desk it may. Kernel unless said. */
  readonly target?: "kernel" | "desk";
  /**
   * Keep wide rules from opening cloud metadata addresses by the way. On unless said otherwise; `native`: only the rules of
   * our own policies, for who reads policies that others enforce.
   */
  readonly metadataGuard?: boolean | "native";
}

export interface NamedNetworks {
  readonly namespace: string;
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  readonly source: SourceSpan;
}

export interface BuildContext {
  readonly options: BuildOptions;
  /** By `namespace/name`. */
  readonly networkSets: ReadonlyMap<string, NamedNetworks>;
  /** The same selector as the same object: clusters say few of them, and say them often. */
  readonly selector: (selector: Selector) => Selector;
  readonly report: (
    code: DiagnosticCode,
    span: SourceSpan,
    message: string,
    help?: string,
    severity?: Severity,
  ) => void;
}

export const createContext = (
  options: BuildOptions,
  networkSets: ReadonlyMap<string, NamedNetworks>,
  into: Diagnostic[],
): BuildContext => ({
  options,
  networkSets,
  selector: sharing(),
  report: (code, span, message, help, severity) => {
    into.push(createDiagnostic(code, span, message, help, severity));
  },
});

function sharing(): BuildContext["selector"] {
  const known = new Map<string, Selector>();
  return (selector) => {
    const text = JSON.stringify(selector.requirements);
    const same = known.get(text);
    if (same !== undefined) return same;
    known.set(text, selector);
    return selector;
  };
}

/** PolicyTest to questions with one protocol and port each, names completed with their namespace. */
import {
  canonicalIp,
  formatProtocol,
  ICMP,
  ICMPV6,
  type IpAddress,
  type PortMatch,
  type ProtocolNumber,
  type Request,
  type SourceSpan,
  type WorkloadId,
} from "@bulkhead/model";
import type { PolicyTestFile } from "../native/kinds.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { BuildContext } from "./context.ts";

export type TestEnd =
  | { readonly kind: "workload"; readonly workload: WorkloadId }
  | { readonly kind: "address"; readonly address: IpAddress };

export interface PolicyTest {
  /** As given, or `PolicyTest/shop/basics: web → db 5432/tcp`. */
  readonly name: string;
  readonly from: TestEnd;
  readonly to: TestEnd;
  readonly protocol: ProtocolNumber;
  readonly port: number;
  /** Absent: what is asked in the connection is not told. */
  readonly request?: Request;
  /** That stand for the address at `to`, lower case. */
  readonly names?: readonly string[];
  readonly expect: "allow" | "deny";
  readonly source: SourceSpan;
}

const endOf = (text: string, home: string): TestEnd => {
  const address = canonicalIp(text);
  if (address !== null) return { kind: "address", address };
  return { kind: "workload", workload: text.includes("/") ? text : `${home}/${text}` };
};

const isIcmp = (protocol: ProtocolNumber): boolean => protocol === ICMP || protocol === ICMPV6;
const ECHO = { [ICMP]: 8 * 256, [ICMPV6]: 128 * 256 };

/** One port of a match that stands for one: an ICMP type stands for its code 0, `icmp` for an echo request. */
const singlePort = (
  match: PortMatch,
): { readonly protocol: ProtocolNumber; readonly port: number } | null => {
  if (match.kind === "range") {
    const { protocol, first, last } = match;
    const single = first === last || (isIcmp(protocol) && first >> 8 === last >> 8);
    return single ? { protocol, port: first } : null;
  }
  if (match.kind !== "protocol") return null;
  const { protocol } = match;
  if (protocol === ICMP || protocol === ICMPV6) return { protocol, port: ECHO[protocol] };
  return ["tcp", "udp", "sctp"].includes(formatProtocol(protocol)) ? null : { protocol, port: 0 };
};

export const policyTests = (file: PolicyTestFile, context: BuildContext): readonly PolicyTest[] => {
  const home = file.metadata.namespace ?? DEFAULT_NAMESPACE;
  return file.spec.tests.flatMap((test): PolicyTest[] => {
    const single = singlePort(test.port);
    if (single === null) {
      context.report(
        "BH0205",
        test.source,
        "a test asks about one port by number",
        "for example `port: 5432/tcp`",
      );
      return [];
    }
    return [
      {
        // One line, whatever it holds: a second could be one that a pipeline obeys.
        name: (
          test.name ?? `PolicyTest/${home}/${file.metadata.name}: ${test.from} → ${test.to}`
        ).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " "),
        from: endOf(test.from, home),
        to: endOf(test.to, home),
        ...single,
        ...(test.http === undefined ? {} : { request: test.http.request }),
        ...(test.names === undefined ? {} : { names: test.names }),
        expect: test.expect,
        source: test.source,
      },
    ];
  });
};

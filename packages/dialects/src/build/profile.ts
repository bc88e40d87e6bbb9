/**
 * What Inventories say about the machine itself, as one profile: exemptions are declared there and printed by `status`.
 * Lists of several Inventories add up; a switch is set one way or the other, and two that disagree are an error.
 */
import {
  compareIp,
  createDiagnostic,
  DEFAULT_PROFILE,
  formatSpan,
  type Diagnostic,
  type Profile,
  type Resolver,
  type SourceSpan,
} from "@bulkhead/model";
import type { Resource } from "../resource.ts";

const SWITCHES = ["nodeExempt", "hairpinExempt"] as const;
type Switch = (typeof SWITCHES)[number];

export const buildProfile = (
  resources: readonly Resource[],
  diagnostics: Diagnostic[],
): Profile => {
  const said = new Map<Switch, { readonly value: boolean; readonly source: SourceSpan }>();
  const strict = new Set<Switch>();
  const dhcp = new Set<string>();
  const dns = new Map<string, Resolver>();
  for (const { dialect, object } of resources) {
    if (dialect !== "native" || object.kind !== "Inventory") continue;
    const { machine } = object.spec;
    if (machine === undefined) continue;
    for (const name of SWITCHES) {
      const here = machine[name];
      const before = said.get(name);
      if (here === undefined) continue;
      if (!here.value) strict.add(name);
      if (before === undefined) said.set(name, here);
      else if (before.value !== here.value)
        diagnostics.push(
          createDiagnostic(
            "BH0309",
            here.source,
            `\`machine.${name}\` is \`${here.value}\` here and \`${before.value}\` in another Inventory`,
            `first at ${formatSpan(before.source)}; there is one machine, so say it once`,
          ),
        );
    }
    for (const name of machine.dhcp ?? []) dhcp.add(name);
    for (const one of machine.dns ?? []) dns.set(`${one.address} ${one.port}`, one);
  }
  // Of two that disagree the stricter holds, so that the order of files does not matter even then.
  const setting = (name: Switch): boolean =>
    !strict.has(name) && (said.get(name)?.value ?? DEFAULT_PROFILE[name]);
  return {
    nodeExempt: setting("nodeExempt"),
    hairpinExempt: setting("hairpinExempt"),
    default: DEFAULT_PROFILE.default,
    ...(dhcp.size === 0 ? {} : { dhcp: [...dhcp].toSorted() }),
    ...(dns.size === 0
      ? {}
      : {
          dns: [...dns.values()].toSorted(
            (a, b) => compareIp(a.address, b.address) || a.port - b.port,
          ),
        }),
  };
};

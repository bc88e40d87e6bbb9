/** A namespace of sidecars or of ambient mode, policies of Istio in it, and what they come to. */
import { buildPolicySet, parseFiles, type BuildOptions } from "../../src/index.ts";

export const object = (
  kind: string,
  spec: unknown,
  metadata: object = {},
  apiVersion = "security.istio.io/v1",
) =>
  JSON.stringify({
    apiVersion,
    kind,
    metadata: { name: "p", namespace: "shop", ...metadata },
    ...(spec === undefined ? {} : { spec }),
  });
export const build = (texts: readonly string[], options: Partial<BuildOptions> = {}) => {
  const parsed = parseFiles(texts.map((text, at) => ({ name: `${at}`, text })));
  const built = buildPolicySet(parsed.resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    ...options,
  });
  const said = [...parsed.diagnostics, ...built.diagnostics].map(({ code }) => code);
  const blocks = built.set.stages.flatMap((one) => one.blocks);
  return { ...built, said, blocks };
};
export const namespace = (name: string, labels: object) =>
  object("Namespace", undefined, { name, namespace: undefined, labels }, "v1");
export const pod = (name: string, spec: object = {}, more: object = {}) =>
  object("Pod", { containers: [], ...spec }, { name, ...more }, "v1");
export const SIDECARS = namespace("shop", { "istio-injection": "enabled" });
export const AMBIENT = namespace("shop", { "istio.io/dataplane-mode": "ambient" });
export const authorization = (spec: unknown, metadata?: object) =>
  object("AuthorizationPolicy", spec, metadata);

/** Peers of the sidecar's own rules, without the one for what is not TCP. */
export const peersOf = (spec: unknown, ...texts: readonly string[]) => {
  const { blocks } = build([SIDECARS, ...texts, authorization(spec)]);
  const block = blocks.find(({ id }) => id === "AuthorizationPolicy/shop/p#ingress");
  return block!.rules.filter(({ id }) => !id.endsWith("/not-tcp")).map(({ peers }) => peers);
};
export const prefix = (cidr: string, ...except: readonly string[]) => ({
  kind: "cidr",
  cidr,
  except,
  matchesWorkloads: true,
});
export const inMesh = (name: string, ...accounts: readonly string[]) => ({
  kind: "workloads",
  namespaces: { kind: "named", name },
  selector: {
    requirements: [
      { key: ":mesh", operator: "Exists" },
      ...(accounts.length === 0
        ? []
        : [{ key: ":service-account", operator: "In", values: accounts }]),
    ],
  },
});

/**
 * How a cluster runs Cilium, as far as it changes what policies mean: its ConfigMap `cilium-config`, which the installation
 * writes. Without one everything is as Cilium is installed by default.
 */
import { objectMeta } from "../kubernetes/metadata.ts";
import { fields, optional, required } from "../text/fields.ts";
import { mapped, refined, text, word } from "../text/shape.ts";

export const CONFIG_MAP = "cilium-config";

export interface CiliumSettings {
  /** As `io.cilium.k8s.policy.cluster` names it. */
  readonly cluster: string;
  /** Do prefixes hold the addresses of nodes? (SEMANTICS trap 5) */
  readonly cidrHoldsNodes: boolean;
  /** Is also who is selected by nothing allowed nothing? */
  readonly isolatesAll: boolean;
}

export const DEFAULT_SETTINGS: CiliumSettings = {
  cluster: "default",
  cidrHoldsNodes: false,
  isolatesAll: false,
};

/** A list with commas or spaces, of which only one word means anything. */
const matchMode = refined<boolean>((value) => {
  const words = value.split(/[\s,]+/).filter((one) => one !== "");
  const unknown = words.find((one) => one !== "nodes");
  return unknown === undefined
    ? { value: words.length > 0 }
    : {
        code: "BH0105",
        error: `prefixes do not hold \`${unknown}\``,
        help: "allowed here: `nodes`",
      };
});

const enforcement = mapped(
  word("mode of enforcement", "default", "always", "never"),
  (value, node, at): boolean => {
    if (value === "never") {
      at.report(
        "BH0404",
        node,
        "`never` has no effect here",
        "policies are judged as if they were enforced",
      );
    }
    return value === "always";
  },
);

export const ciliumConfig = mapped(
  fields(
    "the configuration of Cilium",
    {
      metadata: required(objectMeta),
      data: optional(
        fields(
          "settings",
          {
            "cluster-name": optional(text),
            "policy-cidr-match-mode": optional(matchMode),
            "enable-policy": optional(enforcement),
          },
          { open: true },
        ),
      ),
    },
    { open: true },
  ),
  ({ metadata, data, source }) => {
    const settings: CiliumSettings = {
      cluster: data?.["cluster-name"] ?? DEFAULT_SETTINGS.cluster,
      cidrHoldsNodes: data?.["policy-cidr-match-mode"] ?? DEFAULT_SETTINGS.cidrHoldsNodes,
      isolatesAll: data?.["enable-policy"] ?? DEFAULT_SETTINGS.isolatesAll,
    };
    return {
      dialect: "cilium" as const,
      object: { kind: "ConfigMap" as const, metadata, source, settings },
    };
  },
);

/** `security.istio.io` PeerAuthentication, every field of istio/api `security/v1/peer_authentication.proto`. */
import { fields, optional, refused } from "../text/fields.ts";
import { dictionary, mapped, word, type Read, type Shape } from "../text/shape.ts";
import { heading, workloadSelector } from "./authorization-policy.ts";

const MODES = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;
const mutualTls = fields("TLS settings", { mode: optional(word("mode", ...MODES)) });

const PORT = /^\d{1,5}$/;
const perPort: Shape<Readonly<Record<string, Read<typeof mutualTls>>>> = dictionary(
  "ports with TLS settings",
  mutualTls,
  (key) =>
    PORT.test(key) && Number(key) >= 1 && Number(key) <= 65535
      ? null
      : "a port is a number from 1 to 65535",
);

const peerAuthenticationSpec = mapped(
  fields("the spec of a PeerAuthentication", {
    selector: optional(workloadSelector),
    mtls: optional(mutualTls),
    portLevelMtls: optional(perPort),
    portLevelTls: refused(
      "leave it out: it is hidden upstream, and says nothing about who may call",
    ),
  }),
  (value, node, at) => {
    const { selector, portLevelMtls } = value;
    if (portLevelMtls === undefined) return value;
    if (Object.keys(portLevelMtls).length === 0) {
      at.report("BH0421", node, "`portLevelMtls` is empty", "leave it out");
      return undefined;
    }
    if (Object.keys(selector?.matchLabels ?? {}).length === 0) {
      at.report(
        "BH0421",
        node,
        "`portLevelMtls` needs a `selector` with labels",
        "select the workloads whose ports these are",
      );
      return undefined;
    }
    return value;
  },
);

export const peerAuthentication = fields("a PeerAuthentication", {
  ...heading("PeerAuthentication"),
  spec: optional(peerAuthenticationSpec),
});

export type PeerAuthentication = Read<typeof peerAuthentication>;
export type TlsMode = (typeof MODES)[number];

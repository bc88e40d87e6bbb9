/** What an Inventory says that its machine must be able to do, whatever policy is applied. */
import {
  INVARIANT_KINDS,
  INVARIANT_PORTS,
  type DeclaredInvariant,
  type InvariantKind,
} from "@bulkhead/model";
import { fields, optional } from "../text/fields.ts";
import { described, list, mapped, refined, type Shape } from "../text/shape.ts";
import { formatSocketText, parseSocketText, type SocketText } from "./socket-text.ts";

const usualPort = (kind: InvariantKind): number | undefined =>
  kind === "connect" ? undefined : INVARIANT_PORTS[kind];

function ends(kind: InvariantKind, about: string): Shape<readonly DeclaredInvariant[]> {
  const usual = usualPort(kind);
  const examples =
    usual === undefined
      ? ["10.0.0.9:443", "[fd00::9]:443"]
      : ["10.0.0.1", `10.0.0.1:${usual + 1000}`, `[fd00::1]:${usual + 1000}`];
  const text = described(
    refined<SocketText>((value) => {
      const found = parseSocketText(value, usual);
      return found === null
        ? {
            code: "BH0209",
            error: `\`${value}\` is not an address${usual === undefined ? " with a port" : ""}`,
            help: `for example ${examples.map((one) => `\`${one}\``).join(" or ")}`,
          }
        : { value: found };
    }),
    about,
    ...examples.slice(0, 2),
  );
  return list(
    mapped(text, (value, node, at): DeclaredInvariant => ({
      kind,
      ...value,
      source: at.span(node),
    })),
    "addresses",
  );
}

const ABOUT: Readonly<Record<InvariantKind, string>> = {
  ssh: "Where those who look after this machine call it from over SSH. Their open sessions count without being named. The port is this machine's.",
  dns: "Resolvers that answer this machine. Those of /etc/resolv.conf count without being named.",
  ntp: "Time servers that answer this machine. Those of chrony, ntpd and systemd-timesyncd count without being named.",
  dhcp: "Servers that renew this machine's leases. Those of leases it holds count without being named.",
  metadata:
    "Where this machine asks its cloud about itself. On a machine that cloud-init has set up, 169.254.169.254 counts without being named.",
  connect: "Any other service that this machine must reach over TCP; a port has to be given.",
};

const { ssh, dns, ntp, dhcp, metadata, connect } = ABOUT;

export const invariants = fields("what the machine must be able to do", {
  ssh: optional(ends("ssh", "An address, and a port when it is not 22."), ssh),
  dns: optional(ends("dns", "An address, and a port when it is not 53."), dns),
  ntp: optional(ends("ntp", "An address, and a port when it is not 123."), ntp),
  dhcp: optional(ends("dhcp", "An address, and a port when it is not 67."), dhcp),
  metadata: optional(ends("metadata", "An address, and a port when it is not 80."), metadata),
  connect: optional(ends("connect", "An address with a port."), connect),
});

export type Invariants = { readonly [K in InvariantKind]?: readonly DeclaredInvariant[] };

export const invariantsToManifest = (
  given: Invariants,
): { readonly [K in InvariantKind]?: readonly string[] } =>
  Object.fromEntries(
    INVARIANT_KINDS.flatMap((kind) => {
      const here = given[kind];
      return here === undefined
        ? []
        : [[kind, here.map((one) => formatSocketText(one, usualPort(kind)))]];
    }),
  );

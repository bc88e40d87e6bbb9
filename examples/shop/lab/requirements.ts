/** What the lab needs of the machine, with the Debian package that brings it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export const POSTGRES_BIN = postgresBin();

/** Debian keeps the server's programs in a directory per major version, and none of them in PATH. */
function postgresBin(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Number.isInteger) : [];
  return join(root, String(Math.max(...versions, 0)), "bin");
}

export const REQUIRED_PROGRAMS: readonly { readonly path: string; readonly debian: string }[] = [
  { path: "/usr/sbin/nginx", debian: "nginx-light" },
  { path: "/usr/bin/redis-server", debian: "redis-server" },
  { path: "/usr/sbin/dnsmasq", debian: "dnsmasq-base" },
  { path: `${POSTGRES_BIN}/initdb`, debian: "postgresql" },
  { path: "/usr/bin/ping", debian: "iputils-ping" },
  { path: "/usr/sbin/ip", debian: "iproute2" },
  { path: "/usr/bin/nsenter", debian: "util-linux" },
];

export function checkPrograms(): void {
  if (process.getuid?.() !== 0) {
    throw new Error("the lab makes network namespaces: run it as root");
  }
  const missing = REQUIRED_PROGRAMS.filter((program) => !existsSync(program.path));
  if (missing.length > 0) {
    const packages = missing.map((program) => program.debian).join(" ");
    throw new Error(`missing programs; install the Debian packages ${packages}`);
  }
}

// The disk of a booted machine, as a shell script: this system's programs and packages under an overlay in memory, with
// the settings of a server that nobody configured for us. Services are the distribution's, with its defaults.

/** What costs time at boot and does nothing for a machine without hardware. */
const MASKED = [
  "console-getty.service",
  "dev-hugepages.mount",
  "dev-mqueue.mount",
  "modprobe@.service",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-fs-fuse-connections.mount",
  "sys-kernel-config.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "systemd-firstboot.service",
  "systemd-hwdb-update.service",
  "systemd-journal-catalog-update.service",
  "systemd-journal-flush.service",
  "systemd-logind.service",
  "systemd-networkd-wait-online.service",
  "systemd-sysusers.service",
  "systemd-timesyncd.service",
  "systemd-udev-trigger.service",
  "systemd-udevd.service",
  "systemd-update-done.service",
  "systemd-update-utmp.service",
];

/** TEST-NET-3 (RFC 5737). The machine's own link is no veth: those are what workloads have. */
export const LAN = {
  outside: "203.0.113.1",
  machine: "203.0.113.10",
  bits: 24,
  link: "mv-lan0",
} as const;

export interface Disk {
  /** Units of the distribution that start at boot. */
  readonly services: readonly string[];
  /** Further files: path to text. */
  readonly files: Readonly<Record<string, string>>;
  readonly hostname: string;
  /** 32 hexadecimal digits (machine-id(5)). */
  readonly machineId: string;
}

const NETWORK = `[Match]
Name=${LAN.link}
[Network]
Address=${LAN.machine}/${LAN.bits}
Gateway=${LAN.outside}
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

/**
 * Leaves the whole disk at `$WORK/root`. What this host made of its own systemd is not there: its units, the list of its
 * file systems, guards against starting services, state of Bulkhead.
 */
export function diskScript({ services, files, hostname, machineId }: Disk): string {
  const enabled = ["systemd-networkd.service", ...services];
  const written: Readonly<Record<string, string>> = {
    "/etc/hostname": `${hostname}\n`,
    "/etc/hosts": `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n`,
    "/etc/machine-id": `${machineId}\n`,
    "/etc/resolv.conf": `nameserver ${LAN.outside}\n`,
    // A disk in memory gains nothing from being flushed.
    "/etc/dpkg/dpkg.cfg.d/in-memory": "force-unsafe-io\n",
    "/etc/systemd/network/10-lan.network": NETWORK,
    ...files,
  };
  return `
mount -t tmpfs -o mode=755 none "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root"
rm -rf etc/systemd/system etc/systemd/network etc/fstab var/lib/bulkhead opt/bulkhead usr/sbin/policy-rc.d
mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system-generators etc/systemd/network
rm -f etc/resolv.conf var/lib/man-db/auto-update etc/systemd/system-generators/systemd-sysv-generator
ln -s /dev/null etc/systemd/system-generators/systemd-sysv-generator
ln -s /lib/systemd/system/multi-user.target etc/systemd/system/default.target
for unit in ${MASKED.join(" ")}; do ln -s /dev/null "etc/systemd/system/$unit"; done
${Object.entries(written)
  .map(
    ([path, text]) =>
      `mkdir -p "$(dirname .${path})"\ncat >.${path} <<'END_OF_FILE'\n${text}END_OF_FILE\n`,
  )
  .join("")}
for unit in ${enabled.join(" ")}; do
  from=lib
  [ ! -e "etc/systemd/system/$unit" ] || from=etc
  ln -s "/$from/systemd/system/$unit" etc/systemd/system/multi-user.target.wants/
done
cd /
`;
}

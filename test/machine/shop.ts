// Two workloads on a booted machine, as units of systemd: a database (Redis) and who talks to it, each in a network
// namespace on one bridge. They are there at every boot, before Bulkhead, which takes over what it finds.

/** For floods of datagrams; the database is asked by TCP. */
export const UDP = { permitted: 9000, forbidden: 9001 } as const;
export const DATABASE = 5432;

const NAMES = ["web", "db"] as const;
export type Name = (typeof NAMES)[number];

export const ADDRESS: Readonly<Record<Name, string>> = { web: "10.9.0.10", db: "10.9.0.11" };

const wire = `#!/bin/sh
set -e
ip link add br0 type bridge mcast_snooping 0
echo 1 >/proc/sys/net/ipv4/ip_forward
ip address add 10.9.0.1/24 dev br0
ip link set br0 up
${NAMES.map(
  (name) => `ip netns add ${name}
ip link add v${name} type veth peer name eth0 netns ${name}
ip link set v${name} master br0 up
ip -n ${name} address add ${ADDRESS[name]}/24 dev eth0
ip -n ${name} link set lo up
ip -n ${name} link set eth0 up
ip -n ${name} route add default via 10.9.0.1`,
).join("\n")}
`;

const UNITS = {
  "shop-network.service": `[Unit]
After=network-pre.target
Before=network.target bulkhead.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/shop/network
[Install]
WantedBy=multi-user.target
`,
  "shop-db.service": `[Unit]
Requires=shop-network.service
After=shop-network.service
Before=bulkhead.service
[Service]
NetworkNamespacePath=/run/netns/db
DynamicUser=yes
ExecStart=/usr/bin/redis-server --port ${DATABASE} --bind 0.0.0.0 --protected-mode no --save "" --dir /tmp
[Install]
WantedBy=multi-user.target
`,
} as const;

export const SHOP = {
  services: Object.keys(UNITS),
  files: {
    "/etc/shop/network": wire,
    ...Object.fromEntries(
      Object.entries(UNITS).map(([name, text]) => [`/etc/systemd/system/${name}`, text]),
    ),
  },
} as const;

/** Who they are, and that the one may ask the other; nobody else may. */
export const POLICY = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: shop, namespace: shop }
spec:
  workloads:
${NAMES.map((name) => `    - { name: ${name}, netns: ${name}, labels: { app: ${name} } }`).join("\n")}
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: shop }
spec: { from: app=web, to: app=db, ports: [${DATABASE}/tcp, ${UDP.permitted}/udp] }
`;

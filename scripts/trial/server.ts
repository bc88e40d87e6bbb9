// The server of the trial: Debian's nginx, PostgreSQL, Redis and cron with the settings that their packages bring, a web shop in
// two network namespaces, a timer that looks names up, and people and machines outside that use all of it.
import { LAN } from "../../test/machine/root.ts";
import { SHOP } from "../../test/machine/shop.ts";

const asks = `#!/usr/bin/env python3
# The web side of the shop: asks the database again and again, over connections that it keeps for a while.
import socket, time
while True:
    try:
        s = socket.create_connection(("10.9.0.11", 5432), timeout=5)
        for _ in range(20):
            s.sendall(b"PING\\r\\n"); s.recv(64); time.sleep(0.25)
        s.close()
    except OSError as error:
        print(error, flush=True); time.sleep(1)
`;

const UNITS = {
  "shop-web.service": `[Unit]
Requires=shop-network.service shop-db.service
After=shop-network.service shop-db.service
Before=bulkhead.service
[Service]
NetworkNamespacePath=/run/netns/web
DynamicUser=yes
ExecStart=/usr/bin/python3 /etc/shop/asks
Restart=always
[Install]
WantedBy=multi-user.target
`,
  "feed.service": `[Unit]
Description=looks a name up and fetches a page
[Service]
Type=oneshot
DynamicUser=yes
ExecStart=/usr/bin/curl --silent --show-error --max-time 5 --output /dev/null --write-out "connected after %%{time_connect} s\\n" http://updates.example/
`,
  "feed.timer": `[Timer]
OnBootSec=2s
OnUnitActiveSec=5s
AccuracySec=1s
[Install]
WantedBy=timers.target multi-user.target
`,
} as const;

export const SERVER = {
  hostname: "server",
  services: [
    "nginx.service",
    "postgresql.service",
    "redis-server.service",
    "cron.service",
    "feed.timer",
    ...SHOP.services,
    "shop-web.service",
  ],
  files: {
    ...SHOP.files,
    "/etc/shop/asks": asks,
    "/etc/cron.d/backup": `* * * * * redis redis-cli save >/dev/null\n`,
    ...Object.fromEntries(
      Object.entries(UNITS).map(([name, text]) => [`/etc/systemd/system/${name}`, text]),
    ),
  },
} as const;

const CUSTOMER_ADDRESS = "203.0.113.50";
const UPDATES = "203.0.113.80";

/** Runs outside, where the machine's resolver and the rest of the world are. */
export const OUTSIDE = `
for address in ${CUSTOMER_ADDRESS} ${UPDATES}; do ip address add $address/32 dev lan; done
dnsmasq --no-daemon --no-resolv --no-hosts --bind-interfaces --listen-address=${LAN.outside} \\
  --address=/updates.example/${UPDATES} --address=/#/ --user=root --pid-file= 2>/dev/null &
exec python3 -m http.server --bind ${UPDATES} --directory /usr/share/doc/systemd 80 >/dev/null 2>&1
`;

/** One request a line of output: what came of it. */
export const CUSTOMER = `
until ip address show dev lan | grep -q ${CUSTOMER_ADDRESS}; do sleep 0.1; done
while :; do
  curl --interface ${CUSTOMER_ADDRESS} --silent --output /dev/null --max-time 5 --write-out '%{http_code}\\n' http://${LAN.machine}/ || :
  sleep 0.1
done
`;

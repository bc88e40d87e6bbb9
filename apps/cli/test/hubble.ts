/** Connections as Hubble exports them. */

export interface HubblePod {
  readonly ip: string;
  readonly end: object;
}

export const hubblePod = (name: string, ip: string): HubblePod => ({
  ip,
  end: { namespace: "shop", pod_name: `${name}-1`, labels: [`k8s:app=${name}`] },
});

/** A connection that was answered, to a pod or an address outside. */
export function hubble(
  from: HubblePod,
  to: HubblePod | string,
  port: number,
  at: number,
  names: readonly string[] = [],
): string {
  const [ip, end] = typeof to === "string" ? [to, { labels: ["reserved:world"] }] : [to.ip, to.end];
  const time = new Date(at).toISOString();
  const clientPort = 40_000 + ((at / 60_000) % 1000);
  const packet = (reply: boolean) => ({
    time,
    verdict: "FORWARDED",
    IP: reply ? { source: ip, destination: from.ip } : { source: from.ip, destination: ip },
    l4: {
      TCP: reply
        ? { source_port: port, destination_port: clientPort, flags: { SYN: true, ACK: true } }
        : { source_port: clientPort, destination_port: port, flags: { SYN: true } },
    },
    source: reply ? end : from.end,
    destination: reply ? from.end : end,
    Type: "L3_L4",
    is_reply: reply,
    ...(reply ? {} : { destination_names: names }),
  });
  return `${JSON.stringify({ flow: packet(false), time })}\n${JSON.stringify(packet(true))}\n`;
}

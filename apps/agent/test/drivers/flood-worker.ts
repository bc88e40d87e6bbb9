/**
 * A thread that floods from one namespace to another: permitted datagrams and forbidden ones, side by side, as fast as
 * one core allows with pauses, and counts what arrives. Started by the flood tests, ended by a message.
 */
import { parentPort, workerData } from "node:worker_threads";
import { familyOf } from "@bulkhead/model";
import { KernelError } from "../../src/kernel/kernel-error.ts";
import { MSG_DONTWAIT, SOL_SOCKET, SO_RCVBUFFORCE, libc } from "../../src/kernel/libc.ts";
import { socketAddress } from "../../src/probe/socket-address.ts";
import { openSocket } from "./traffic.ts";

export interface FloodOrder {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly permittedPort: number;
  readonly forbiddenPort: number;
  /** Sends SYNs to the forbidden port too. */
  readonly burst: number;
}

export interface FloodCount {
  readonly permittedSent: number;
  readonly permittedArrived: number;
  readonly forbiddenSent: number;
  readonly forbiddenArrived: number;
}

const port = parentPort;
if (port === null) throw new Error("the flood is a worker thread");
const order = workerData as FloodOrder;
const family = familyOf(order.address);
const any = family === 4 ? "0.0.0.0" : "::";
const roomy = Buffer.alloc(4);
roomy.writeInt32LE(16 << 20);

const receiver = (at: number): number => {
  const fd = openSocket(order.to, "udp", family);
  libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, roomy);
  libc().bind(fd, socketAddress(any, at));
  return fd;
};
const sender = (at: number): number => {
  const fd = openSocket(order.from, "udp", family);
  libc().connect(fd, socketAddress(order.address, at));
  return fd;
};
const receivers = [receiver(order.permittedPort), receiver(order.forbiddenPort)] as const;
const senders = [sender(order.permittedPort), sender(order.forbiddenPort)] as const;
const sent = [0, 0];
const arrived = [0, 0];
const message = Buffer.alloc(64);
const buffer = Buffer.alloc(128);

const receive = (): void => {
  for (const which of [0, 1] as const) {
    while (libc().recvfrom(receivers[which], buffer, MSG_DONTWAIT) !== null)
      arrived[which] = (arrived[which] ?? 0) + 1;
  }
};

const send = (which: 0 | 1): void => {
  try {
    libc().sendto(senders[which], message, MSG_DONTWAIT, null);
    sent[which] = (sent[which] ?? 0) + 1;
  } catch (error) {
    // A refusal of an earlier datagram is told at the next one; nothing was sent.
    if (!(error instanceof KernelError)) throw error;
  }
};

/** Datagrams under way: well below what the kernel queues between two interfaces, so that none is lost to haste. */
const WINDOW = 200;
/** After this, what has not arrived is lost and no longer waited for. */
const PATIENCE_MS = 200;
let ending = false;
let lost = 0;
let waiting = 0;

const round = (): void => {
  receive();
  const underWay = (sent[0] ?? 0) - (arrived[0] ?? 0) - lost;
  if (underWay + order.burst <= WINDOW) {
    waiting = 0;
    for (let count = 0; count < order.burst; count += 1) {
      send(0);
      send(1);
    }
  } else {
    waiting += 1;
    if (waiting > PATIENCE_MS) lost += underWay;
  }
  receive();
  if (!ending) setTimeout(round, 1);
};
round();

port.on("message", () => {
  ending = true;
  setTimeout(() => {
    receive();
    const count: FloodCount = {
      permittedSent: sent[0] ?? 0,
      permittedArrived: arrived[0] ?? 0,
      forbiddenSent: sent[1] ?? 0,
      forbiddenArrived: arrived[1] ?? 0,
    };
    for (const fd of [...receivers, ...senders]) libc().close(fd);
    port.postMessage(count, []);
    port.close();
  }, 100);
});

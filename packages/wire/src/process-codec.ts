/** Processes of the machine to protobuf and back: a part of the agent's messages. */
import type { OwnedSocket } from "@bulkhead/model";
import type {
  BorrowedSockets as ProtoBorrowed,
  DiscoveredProcess as ProtoProcess,
  OwnedSocket as ProtoSocket,
  UnitFacts as ProtoFacts,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import {
  UNIT_FORMS,
  type BorrowedSockets,
  type DiscoveredProcess,
  type UnitFacts,
} from "./messages.ts";
import { oneOf, optional } from "./parse.ts";

const HOW = ["activated", "accepted", "moved"] as const;

export function encodeProcess(process: DiscoveredProcess) {
  return {
    ...process,
    user: process.user ?? "",
    container: process.container ?? "",
    containerLabels: process.containerLabels ?? {},
    image: process.image ?? "",
    sockets: process.sockets.map((socket) => ({ ...socket, address: socket.address ?? "" })),
    borrowed: (process.borrowed ?? []).map(({ maker, how, ports }) => ({
      maker,
      how,
      ports: ports.map((port) => ({ ...port })),
    })),
    capabilities: [...(process.capabilities ?? [])],
  };
}

export function decodeProcess(process: ProtoProcess): DiscoveredProcess {
  const { cgroup, unit, container, borrowed, capabilities } = process;
  return {
    cgroup,
    form: oneOf(UNIT_FORMS, process.form, "process.form"),
    unit,
    ...optional("user", process.user),
    ...optional("container", container),
    ...(container === "" ? {} : { containerLabels: process.containerLabels }),
    ...optional("image", process.image),
    sockets: process.sockets.map(decodeSocket),
    ...(borrowed.length === 0 ? {} : { borrowed: borrowed.map(decodeBorrowed) }),
    ...(capabilities.length === 0 ? {} : { capabilities }),
  };
}

export function encodeFacts({ cgroup, count, processes, users, executable }: UnitFacts) {
  return {
    cgroup,
    count,
    processes: processes.map((process) => ({ ...process })),
    users: [...users],
    ...(executable === undefined
      ? {}
      : {
          executable: {
            path: executable.path,
            size: BigInt(executable.size),
            digest: executable.digest ?? "",
            package: executable.package ?? "",
          },
        }),
  };
}

export function decodeFacts({
  cgroup,
  count,
  processes,
  users,
  executable,
}: ProtoFacts): UnitFacts {
  return {
    cgroup,
    count,
    processes: processes.map(({ pid, name, user }) => ({ pid, name, user })),
    users,
    ...(executable === undefined
      ? {}
      : {
          executable: {
            path: executable.path,
            size: Number(executable.size),
            ...optional("digest", executable.digest),
            ...optional("package", executable.package),
          },
        }),
  };
}

function decodeSocket({ address, family, protocol, port }: ProtoSocket): OwnedSocket {
  return {
    ...optional("address", address),
    family: oneOf([4, 6] as const, family, "socket.family"),
    protocol,
    port,
  };
}

function decodeBorrowed({ maker, how, ports }: ProtoBorrowed): BorrowedSockets {
  return {
    maker,
    how: oneOf(HOW, how, "borrowed.how"),
    ports: ports.map(({ protocol, port }) => ({ protocol, port })),
  };
}

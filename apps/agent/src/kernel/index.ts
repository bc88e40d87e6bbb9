/** Bindings to the kernel that the rest of the agent uses; nothing is loaded before the first call. */
export * from "./batch-receiver.ts";
export * from "./cgroup2.ts";
export * from "./clock.ts";
export * from "./generation.ts";
export * from "./kernel-error.ts";
export * from "./libc.ts";
export * from "./netlink-message.ts";
export * from "./netlink-socket.ts";
export * from "./netns.ts";
export * from "./peer-credentials.ts";
